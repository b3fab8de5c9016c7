//! The door of both APIs: who comes in, what may be asked, and how a refusal reads.
//!
//! One table of operations ([`operations::ALL`]) says method, path, scope and preconditions of everything the REST API
//! does; routers are built from it ([`door::Door`]), so that no route exists without its check. The [`edge`] stands
//! before all routes: Host, Origin, sizes, time limits, request ids, security headers, and the one place where refusals
//! become problem+json. Refuses: strangers, foreign pages, bodies over 256 KiB or deeper than 32, floods.

pub mod access;
pub mod catalogue;
pub mod credential;
pub mod credentials;
pub mod directory;
pub mod door;
pub mod edge;
pub mod error;
pub mod error_pages;
pub mod hosts;
pub mod idempotency;
pub mod json;
pub mod kept;
pub mod limit;
pub mod operation;
pub mod operations;
pub mod preconditions;
pub mod principal;
pub mod problem;
pub mod query;
pub mod resource;
pub mod session_cookie;
pub mod trace;

pub use access::ScopeSet;
pub use credentials::Credentials;
pub use directory::{Directory, Known};
pub use door::{Door, DoorParts, Routes};
pub use edge::{Edge, EdgeOptions, RequestInfo};
pub use error::ApiError;
pub use json::JsonBody;
pub use operation::{Access, Idempotency, Operation};
pub use principal::Principal;
