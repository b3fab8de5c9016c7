//! The machine itself behind the runtime ports: its clock, its randomness, ids made of both, and Tokio's tasks.
//!
//! Invariants: ids are unique across processes (74 random bits a millisecond); a task that panics is logged and
//! counted and takes nobody with it. This is the only place outside an engine that asks the machine for the time.

mod clock;
mod ids;
mod rng;
mod spawn;

pub use clock::SystemClock;
pub use ids::SystemIds;
pub use rng::SystemRng;
pub use spawn::TokioSpawn;
