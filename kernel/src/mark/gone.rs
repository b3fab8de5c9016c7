//! Events that the log has lost, as another place still has them: a report for operators.
//!
//! An event is lost when the log does not have what its life wrote at its position. The first event of a stream was a
//! request: a restore keeps a beginning of every stream, so a log without the first event has lost the stream. It is no
//! replay: nothing is written back. Invariants: the hash over what is lost depends on nothing that a log may get while
//! it is looked at; memory does not grow with what is read. Refuses: nothing; what was cut says so.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use vaultstream_domain::ports::echo::{EchoError, EchoPage};
use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_domain::ports::{Echo, EventLog};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::release::Gone;
use vaultstream_event_schemas::{Hlc, OrganizationId, ShardNumber, StreamId, StreamKind, Timestamp};

use super::lives::Lives;

/// Streams that somebody asked for; the others are made on the way.
const REQUESTS: [StreamKind; 6] = [
    StreamKind::Organization,
    StreamKind::ApiKey,
    StreamKind::Vault,
    StreamKind::Account,
    StreamKind::Transfer,
    StreamKind::Execution,
];
/// Streams looked up at once.
const AT_ONCE: usize = 16;

/// Bounds of a report.
#[derive(Debug, Clone, Copy)]
pub struct GoneLimits {
    /// Events that are read of a shard.
    pub read: u64,
    /// Lost events that are counted.
    pub events: u64,
    /// Lost requests that are named.
    pub requests: usize,
}

impl Default for GoneLimits {
    fn default() -> Self {
        Self {
            read: 5_000_000,
            events: 1_000_000,
            requests: 10_000,
        }
    }
}

/// How far a transfer or execution came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It was asked for.
    Requested,
    /// It was approved and is queued.
    Approved,
    /// It has a slot, and may have been signed and sent.
    Bound,
    /// It is final.
    Completed,
    /// It ended otherwise.
    Ended,
}

impl Reached {
    /// What an event says of it, when it does.
    fn by(event_type: &str) -> Option<Self> {
        let (kind, what) = event_type.split_once('.')?;
        Some(match (kind, what) {
            ("transfer", "requested" | "screened") => Self::Requested,
            ("transfer", "approved" | "execution_started") | ("execution", "queued" | "planned") => {
                Self::Approved
            }
            (
                "execution",
                "bound" | "signed" | "broadcast_tried" | "seen" | "included" | "detached" | "stuck",
            ) => Self::Bound,
            ("transfer", "completed") | ("execution", "finalized") => Self::Completed,
            ("transfer", "denied" | "cancelled" | "expired" | "failed" | "reversed")
            | ("execution", "dead" | "reversed") => Self::Ended,
            _ => return None,
        })
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Bound => "bound",
            Self::Completed => "completed",
            Self::Ended => "ended",
        }
    }
}

/// What was lost of one life of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneRange {
    /// How many events.
    pub events: u64,
    /// The first position.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// How many of each type.
    pub types: BTreeMap<String, u64>,
}

/// A request that was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneRequest {
    /// What was asked for.
    pub stream: StreamId,
    /// The type of its first event.
    pub event_type: String,
    /// When that was decided.
    pub at: Timestamp,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The type of the last event that the place has.
    pub last_type: String,
    /// How far it came, where that is known.
    pub reached: Option<Reached>,
    /// Whether the log has it now: it was asked for again.
    pub is_back: bool,
}

