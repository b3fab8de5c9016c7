//! The query side's GraphQL: schema, limits, the subscription hub, and the two doors `POST /graphql` and
//! `GET /graphql/ws`. Read side only.
//!
//! Invariants: the tenant of the caller is part of the key of every read; a list is always a page; a request is
//! measured before it is executed; a stream ends within a second of its credential. Refuses what is beyond its limits,
//! each with a code, a field and a remedy.

pub mod admission;
pub mod answers;
pub mod caller;
pub mod drain;
pub mod events;
pub mod freshness;
pub mod http;
pub mod hub;
pub mod limits;
pub mod observer;
pub mod past;
pub mod places;
pub mod refusal;
pub mod rest;
pub mod router;
pub mod schema;
pub mod services;
pub mod socket;

#[cfg(test)]
mod rig;

pub use drain::Drain;
pub use observer::{Fact, Observer, Unobserved};
pub use router::router;
pub use schema::sdl;
pub use services::{HeadSeen, Heads, Services};
