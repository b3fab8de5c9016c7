//! The newest checkpoint, for who names it: followed, because another process may seal.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{Clock, NoteList, Spawn};
use vaultstream_event_schemas::checkpoint::{Checkpoint, CheckpointRef};
use vaultstream_event_schemas::note::Note;

/// How often the list is asked, in milliseconds.
const LOOK_MS: u64 = 1_000;

/// A checkpoint with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its name.
    pub name: CheckpointRef,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// Where the newest checkpoint is seen. Cheap to clone.
#[derive(Debug, Clone)]
pub struct NewestCheckpoint(watch::Receiver<Option<Arc<Newest>>>);

impl NewestCheckpoint {
    /// None, and none to come: for tests and for processes that name none.
    pub fn none() -> Self {
        Self(watch::channel(None).1)
    }

    /// Follows a list until `stop`. What it shows was kept a second ago at the latest, unless the list does not answer.
    pub fn follow(
        checkpoints: Arc<dyn NoteList>,
        clock: Arc<dyn Clock>,
        spawn: &dyn Spawn,
        stop: &CancellationToken,
    ) -> Self {
        let (show, shown) = watch::channel(None);
        let stop = stop.clone();
        let task = async move {
            while !stop.is_cancelled() && !show.is_closed() {
                look(&*checkpoints, &show).await;
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = clock.sleep_ms(LOOK_MS) => {}
                }
            }
        };
        spawn.spawn("newest_checkpoint", Box::pin(task));
        Self(shown)
    }

    /// The newest there is.
    pub fn get(&self) -> Option<Arc<Newest>> {
        self.0.borrow().clone()
    }
}

async fn look(checkpoints: &dyn NoteList, show: &watch::Sender<Option<Arc<Newest>>>) {
    let kept = match checkpoints.newest().await {
        Ok(Some(kept)) => kept,
        Ok(None) => return,
        Err(error) => {
            tracing::debug!(error = %vaultstream_domain::error::Causes(&error), "the newest checkpoint is not known now");
            return;
        }
    };
    if show
        .borrow()
        .as_ref()
        .is_some_and(|newest| newest.name.number == kept.number)
    {
        return;
    }
    let newest = Note::parse(&kept.note).ok().and_then(|note| {
        Some(Newest {
            name: CheckpointRef {
                number: kept.number,
                hash: note.hash(),
            },
            checkpoint: note.text().parse().ok()?,
        })
    });
    if let Some(newest) = newest {
        show.send_replace(Some(Arc::new(newest)));
    }
}
