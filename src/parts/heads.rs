//! Where the chains stand, for everybody in a process: told by the lanes that run here, or read from the notes that
//! the lanes of another process keep.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::Progress;
use vaultstream_event_schemas::chain::ChainHead;
use vaultstream_event_schemas::{ChainId, Slug, Timestamp};
use vaultstream_query_api::services::{HeadSeen, Heads};
use vaultstream_workflows::LaneHandle;

use crate::assembly::Assembly;

/// How often the notes are read.
const POLL_MS: u64 = 500;

/// A head as a lane has written it down.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    head: ChainHead,
    seen_at: Timestamp,
}

fn name(slug: &Slug) -> String {
    format!("chain-head/{slug}")
}

/// The heads of a process; cheap to clone.
#[derive(Clone)]
pub struct HeadBoard(Arc<watch::Sender<Heads>>);

impl Default for HeadBoard {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Heads::default())))
    }
}

impl HeadBoard {
    /// The heads as they change.
    pub fn subscribe(&self) -> watch::Receiver<Heads> {
        self.0.subscribe()
    }

    /// Puts up a head. The time it was first seen stays while its tip stays.
    fn put(&self, chain: &ChainId, head: ChainHead, seen_at: Timestamp) -> HeadSeen {
        let mut put = HeadSeen { head, seen_at };
        self.0.send_modify(|heads| {
            if let Some(known) = heads.get(chain).filter(|known| known.head.tip == put.head.tip) {
                put.seen_at = known.seen_at;
            }
            heads.insert(chain.clone(), put.clone());
        });
        put
    }

    /// Follows a lane of this process until it ends, and writes its heads down for the others.
    pub async fn follow_lane(self, assembly: LaneNotes, lane: LaneHandle, stop: CancellationToken) {
        let mut head = lane.head();
        loop {
            let seen = head.borrow_and_update().clone();
            if let Some(head) = seen {
                let seen = self.put(&assembly.chain, head, assembly.clock.now());
                assembly.keep(&seen).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = head.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Reads the notes of other processes' lanes until `stop`.
    pub fn follow_notes(&self, assembly: &Assembly, stop: &CancellationToken) {
        for parts in &assembly.chains {
            let notes = LaneNotes::new(assembly, &parts.chain.settings.id, &parts.chain.settings.slug);
            let (board, stop) = (self.clone(), stop.clone());
            let follow = async move {
                while !stop.is_cancelled() {
                    if let Some(note) = notes.read().await {
                        let newer = |heads: &Heads| {
                            heads
                                .get(&notes.chain)
                                .is_none_or(|known| known.seen_at < note.seen_at)
                        };
                        if newer(&board.0.borrow()) {
                            board.put(&notes.chain, note.head, note.seen_at);
                        }
                    }
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = notes.clock.sleep_ms(POLL_MS) => {}
                    }
                }
            };
            assembly.spawn.spawn("chain_heads", Box::pin(follow));
        }
    }
}

/// Where the heads of a chain are written down.
#[derive(Clone)]
pub struct LaneNotes {
    progress: Arc<dyn Progress>,
    clock: Arc<dyn vaultstream_domain::ports::Clock>,
    chain: ChainId,
    slug: Slug,
}

impl LaneNotes {
    /// The notes of a chain.
    pub fn new(assembly: &Assembly, chain: &ChainId, slug: &Slug) -> Self {
        Self {
            progress: assembly.engines.progress.clone(),
            clock: assembly.clock.clone(),
            chain: chain.clone(),
            slug: slug.clone(),
        }
    }

    async fn keep(&self, seen: &HeadSeen) {
        let note = Note {
            head: seen.head.clone(),
            seen_at: seen.seen_at,
        };
        let kept = match serde_json::to_vec(&note) {
            Ok(bytes) => self
                .progress
                .save(&name(&self.slug), &bytes)
                .await
                .map_err(|error| Causes(&error).to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = kept {
            tracing::warn!(chain = %self.slug, error, "a head was not written down; other processes see it later");
        }
    }

    async fn read(&self) -> Option<Note> {
        match self.progress.load(&name(&self.slug)).await {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes)
                .inspect_err(
                    |error| tracing::warn!(chain = %self.slug, %error, "a noted head cannot be read"),
                )
                .ok(),
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(chain = %self.slug, error = %Causes(&error), "heads cannot be read now");
                None
            }
        }
    }
}
