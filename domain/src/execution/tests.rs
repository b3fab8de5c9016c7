//! Stories of the execution context.
