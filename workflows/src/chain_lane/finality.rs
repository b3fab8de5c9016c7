//! What a breach of finality undoes. It is found in the log, so a restart between conclusion and breach forgets nothing.
//!
//! An execution is concluded after a lane has followed the chain to its block. So the lane notes, once in as many blocks
//! as its ring remembers, where the log stands: everything concluded in a block that can still be detached lies behind
//! the oldest of three such places. A breach is noted before the ring that shows it is kept, and stays noted until
//! everything that rested on it is marked reversed.

use serde::{Deserialize, Serialize};
use vaultstream_chain_evm::head_ring::{CAPACITY, HeadUpdate};
use vaultstream_domain::Event;
use vaultstream_domain::error::Causes;
use vaultstream_domain::execution::{ExecutionEvent, ReverseExecution};
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::execution::v1;
use vaultstream_event_schemas::{ExecutionId, Family, ShardNumber};

use super::{ChainLane, job_of};
use crate::reactor::ReactError;
use crate::services::CommandError;

/// Places kept: the oldest is at least two rings below the newest, or as old as the notes.
const PLACES: usize = 3;
/// Events read at a time.
const PAGE: usize = 1_000;

/// Where the log stood when the chain had come to a height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    height: u64,
    /// Of each shard of the chain's family, in order.
    positions: Vec<u64>,
}

/// What is noted about finality.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Finality {
    /// Oldest first.
    places: Vec<Place>,
    /// The lowest block that left the chain in a breach whose reversals are not all said yet.
    breached_from: Option<u64>,
}

/// What is known of it, and what of that is durable.
#[derive(Debug, Default)]
pub(super) struct Noted {
    now: Finality,
    kept: Finality,
}

impl Finality {
    fn is_place_due(&self, height: u64) -> bool {
        let every = u64::try_from(CAPACITY).unwrap_or(u64::MAX);
        let next = self.places.last().map(|place| place.height.saturating_add(every));
        next.is_none_or(|next| height >= next)
    }

    fn stand(&mut self, place: Place) {
        self.places.push(place);
        let excess = self.places.len().saturating_sub(PLACES);
        self.places.drain(..excess);
    }

    fn breach(&mut self, update: &HeadUpdate) {
        let lowest = update.detached.iter().map(|block| block.at.height).min();
        self.breached_from = self.breached_from.into_iter().chain(lowest).min();
    }
}

impl ChainLane {
    fn finality_note(&self) -> String {
        format!("finality/{}", self.chain.settings.slug)
    }

    pub(super) async fn recall_finality(&mut self) {
        let read = self.services.progress.load(&self.finality_note()).await;
        let why = match read.map(|note| note.map(|bytes| serde_json::from_slice::<Finality>(&bytes))) {
            Ok(Some(Ok(finality))) => {
                self.finality.now = finality;
                self.finality.kept = self.finality.now.clone();
                return;
            }
            Ok(None) => return,
            Ok(Some(Err(error))) => error.to_string(),
            Err(error) => Causes(&error).to_string(),
        };
        tracing::warn!(chain = %self.chain.settings.slug, %why, "the note of finality is not readable; a breach is known from now on");
    }

    fn shards(&self) -> Vec<ShardNumber> {
        let family = Family::Chain(self.chain.settings.slug.clone());
        self.services.log.registry().shards_of(&family).collect()
    }

    /// Notes a breach, and a place when one is due. Answers whether all of it is durable.
    pub(super) async fn keep_finality(&mut self, update: &HeadUpdate) -> bool {
        if let Some(breach) = &update.breach {
            tracing::error!(chain = %self.chain.settings.slug, block = breach.finalized.height, "finality was breached: a final block is no longer in the chain");
            self.finality.now.breach(update);
        }
        let height = update.head.tip.at.height;
        if self.finality.now.is_place_due(height) {
            match self.services.log.heads().await {
                Ok(heads) => {
                    let position = |shard: &ShardNumber| heads.get(shard).map_or(0, |head| head.position);
                    let positions = self.shards().iter().map(position).collect();
                    self.finality.now.stand(Place { height, positions });
                }
                Err(error) => {
                    tracing::warn!(chain = %self.chain.settings.slug, error = %Causes(&error), "the log's place is not noted now; trying again at the next block");
                }
            }
        }
        self.save_finality().await
    }

