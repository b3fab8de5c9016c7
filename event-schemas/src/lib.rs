//! The published language.
