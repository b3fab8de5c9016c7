//! The event log: the only authority on what happened.
//!
//! Contract. Positions of a shard are dense from 1 and in commit order: a reader that sees position *n* can read every
//! position below it, now and ever after. An append is durable before it is answered. The commands of one batch are
//! independent: one conflict never fails a neighbour; the streams of one command stand or fall together. Sending the
//! same command again after an ambiguous answer gives its first outcome, because a stream whose head hash already is
//! the command's last hash counts as committed. Nothing is ever changed or removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_event_schemas::clock::{Hlc, Timestamp};
use vaultstream_event_schemas::envelope::{Hash, HashedEvent, StoredEvent};
use vaultstream_event_schemas::{Registry, ShardNumber, StreamId};

/// The most commands one batch may carry.
pub const MAX_BATCH_COMMANDS: usize = 1024;
/// The most events one read returns.
pub const MAX_READ: usize = 10_000;

/// What one command wants to do to one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamId,
    /// Its version (sequence of its last event) the decision rested on; 0 for a stream that must not exist.
    pub expected: u64,
    /// What to append; empty makes this a pure precondition.
    pub events: Vec<HashedEvent>,
}

/// All that one command wants, in one shard, atomically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendCommand {
    /// The shard of all its streams.
    pub shard: ShardNumber,
    /// Its streams, each at most once.
    pub streams: Vec<StreamAppend>,
}

/// What became of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Durable. Positions are those of its events in order; hlc advances with each event.
    Committed {
        /// Position of its first event; of the shard's head when it had none.
        first: u64,
        /// Position of its last event.
        last: u64,
        /// The shard's clock at each of its events, in order.
        hlcs: Vec<Hlc>,
    },
    /// A stream was not at its expected version; nothing of this command was written.
    Conflict {
        /// Which stream.
        stream: StreamId,
        /// The version it is at.
        actual: u64,
    },
    /// The shard's clock is more than a minute ahead; nothing was written.
    ClockAhead,
}

/// Where a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which life of the shard.
    pub incarnation: u32,
    /// Position of the last event, 0 when there is none.
    pub position: u64,
    /// The clock at the last event.
    pub hlc: Hlc,
}

/// What the tree of a shard needs of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Its position.
    pub position: u64,
    /// The shard's clock at it.
    pub hlc: Hlc,
    /// Which life of the shard it was written in.
    pub incarnation: u32,
    /// Its hash.
    pub hash: Hash,
}

impl From<&StoredEvent> for Leaf {
    fn from(event: &StoredEvent) -> Self {
        Self {
            position: event.position,
            hlc: event.hlc,
            incarnation: event.envelope.incarnation,
            hash: event.hash,
        }
    }
}

/// A cached fold of a stream. A cache only: it is checked against the log's tail and may vanish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The sequence the fold ends at.
    pub sequence: u64,
    /// The stream's hash at that sequence.
    pub hash: Hash,
    /// The folded state, in the folder's own form.
    pub state: Vec<u8>,
}

/// Why the log could not answer. An append that fails so may or may not be durable: send it again.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The engine failed or is out of reach.
    #[error("the event log cannot {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The command names a shard or a stream the registry does not place there, or a stream twice.
    #[error("the append is malformed: {0}")]
    Malformed(String),
    /// The events were made for another life of the shard.
    #[error(
        "shard {shard} is in incarnation {actual}, the events were made for {given}; reload and decide again"
    )]
    Incarnation {
        /// The shard.
        shard: ShardNumber,
        /// The incarnation of the log.
        actual: u32,
        /// The incarnation in the events.
        given: u32,
    },
    /// Stored bytes cannot be read back.
    #[error("stored event {position} of shard {shard} cannot be read")]
    Damaged {
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The event log. See the module for the contract.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// The registry of shards, as written at first start.
    fn registry(&self) -> Arc<Registry>;

    /// Appends a batch; the outcomes stand in the order of the commands. `now` is the time the hlc follows; `None`
    /// takes the engine's clock.
    async fn append(
        &self,
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError>;

    /// Events of a stream with a sequence above `after`, in order, at most `limit` (and [`MAX_READ`]).
    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError>;

    /// Events of a shard with a position above `after`, in order, at most `limit` (and [`MAX_READ`]).
    async fn read_shard(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError>;

    /// The leaves of the events [`Self::read_shard`] would give, for who seals them; engines may answer without
    /// their payloads.
    async fn read_leaves(&self, shard: ShardNumber, after: u64, limit: usize) -> Result<Vec<Leaf>, LogError> {
        let events = self.read_shard(shard, after, limit).await?;
        Ok(events.iter().map(Leaf::from).collect())
    }

    /// Where every shard stands.
    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError>;

    /// Returns when the shard's head may have passed `position`; may return early, never for ever late (≤ 1 s).
    async fn wait_beyond(&self, shard: ShardNumber, position: u64) -> Result<(), LogError>;

    /// The newest snapshot of a stream made by this version of its fold, if there is one.
    async fn load_snapshot(&self, stream: StreamId, fold_version: u32) -> Result<Option<Snapshot>, LogError>;

    /// Keeps a snapshot, replacing an older one.
    async fn save_snapshot(
        &self,
        stream: StreamId,
        fold_version: u32,
        snapshot: Snapshot,
    ) -> Result<(), LogError>;
}
