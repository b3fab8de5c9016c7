//! The live connection: one WebSocket for all subscriptions (graphql-transport-ws), resumed by itself.
//!
//! `core` decides, `link` does: everything that can be decided without a browser is tested without one.

pub mod backoff;
pub mod core;
pub mod indicator;
pub mod link;
pub mod protocol;
