//! The long-running parts of a process, by role. Each runs on the ports of the assembly and knows no engine.

pub mod doors;
pub mod heads;
pub mod marks;
pub mod projectors;
pub mod relay;
pub mod sealer;
pub mod watchers;
pub mod workflows;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::Spawn;

use crate::assembly::Assembly;
use crate::held::Holder;

/// Tasks that run as one piece of work: it has ended when all of them have.
pub struct Group {
    spawn: Arc<dyn Spawn>,
    alive: mpsc::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl Group {
    /// No task yet.
    pub fn new(spawn: &Arc<dyn Spawn>) -> Self {
        let (alive, ended) = mpsc::channel(1);
        Self {
            spawn: spawn.clone(),
            alive,
            ended,
        }
    }

    /// Starts a task.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let alive = self.alive.clone();
        let task = async move {
            task.await;
            drop(alive);
        };
        self.spawn.spawn(name, Box::pin(task));
    }

    /// Returns when every task has ended.
    pub async fn ended(mut self) {
        drop(self.alive);
        while self.ended.recv().await.is_some() {}
    }
}

/// Work of one lease, boxed so that parts can be written as plain functions.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps `work` running under a lease.
pub fn under_lease(
    assembly: &Assembly,
    lease: String,
    stop: &CancellationToken,
    work: impl Fn(CancellationToken) -> Work + Send + Sync + 'static,
) {
    let holder = Holder {
        leases: assembly.leases.clone(),
        clock: assembly.clock.clone(),
        name: assembly.holder.clone(),
    };
    let held = holder.hold(lease, stop.clone(), work);
    assembly
        .spawn
        .spawn("lease", Box::pin(assembly.tasks.track_future(held)));
}