/// What was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostEvents {
    /// Where it was found, for people.
    pub place: &'static str,
    /// By shard and life.
    pub ranges: BTreeMap<(ShardNumber, u32), GoneRange>,
    /// The requests that are named.
    pub requests: Vec<GoneRequest>,
    /// Records that were damaged.
    pub damaged: u64,
    /// How many of what, and the hash over it: for the statement that operators sign.
    pub stated: Gone,
}

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub enum GoneError {
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The other place does not answer.
    #[error(transparent)]
    Echo(#[from] EchoError),
}

/// Compares what another place has with the log.
pub async fn lost_events(
    log: &dyn EventLog,
    echo: &mut dyn Echo,
    limits: GoneLimits,
) -> Result<LostEvents, GoneError> {
    let heads = log.heads().await?;
    let mut report = Report::new(limits);
    for entry in log.registry().entries() {
        let shard = entry.number;
        let head = heads.get(&shard).copied().unwrap_or(Head {
            incarnation: 1,
            position: 0,
            hlc: Hlc(0),
        });
        let mut lives = Lives::of(log, shard, &head).await?;
        echo.begin(shard, lives.certain()).await?;
        report.begin(shard);
        while report.goes_on() {
            let page = echo.next().await?;
            if page.is_empty() {
                break;
            }
            // An event is in the log before it is anywhere else: who looks after it was read finds it.
            let is_new = |e: &StoredEvent| lives.may_be_new(e.envelope.incarnation, e.position);
            if page.events.iter().any(is_new)
                && let Some(head) = log.heads().await?.get(&shard)
            {
                lives.grow(head);
            }
            report.take(&lives, page);
        }
    }
    report.finish(log, echo.place()).await
}

/// A report in the making.
struct Report {
    limits: GoneLimits,
    shard: ShardNumber,
    /// Events read of the shard.
    read: u64,
    is_full: bool,
    ranges: BTreeMap<(ShardNumber, u32), GoneRange>,
    requests: BTreeMap<StreamId, GoneRequest>,
    damaged: u64,
    stated: Gone,
    hash: Sha256,
}

impl Report {
    fn new(limits: GoneLimits) -> Self {
        Self {
            limits,
            shard: ShardNumber(0),
            read: 0,
            is_full: false,
            ranges: BTreeMap::new(),
            requests: BTreeMap::new(),
            damaged: 0,
            stated: Gone {
                events: 0,
                requests: 0,
                hash: [0; 32],
                is_cut: false,
            },
            hash: Sha256::new(),
        }
    }

    const fn begin(&mut self, shard: ShardNumber) {
        self.shard = shard;
        self.read = 0;
    }

    /// Whether more of the shard is read; what was left out is a cut.
    const fn goes_on(&mut self) -> bool {
        let goes_on = !self.is_full && self.read < self.limits.read;
        self.stated.is_cut |= !goes_on;
        goes_on
    }

    fn take(&mut self, lives: &Lives, page: EchoPage) {
        self.damaged += page.damaged;
        self.read += page.events.len() as u64 + page.damaged;
        for event in page.events {
            let (life, position) = (event.envelope.incarnation, event.position);
            let place = (self.shard, life);
            let is_repeat = self.ranges.get(&place).is_some_and(|r| position <= r.last);
            if is_repeat || lives.holds(life, position) {
                continue;
            }
            if self.stated.events >= self.limits.events {
                self.is_full = true;
                return;
            }
            self.lose(place, event);
        }
    }

    fn lose(&mut self, place: (ShardNumber, u32), event: StoredEvent) {
        let ((shard, life), position) = (place, event.position);
        let range = self.ranges.entry(place).or_insert_with(|| GoneRange {
            events: 0,
            first: position,
            last: position,
            types: BTreeMap::new(),
        });
        (range.events, range.last) = (range.events + 1, position);
        let envelope = event.envelope;
        *range.types.entry(envelope.event_type.clone()).or_default() += 1;
        self.stated.events += 1;
        let hash = hex::encode(event.hash);
        self.hash
            .update(format!("event {shard} {life} {position} {hash}\n"));
        if !REQUESTS.contains(&envelope.stream.kind) {
            return;
        }
        let reached = Reached::by(&envelope.event_type);
        if envelope.sequence == 1 {
            self.stated.requests += 1;
            if self.requests.len() >= self.limits.requests {
                return;
            }
            let request = GoneRequest {
                stream: envelope.stream,
                last_type: envelope.event_type.clone(),
                event_type: envelope.event_type,
                at: envelope.occurred_at,
                organization: envelope.organization,
                reached,
                is_back: false,
            };
            self.requests.insert(envelope.stream, request);
        } else if let Some(request) = self.requests.get_mut(&envelope.stream) {
            request.last_type = envelope.event_type;
            request.reached = reached.or(request.reached);
        }
    }

    async fn finish(self, log: &dyn EventLog, place: &'static str) -> Result<LostEvents, GoneError> {
        let look = |mut request: GoneRequest| async move {
            request.is_back = !log.read_stream(request.stream, 0, 1).await?.is_empty();
            Ok::<_, LogError>(request)
        };
        let requests = futures::stream::iter(self.requests.into_values())
            .map(look)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(LostEvents {
            place,
            ranges: self.ranges,
            requests,
            damaged: self.damaged,
            stated: Gone {
                hash: self.hash.finalize().into(),
                ..self.stated
            },
        })
    }
}
