//! Old events, read again: a log that was rewritten far behind its end is noticed, too, though later.
//!
//! One page, then a pause, so that nobody feels it; every shard once a day and after a start. What it finds is said like
//! what the sealer itself finds, and nothing is signed until a later reading finds the log as it was sealed.

use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;
use vaultstream_event_schemas::checkpoint::ShardRoot;

use super::tree::Tree;
use super::{RECHECK, Sealer, SealerError};
use crate::observer::Fact;

/// The longest time until the next reading after one that found something or failed, in milliseconds.
const AGAIN_MS: u64 = 600_000;

impl Sealer {
    /// Reads all sealed events again and again until `stop`.
    pub async fn recheck(&self, stop: &CancellationToken) {
        let work = async {
            loop {
                let pause_ms = match self.recheck_once().await {
                    Ok(()) => {
                        self.is_rewritten.store(false, Ordering::Release);
                        self.ports.observer.observe(&Fact::SealStands { by: RECHECK });
                        self.options.recheck_every_ms
                    }
                    Err(error) => {
                        if matches!(error, SealerError::Contradiction { .. }) {
                            self.is_rewritten.store(true, Ordering::Release);
                        }
                        self.say(RECHECK, &error);
                        self.options.recheck_every_ms.min(AGAIN_MS)
                    }
                };
                self.ports.clock.sleep_ms(pause_ms.max(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// Reads all events that the newest checkpoint covers, and compares.
    pub async fn recheck_once(&self) -> Result<(), SealerError> {
        let Some((newest, checkpoint)) = self.newest_checkpoint().await? else {
            return Ok(());
        };
        for sealed in &checkpoint.shards {
            self.recheck_shard(newest.number, sealed).await?;
        }
        Ok(())
    }

    async fn recheck_shard(&self, checkpoint: u64, sealed: &ShardRoot) -> Result<(), SealerError> {
        let mut tree = Tree::empty(sealed.shard, sealed.incarnation);
        let contradiction = |position, what| SealerError::Contradiction {
            checkpoint,
            shard: sealed.shard,
            position,
            what,
        };
        let step = self.options.page.max(1) as u64;
        while tree.size() < sealed.size {
            let upto = sealed.size.min(tree.size() + step);
            if !self.grow(&mut tree, upto).await? {
                let heads = self.ports.log.heads().await?;
                if heads
                    .get(&sealed.shard)
                    .is_some_and(|head| head.incarnation > sealed.incarnation)
                {
                    // Restored under way: the next checkpoint declares it.
                    return Ok(());
                }
                return Err(contradiction(tree.size() + 1, "an event is missing there"));
            }
            self.ports.clock.sleep_ms(self.options.recheck_pause_ms).await;
        }
        if tree.root().root == sealed.root {
            return Ok(());
        }
        let heads = self.ports.log.heads().await?;
        if heads
            .get(&sealed.shard)
            .is_some_and(|head| head.incarnation > sealed.incarnation)
        {
            return Ok(());
        }
        Err(contradiction(
            sealed.size,
            "the events up to there are not those that were sealed",
        ))
    }
}
