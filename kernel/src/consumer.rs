//! What follows a shard and does something with it, and the loop that keeps it going.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vaultstream_event_schemas::ShardNumber;

use crate::observer::Fact;
use crate::tailer::{Batch, Mark, TailError, Tailer};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a consumer did not take a batch.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The same batch may be given again after a pause.
    #[error("the batch could not be applied yet")]
    Retry(#[source] Source),
    /// It must not go on.
    #[error("the consumer has to stop")]
    Stop(#[source] Source),
}

/// Why a consumer was stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its history is not the log's any more: it has to be rebuilt.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// It asked for it.
    #[error(transparent)]
    Consumer(ConsumerError),
}

/// Something that consumes a shard in order.
///
/// Contract. `apply` gets batches in order of position, without holes. A batch may come again, whole or in part, after
/// an error or a restart: what was applied is recognised by its position and skipped. What `mark` answers is durable:
/// a consumer that keeps its effects and its mark together has its effects exactly once.
#[async_trait]
pub trait Consumer: Send {
    /// Its stable name.
    fn id(&self) -> &str;
    /// Where it has come to in a shard; `None` to start at the beginning.
    async fn mark(&mut self, shard: ShardNumber) -> Result<Option<Mark>, ConsumerError>;
    /// Takes the next events.
    async fn apply(&mut self, batch: &Batch) -> Result<(), ConsumerError>;
    /// Nothing came for up to a second: a time to flush what it holds back.
    async fn idle(&mut self) -> Result<(), ConsumerError> {
        Ok(())
    }
}

impl Tailer {
    /// Feeds a consumer from its mark on until `shutdown`, pausing and repeating where that helps.
    pub async fn run(
        &self,
        consumer: &mut dyn Consumer,
        shard: ShardNumber,
        shutdown: &CancellationToken,
    ) -> Result<(), RunError> {
        let ended = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            result = self.feed(consumer, shard, shutdown) => result,
        };
        // One that failed stands where it stood.
        if ended.is_ok() {
            self.consumed(consumer, shard, None);
        }
        ended
    }

    async fn feed(
        &self,
        consumer: &mut dyn Consumer,
        shard: ShardNumber,
        shutdown: &CancellationToken,
    ) -> Result<(), RunError> {
        let mark = loop {
            match consumer.mark(shard).await {
                Ok(mark) => break mark,
                Err(error) => self.pause(consumer.id(), &Mark::start(shard), error).await?,
            }
        };
        let mut follower = match mark {
            Some(mark) => self.follow(mark).await?,
            None => self.follow_from_start(shard).await?,
        };
        self.consumed(consumer, shard, Some(follower.mark().position));
        while !shutdown.is_cancelled() {
            let batch = follower.next().await?;
            loop {
                let done = match &batch {
                    Some(batch) => consumer.apply(batch).await,
                    None => consumer.idle().await,
                };
                match done {
                    Ok(()) => {
                        self.consumed(consumer, shard, Some(follower.mark().position));
                        break;
                    }
                    Err(error) => self.pause(consumer.id(), follower.mark(), error).await?,
                }
            }
        }
        Ok(())
    }

    fn consumed(&self, consumer: &dyn Consumer, shard: ShardNumber, position: Option<u64>) {
        self.observer().observe(&Fact::Consumed {
            consumer: consumer.id(),
            shard,
            position,
        });
    }

    async fn pause(&self, consumer: &str, mark: &Mark, error: ConsumerError) -> Result<(), RunError> {
        match error {
            ConsumerError::Retry(source) => {
                let (shard, position) = (mark.shard, mark.position);
                let error = &*source;
                self.observer().observe(&Fact::Stalled {
                    consumer,
                    shard,
                    position,
                    error,
                });
                self.clock().sleep_ms(self.options().pause_ms).await;
                Ok(())
            }
            stop @ ConsumerError::Stop(_) => Err(RunError::Consumer(stop)),
        }
    }
}
