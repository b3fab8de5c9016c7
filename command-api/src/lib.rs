//! REST commands.
