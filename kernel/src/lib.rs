//! What runs on the ports: the executor that turns commands into events, the tailer that follows them, and the relay
//! that carries them to the bus. Leases are shared out fairly among the processes that ask for them.
//!
//! Invariants: time, tasks and storage come through ports, so a simulator drives this code unchanged; every queue has
//! a bound; nothing is answered as done that is not durable. Refuses: nothing by itself; the domain and the log do.

pub mod archive;
pub mod audit;
pub mod backup;
pub mod consumer;
pub mod executor;
pub mod fair_leases;
mod line;
pub mod load;
pub mod log_bus;
pub mod mark;
pub mod observer;
#[cfg(feature = "planted")]
pub mod planted;
pub mod relay;
pub mod sealer;
pub mod tailer;
pub mod trace;
pub mod waiting;
pub mod writable;

pub use consumer::{Consumer, ConsumerError};
pub use executor::{Committed, EventPlace, ExecuteError, Executor, Options, Ports};
pub use fair_leases::FairLeases;
pub use line::Line;
pub use load::{LoadError, Loaded, load_state, load_state_as_of};
pub use log_bus::LogBus;
pub use mark::{MarkStanding, Marking};
pub use observer::{Fact, Observer, TracingObserver};
pub use relay::{Relay, RelayOptions, RelayPorts, Relaying};
pub use sealer::{NewestCheckpoint, Sealer, SealerOptions, SealerPorts};
pub use tailer::{Batch, Follower, Mark, TailError, Tailer};
pub use waiting::Waiting;
pub use writable::Writable;
