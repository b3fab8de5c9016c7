//! Keeps snapshots of long streams, off the path of commands. What does not fit in its queue is not kept: the next one
//! will be.

use std::sync::Arc;

use tokio::sync::mpsc;
use vaultstream_domain::State;
use vaultstream_event_schemas::StreamId;
use vaultstream_event_schemas::envelope::Hash;

use super::Ports;
use crate::load::snapshot;
use crate::observer::Fact;

const QUEUE: usize = 64;

/// A durable state that is worth keeping.
#[derive(Debug)]
pub(super) struct Milestone {
    pub(super) stream: StreamId,
    pub(super) version: u64,
    pub(super) hash: Hash,
    pub(super) state: Arc<State>,
}

/// Starts the keeper; it ends with the executor.
pub(super) fn start(ports: &Ports) -> mpsc::Sender<Milestone> {
    let (sender, mut milestones) = mpsc::channel::<Milestone>(QUEUE);
    let (log, observer) = (Arc::clone(&ports.log), Arc::clone(&ports.observer));
    ports.spawn.spawn(
        "snapshots",
        Box::pin(async move {
            while let Some(Milestone {
                stream,
                version,
                hash,
                state,
            }) = milestones.recv().await
            {
                let saved = match snapshot(&state, version, hash) {
                    Ok(snapshot) => {
                        let fold_version = State::fold_version(stream.kind);
                        log.save_snapshot(stream, fold_version, snapshot)
                            .await
                            .map_err(Into::into)
                    }
                    Err(error) => Err(Box::<dyn std::error::Error + Send + Sync>::from(error)),
                };
                if let Err(error) = saved {
                    observer.observe(&Fact::SnapshotLost {
                        stream,
                        error: &*error,
                    });
                }
            }
        }),
    );
    sender
}
