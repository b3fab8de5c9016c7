//! Payloads of the vault context, one module a version. A module that was released never changes.

pub mod v1;
