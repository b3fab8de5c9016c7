//! Tasks on a Tokio runtime.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use tokio::runtime::Handle;
use vaultstream_domain::ports::Spawn;
use vaultstream_domain::ports::runtime::BoxFuture;

/// Starts tasks on one runtime, from any thread.
#[derive(Debug, Clone)]
pub struct TokioSpawn {
    runtime: Handle,
    panics: Arc<AtomicU64>,
}

impl TokioSpawn {
    /// Starts tasks on the given runtime.
    pub fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            panics: Arc::default(),
        }
    }

    /// How many tasks have ended in a panic.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }
}

impl Spawn for TokioSpawn {
    fn spawn(&self, name: &'static str, task: BoxFuture) {
        let panics = Arc::clone(&self.panics);
        self.runtime.spawn(async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                panics.fetch_add(1, Ordering::Relaxed);
                let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
                tracing::error!(
                    task = name,
                    panic = said.as_deref().unwrap_or("no message"),
                    "a task panicked"
                );
            }
        });
    }
}