    async fn save_finality(&mut self) -> bool {
        if self.finality.now == self.finality.kept {
            return true;
        }
        let bytes = serde_json::to_vec(&self.finality.now).expect("plain data");
        let saved = self.services.progress.save(&self.finality_note(), &bytes).await;
        match saved {
            Ok(()) => {
                self.finality.kept = self.finality.now.clone();
                true
            }
            Err(error) => {
                tracing::warn!(chain = %self.chain.settings.slug, error = %Causes(&error), "the note of finality is not kept now; trying again at the next block");
                false
            }
        }
    }

    /// Marks what rested on detached final blocks; what cannot be said now is tried again at the next block.
    pub(super) async fn undo_breached(&mut self) {
        let Some(lowest) = self.finality.now.breached_from else {
            return;
        };
        match self.undo_from(lowest).await {
            Ok(executions) => {
                tracing::error!(chain = %self.chain.settings.slug, executions, "everything that rested on detached final blocks is marked reversed");
                self.finality.now.breached_from = None;
                self.save_finality().await;
            }
            Err(error) => {
                tracing::warn!(chain = %self.chain.settings.slug, error = %Causes(&error), "not every reversal is said yet; trying again at the next block");
            }
        }
    }

    async fn undo_from(&self, lowest: u64) -> Result<usize, ReactError> {
        let oldest = self.finality.now.places.first();
        let mut undone = 0;
        for (index, shard) in self.shards().into_iter().enumerate() {
            let position = oldest.and_then(|place| place.positions.get(index));
            let mut after = position.copied().unwrap_or(0);
            loop {
                let page = self.services.log.read_shard(shard, after, PAGE).await;
                let page = page.map_err(ReactError::service)?;
                let Some(last) = page.last() else { break };
                after = last.position;
                let concluded = page
                    .iter()
                    .filter(|stored| stored.envelope.event_type == "execution.finalized");
                for stored in concluded {
                    undone += usize::from(self.undo(stored, lowest).await?);
                }
            }
        }
        Ok(undone)
    }

    /// Reverses one conclusion if its block is not in the chain any more. Answers whether it is not.
    async fn undo(&self, stored: &StoredEvent, lowest: u64) -> Result<bool, ReactError> {
        let envelope = &stored.envelope;
        for event in Event::read(stored).map_err(ReactError::service)? {
            let Event::Execution(ExecutionEvent::Finalized(v1::Finalized { block, txid, .. })) = event else {
                continue;
            };
            if block.height < lowest || !self.is_gone(&block).await? {
                continue;
            }
            let execution = ExecutionId::try_from(envelope.stream).map_err(ReactError::service)?;
            let trace = envelope.trace.clone();
            let job = job_of(&self.services, execution, envelope.organization, trace).await?;
            let job = job.ok_or_else(|| ReactError::service(format!("{execution} was never queued")))?;
            let reverse = ReverseExecution {
                scope: job.scope,
                transfers: job.transfers.clone(),
                reversed: v1::Reversed { block, txid },
            };
            match self.run_command(reverse, &job).await {
                Ok(()) => return Ok(true),
                Err(CommandError::Refused(why)) => {
                    tracing::error!(%execution, %why, "a reversal was refused; a person should look");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Whether a block is not in the followed chain.
    async fn is_gone(&self, block: &BlockRef) -> Result<bool, ReactError> {
        if let Some(followed) = self.ring.at(block.height) {
            return Ok(followed != *block);
        }
        if self.ring.tip().is_none_or(|tip| block.height > tip.height) {
            return Ok(true);
        }
        let asked = self.chain.node.block_at(block.height).await;
        let canonical = asked.map_err(ReactError::service)?;
        Ok(canonical.is_none_or(|canonical| canonical.at != *block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(height: u64) -> Place {
        let positions = vec![height * 2];
        Place { height, positions }
    }

    #[test]
    fn oldest_place_should_lie_below_everything_a_ring_can_lose() {
        let (mut finality, ring) = (Finality::default(), u64::try_from(CAPACITY).expect("small"));
        for height in (5..10 * ring).step_by(7) {
            if finality.is_place_due(height) {
                finality.stand(place(height));
            }
            let oldest = &finality.places[0];
            assert!(
                oldest.height == 5 || oldest.height + ring <= height,
                "{oldest:?} at {height}"
            );
            assert!(finality.places.len() <= PLACES);
        }
        assert!(finality.places[0].height > 5 * ring, "old places are let go");
    }

    #[test]
    fn note_should_fit_for_the_largest_family() {
        let mut finality = Finality::default();
        for _ in 0..PLACES {
            finality.stand(Place {
                height: u64::MAX,
                positions: vec![10_u64.pow(15); 1_024],
            });
        }
        assert!(serde_json::to_vec(&finality).expect("plain data").len() < 64 << 10);
    }
}
