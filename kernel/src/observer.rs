//! What the kernel tells about itself: typed facts, logged and counted by whoever observes.
//!
//! An observer is called on the hot path and must not block. Facts carry no personal data and no payloads.

use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_event_schemas::{ErrorCode, ShardNumber, StreamId};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Events are durable.
    Committed,
    /// It had already had its effect.
    Unchanged,
    /// It was refused or failed with this code.
    Failed(ErrorCode),
}

/// Something that happened in the kernel. Durations are in microseconds.
#[derive(Debug)]
pub enum Fact<'a> {
    /// A command was answered.
    Executed {
        /// Its use case.
        use_case: &'static str,
        /// How it ended.
        ended: Ended,
        /// From its arrival in the queue to its answer.
        micros: u64,
    },
    /// A batch became durable.
    Appended {
        /// Commands in it.
        commands: usize,
        /// Bytes of events in it.
        bytes: usize,
        /// From sending to the answer.
        micros: u64,
    },
    /// The queue was full, and so was the line before it, or it did not move in time.
    Overloaded {
        /// The use case that was turned away.
        use_case: &'static str,
    },
    /// A decision met a newer version and is made again.
    Conflicted {
        /// Its use case.
        use_case: &'static str,
        /// The stream that moved.
        stream: StreamId,
        /// How many times it was decided so far.
        attempt: u32,
    },
    /// A batch is sent again because the log's answer was unclear.
    AppendRepeated {
        /// Which try failed.
        attempt: u32,
        /// What the log said.
        error: &'a LogError,
    },
    /// A use case or a fold panicked; its command was answered as failed.
    Panicked {
        /// Its use case.
        use_case: &'static str,
    },
    /// A snapshot could not be kept; loading goes on without it.
    SnapshotLost {
        /// The stream.
        stream: StreamId,
        /// Why.
        error: &'a (dyn std::error::Error + Send + Sync),
    },
    /// The relay has a batch acknowledged by the bus.
    Published {
        /// The shard.
        shard: ShardNumber,
        /// Events in it.
        events: usize,
        /// From handing over to the acknowledgement.
        micros: u64,
    },
    /// A follower filled a hole of the bus from the log.
    Refilled {
        /// The shard.
        shard: ShardNumber,
        /// The first position that was missing.
        from: u64,
        /// How many events were read from the log.
        events: usize,
    },
    /// A follower got records from the bus.
    Fetched {
        /// Records that were the next ones.
        taken: usize,
        /// Records that it had already.
        duplicate: usize,
    },
    /// An append told the time of the log's engine.
    Clock {
        /// How far it is ahead of this process's clock; negative when it is behind.
        ahead_us: i64,
    },
    /// A consumer stands at a position: at its start, and after each batch it has taken.
    Consumed {
        /// Who.
        consumer: &'a str,
        /// The shard.
        shard: ShardNumber,
        /// The position; none when it was told to stop.
        position: Option<u64>,
    },
    /// This process asked for a lease, renewed it or gave it back.
    Leased {
        /// The lease.
        lease: &'a str,
        /// Whether it holds the lease now.
        is_held: bool,
    },
    /// A checkpoint was signed and kept.
    Sealed {
        /// Its number.
        number: u64,
        /// Events it seals that the one before did not.
        events: u64,
        /// From the look for them to its being kept.
        micros: u64,
    },
    /// Nothing is sealed: the log, or the list of checkpoints, contradicts what was signed.
    SealRefused {
        /// Who found it: the sealer, or the reading of old events.
        by: &'static str,
        /// The shard; 0 when it is no shard's matter.
        shard: ShardNumber,
        /// The position.
        position: u64,
        /// What contradicts what, and what to do.
        why: &'a str,
    },
    /// Who would refuse has looked and found nothing that contradicts.
    SealStands {
        /// The sealer, or the reading of old events.
        by: &'static str,
    },
    /// A mark was kept.
    Marked {
        /// Its number.
        number: u64,
        /// Binds that it covers.
        binds: usize,
        /// From the first bind that waited to its being kept.
        micros: u64,
    },
    /// A mark could not be kept, so nothing is signed now.
    MarkUnwritten {
        /// Why.
        why: &'a str,
    },
    /// Mark or log could not be read, so nothing is signed now.
    MarkUnread {
        /// Why.
        why: &'a str,
    },
    /// A log that had binds and no mark has its first one.
    MarksBegun,
    /// A log is behind its mark, or is not any more.
    Rewound {
        /// What it does not hold; none when it holds its mark.
        why: Option<&'a str>,
    },
    /// A follower or a consumer cannot go on and tries again.
    Stalled {
        /// Who.
        consumer: &'a str,
        /// The shard.
        shard: ShardNumber,
        /// The position it stands at.
        position: u64,
        /// Why.
        error: &'a (dyn std::error::Error + Send + Sync),
    },
}

