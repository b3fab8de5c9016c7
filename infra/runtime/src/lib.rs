//! The machine itself behind the runtime ports: its clock, its randomness, ids made of both, Tokio's tasks, and its
//! memory as cache and rate limits.
//!
//! Invariants: ids are unique across processes (74 random bits a millisecond); a task that panics is logged and
//! counted and takes nobody with it. This is the only place outside an engine that asks the machine for the time.

mod backup;
mod cache;
mod clock;
pub mod give_way;
mod ids;
mod note_list;
mod rate_limits;
mod rng;
mod spawn;

pub use backup::BackupFolder;
pub use cache::{DEFAULT_CACHE_BYTES, MemoryCache};
pub use clock::SystemClock;
pub use ids::SystemIds;
pub use note_list::{FileNoteList, OpenListError};
pub use rate_limits::MemoryRateLimits;
pub use rng::SystemRng;
pub use spawn::TokioSpawn;
