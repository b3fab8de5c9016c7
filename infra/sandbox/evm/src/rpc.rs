//! JSON-RPC 2.0: the envelope, and the methods of the public and of the control port.

pub(crate) mod control;
mod envelope;
mod eth;
mod failure;
mod params;
mod render;

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::sync::Notify;

pub use self::failure::RpcError;
pub(crate) use self::{control::Control, envelope::answer, eth::Eth, failure::Failure};
use crate::{chain::Chain, faults::Faults};

/// What both ports share.
pub(crate) struct Node {
    chain: Mutex<Chain>,
    pub(crate) faults: Arc<Faults>,
    /// Told when the pace of blocks may have changed.
    pub(crate) pace: Notify,
    clock: fn() -> u64,
}

/// A set of methods; called on a blocking thread.
pub(crate) trait Methods: Send + Sync + 'static {
    fn call(&self, method: &str, params: &[Value]) -> Result<Value, Failure>;
}

impl Node {
    pub(crate) fn new(chain: Chain, faults: Arc<Faults>, clock: fn() -> u64) -> Self {
        Self {
            chain: Mutex::new(chain),
            faults,
            pace: Notify::new(),
            clock,
        }
    }

    /// Seconds since the epoch.
    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// The chain, unless a panic left it in doubt: then only a restart, which reads it from disk, helps.
    pub(crate) fn chain(&self) -> Result<MutexGuard<'_, Chain>, RpcError> {
        self.chain
            .lock()
            .map_err(|_| RpcError::internal("the sandbox failed while changing the chain; restart it"))
    }
}
