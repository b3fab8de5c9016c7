//! Payloads of the audit context, one module a version. A module that was released never changes.

pub mod v1;
