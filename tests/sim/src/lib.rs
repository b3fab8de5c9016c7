//! The simulator: the production executor, relay, tailers, projector, workflows and subscription hub, unchanged, on
//! models of everything behind their ports, under a scheduler that a seed decides.
//!
//! How to run it, what it models and what it cannot show: `docs/simulation.md`. Every seed is a run: a tenant, a vault,
//! transfers, readers, listeners, one to two processes; a storm of crashes, pauses, lost and late answers, torn
//! flushes, a muddled node and reorganizations, in some a log that is put back; then a calm in which everything must come
//! to its end; then the checker.
//!
//! `VAULTSTREAM_SIM_SEEDS=FROM..TO` chooses the seeds of the test `seeds_should_hold` (the everyday test takes 120),
//! `VAULTSTREAM_SIM_TRACE=SEED` replays one with everything it did.

pub mod acts;
pub mod bus;
pub mod chain;
pub mod check;
pub mod dice;
pub mod keys;
pub mod log;
pub mod marks;
pub mod node;
pub mod noted;
pub mod notes;
mod operators;
pub mod people;
pub mod plan;
mod process;
pub mod rewind;
pub mod run;
pub mod sched;
pub mod seal;
mod standing;
pub mod surroundings;
pub mod views;
pub mod weather;
pub mod world;

pub use plan::{Bug, Plan};
pub use run::{Outcome, run, run_plan};
