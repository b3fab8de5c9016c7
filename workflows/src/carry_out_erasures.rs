//! Carries out what the log says was erased: destroys the keys of the subjects it names.
//!
//! Whoever orders an erasure destroys the key before it answers; this finishes what a crash cut off in between, and does it
//! again when old keys were put back: the mark is kept by the keyring itself, so that it goes back with the keys. Keys die
//! once; whatever is repeated changes nothing. Only what the events name is touched.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::{Clock, Keyring};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{ShardNumber, organization, payload::Payload, transfer};
use vaultstream_kernel::consumer::RunError;
use vaultstream_kernel::{Batch, Consumer, ConsumerError, Mark, TailError, Tailer};

/// Events without an erasure after which the mark is kept all the same: more are read again after a restart.
const UNKEPT: u64 = 5_000;
/// Pause before a shard whose history has changed is begun again.
const PAUSE_MS: u64 = 250;

/// Follows one shard.
pub struct CarryOutErasures {
    keyring: Arc<dyn Keyring>,
    clock: Arc<dyn Clock>,
    tailer: Tailer,
    shard: ShardNumber,
    id: String,
    /// Where the keyring says it is; unknown before it was asked, and `Some(None)` for the beginning.
    kept: Option<Option<Place>>,
    /// Everything up to here is carried out.
    reached: Option<Place>,
}

impl CarryOutErasures {
    /// Of a shard, into a keyring.
    pub fn new(keyring: Arc<dyn Keyring>, clock: Arc<dyn Clock>, tailer: Tailer, shard: ShardNumber) -> Self {
        Self {
            keyring,
            clock,
            tailer,
            shard,
            id: format!("carry_out_erasures/{shard}"),
            kept: None,
            reached: None,
        }
    }

    /// Follows the shard until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let (tailer, shard) = (self.tailer.clone(), self.shard);
        while !stop.is_cancelled() {
            match tailer.run(&mut self, shard, &stop).await {
                Ok(()) => break,
                Err(RunError::Tail(error @ (TailError::Incarnation { .. } | TailError::History { .. }))) => {
                    tracing::warn!(consumer = self.id, error = %Causes(&error), "the shard is not the followed one any more; its erasures are carried out from its beginning");
                    (self.kept, self.reached) = (Some(None), None);
                }
                Err(error) => {
                    tracing::error!(consumer = self.id, error = %Causes(&error), "erasures are not carried out any more; a person should look");
                    return;
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.clock.sleep_ms(PAUSE_MS) => {}
            }
        }
        if let Err(error) = self.keep().await {
            tracing::warn!(consumer = self.id, error = %Causes(&error), "mark not kept; a restart looks again");
        }
    }

    async fn keep(&mut self) -> Result<(), ConsumerError> {
        let Some(reached) = self.reached.filter(|at| self.kept != Some(Some(*at))) else {
            return Ok(());
        };
        self.keyring
            .note_carried_out(self.shard, reached)
            .await
            .map_err(retry)?;
        self.kept = Some(Some(reached));
        Ok(())
    }
}

fn retry(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ConsumerError {
    ConsumerError::Retry(error.into())
}

/// Whether an event orders a key to be destroyed: that of the stream it stands in.
fn is_erasure(event_type: &str) -> bool {
    event_type == transfer::v1::MemoErased::TYPE || event_type == organization::v1::ContactErased::TYPE
}

#[async_trait]
impl Consumer for CarryOutErasures {
    fn id(&self) -> &str {
        &self.id
    }

    async fn mark(&mut self, shard: ShardNumber) -> Result<Option<Mark>, ConsumerError> {
        let kept = match self.kept {
            Some(kept) => kept,
            None => self.keyring.carried_out(shard).await.map_err(retry)?,
        };
        self.kept = Some(kept);
        self.reached = kept;
        Ok(kept.map(|place| Mark::at(shard, place)))
    }

    async fn apply(&mut self, batch: &Batch) -> Result<(), ConsumerError> {
        let mut has_erased = false;
        let erasures = batch.events.iter().map(|event| &event.envelope);
        for envelope in erasures.filter(|envelope| is_erasure(&envelope.event_type)) {
            let subject = envelope.stream.to_string();
            if !self.keyring.is_erased(&subject).await.map_err(retry)? {
                self.keyring.erase(&subject).await.map_err(retry)?;
                tracing::info!(subject, event = %envelope.event_ref(), "an erasure in the log was carried out");
            }
            has_erased = true;
        }
        self.reached = Some(batch.mark.place());
        let kept = self.kept.flatten().map_or(0, |place| place.position);
        if has_erased || batch.mark.position.saturating_sub(kept) >= UNKEPT {
            self.keep().await?;
        }
        Ok(())
    }

    async fn idle(&mut self) -> Result<(), ConsumerError> {
        Ok(())
    }
}