/// Takes facts. Must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, fact: &Fact<'_>);
}

/// Writes facts to `tracing` and counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

impl Observer for TracingObserver {
    fn observe(&self, fact: &Fact<'_>) {
        match fact {
            Fact::Executed {
                use_case,
                ended,
                micros,
            } => {
                tracing::debug!(use_case, ?ended, micros, "command answered");
            }
            Fact::Appended {
                commands,
                bytes,
                micros,
            } => {
                tracing::trace!(commands, bytes, micros, "batch appended");
            }
            Fact::Overloaded { use_case } => {
                tracing::warn!(use_case, "no room in the executor's queue in time");
            }
            Fact::Conflicted {
                use_case,
                stream,
                attempt,
            } => {
                tracing::debug!(use_case, %stream, attempt, "decided again after a conflict");
            }
            Fact::AppendRepeated { attempt, error } => {
                tracing::warn!(attempt, error = %Causes(*error), "the batch is sent again");
            }
            Fact::Panicked { use_case } => tracing::error!(use_case, "a use case panicked"),
            Fact::SnapshotLost { stream, error } => {
                tracing::warn!(%stream, error = %Causes(*error), "a snapshot could not be kept");
            }
            Fact::Published {
                shard,
                events,
                micros,
            } => {
                tracing::trace!(%shard, events, micros, "batch published");
            }
            Fact::Refilled { shard, from, events } => {
                tracing::info!(%shard, from, events, "a hole of the bus was filled from the log");
            }
            Fact::Sealed {
                number,
                events,
                micros,
            } => {
                tracing::debug!(number, events, micros, "checkpoint sealed");
            }
            Fact::SealRefused {
                by,
                shard,
                position,
                why,
            } => {
                tracing::error!(by, %shard, position, why, "nothing is sealed");
            }
            Fact::SealStands { by } => tracing::debug!(by, "the log is the one that was sealed"),
            Fact::Marked {
                number,
                binds,
                micros,
            } => tracing::trace!(number, binds, micros, "marked"),
            Fact::MarkUnwritten { why } => {
                tracing::error!(
                    why,
                    "no mark can be kept, so nothing is signed; it is tried again"
                );
            }
            Fact::MarkUnread { why } => {
                tracing::error!(
                    why,
                    "mark or log cannot be read, so nothing is signed; they are looked at again"
                );
            }
            Fact::MarksBegun => {
                tracing::warn!("slot values were bound before there was a mark; marks begin now");
            }
            Fact::Rewound { why: Some(why) } => tracing::error!(
                why,
                "the log is behind its mark: quarantine, nothing is signed or sent; see `vaultstream reconcile`"
            ),
            Fact::Rewound { why: None } => tracing::info!("the log holds its mark"),
            // Too many to be told one by one.
            Fact::Fetched { .. } | Fact::Clock { .. } | Fact::Consumed { .. } | Fact::Leased { .. } => {}
            Fact::Stalled {
                consumer,
                shard,
                position,
                error,
            } => {
                tracing::warn!(consumer, %shard, position, error = %Causes(*error), "stalled; trying again");
            }
        }
    }
}
