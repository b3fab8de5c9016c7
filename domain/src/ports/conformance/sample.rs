//! Made-up history for the suites: streams, hashed events and commands, the same in every run.

use uuid::Uuid;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner};
use vaultstream_event_schemas::payload::encode;
use vaultstream_event_schemas::vault::v1::VaultRenamed;
use vaultstream_event_schemas::{
    Actor, CommandId, Family, OrganizationId, ShardNumber, Slug, StreamId, StreamKind, Timestamp, id,
};

use crate::ports::event_log::{AppendCommand, StreamAppend};

/// The incarnation of a new log.
pub const INCARNATION: u32 = 1;
/// The time the suites start at, in microseconds.
pub const START_US: i64 = 1_795_000_000_000_000;

/// The families of the suites' logs: shards 0 and 1 are `core`, 2 is `audit`, 3 and 4 belong to a chain.
pub fn families() -> Vec<(Family, u16)> {
    let slug = Slug::try_new("eth_test").expect("a valid slug");
    vec![(Family::Core, 2), (Family::Audit, 1), (Family::Chain(slug), 2)]
}

/// The start of the suites' time and `us` microseconds more.
pub const fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(START_US + us)
}

fn uuid(seed: u128) -> Uuid {
    let spread = seed
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    id::random(1_795_000_000_000, spread)
}

/// The `n`th stream of a shard.
pub fn stream(shard: u16, n: u64) -> StreamId {
    let seed = u128::from(n) << 16 | u128::from(shard);
    StreamId {
        kind: StreamKind::Vault,
        id: id::with_shard(uuid(seed), ShardNumber(shard)),
    }
}

/// A stream as a writer knows it: its version and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// The stream.
    pub stream: StreamId,
    /// Its version.
    pub version: u64,
    /// Its hash.
    pub hash: Hash,
    /// The incarnation the events will name.
    pub incarnation: u32,
}

impl Writer {
    /// A stream that does not exist yet.
    pub fn new(stream: StreamId) -> Self {
        Self {
            stream,
            version: 0,
            hash: GENESIS,
            incarnation: INCARNATION,
        }
    }

    /// The next event; the writer then stands behind it.
    pub fn event(&mut self, name: &str) -> HashedEvent {
        self.version += 1;
        let organization = OrganizationId::from_uuid(uuid(7));
        let envelope = Envelope {
            actor: Actor::system("conformance"),
            causation: None,
            command: CommandId::from_uuid(uuid(8)),
            incarnation: self.incarnation,
            occurred_at: at(0),
            organization,
            owner: Owner::Itself,
            sequence: self.version,
            shard: self.stream.shard(),
            stream: self.stream,
            trace: None,
            event_type: "vault.renamed".into(),
            version: 1,
        };
        let encoded = encode(&VaultRenamed {
            name: name.to_owned(),
        })
        .expect("canonical");
        let event = HashedEvent::try_new(envelope, encoded, self.hash).expect("canonical");
        self.hash = event.hash;
        event
    }

    /// An append of `count` events to this stream.
    pub fn append(&mut self, name: &str, count: usize) -> StreamAppend {
        let expected = self.version;
        StreamAppend {
            stream: self.stream,
            expected,
            events: (0..count).map(|_| self.event(name)).collect(),
        }
    }

    /// A command of `count` events on this stream alone.
    pub fn command(&mut self, name: &str, count: usize) -> AppendCommand {
        command(vec![self.append(name, count)])
    }

    /// A precondition on the version this writer knows.
    pub const fn unchanged(&self) -> StreamAppend {
        StreamAppend {
            stream: self.stream,
            expected: self.version,
            events: Vec::new(),
        }
    }
}

/// A command over streams of the first one's shard.
pub fn command(streams: Vec<StreamAppend>) -> AppendCommand {
    AppendCommand {
        shard: streams[0].stream.shard(),
        streams,
    }
}
