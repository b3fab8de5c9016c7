//! Pages out of the log: the shards side by side, merged by their clocks.
//!
//! A page ends when it is full, when it has looked at [`MAX_EXAMINED`] events or answered [`MAX_BYTES`], or when the shards
//! have nothing more. Memory: one chunk a shard.

use std::collections::VecDeque;
use std::sync::LazyLock;

use futures::future::try_join_all;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::public_event::{PublicEvent, to_public_all};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::upcast::{Chain, released};
use vaultstream_event_schemas::{ErrorCode, Hlc, ShardNumber, StreamId};

use super::question::Question;
use crate::places::last_of_stream;
use crate::refusal::Refusal;
use crate::services::Services;

/// Events a page looks at, wanted or not.
pub const MAX_EXAMINED: usize = 10_000;
/// Bytes of payloads after which a page takes no further event.
pub const MAX_BYTES: usize = 2 << 20;
/// The largest chunk read of a shard.
const MAX_CHUNK: usize = 500;
const MIN_CHUNK: usize = 32;

static RELEASED: LazyLock<Chain> = LazyLock::new(released);

/// What was found.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events, in order.
    pub events: Vec<PublicEvent>,
    /// Everything that was passed, wanted or not.
    pub cursor: Positions,
    /// Whether there may be more by now.
    pub has_more: bool,
}

/// One shard of a merge.
struct Lane {
    shard: ShardNumber,
    place: Place,
    /// The stream that is read and the sequence it has come to, when only one is wanted.
    stream: Option<(StreamId, u64)>,
    ahead: VecDeque<StoredEvent>,
    /// Nothing is left, or nothing that is wanted.
    is_over: bool,
    /// It was left because what follows is too late.
    is_cut: bool,
    /// Where the shard stood before anything was read.
    head: u64,
    chunk: usize,
}

impl Lane {
    async fn fill(&mut self, log: &dyn EventLog) -> Result<(), Refusal> {
        if self.is_over || !self.ahead.is_empty() {
            return Ok(());
        }
        let events = match &mut self.stream {
            Some((stream, sequence)) => {
                let events = log.read_stream(*stream, *sequence, self.chunk).await?;
                *sequence = events.last().map_or(*sequence, |event| event.envelope.sequence);
                events
            }
            None => {
                log.read_shard(self.shard, self.place.position, self.chunk)
                    .await?
            }
        };
        self.is_over = events.len() < self.chunk;
        self.ahead.extend(events);
        self.chunk = (self.chunk * 2).min(MAX_CHUNK);
        Ok(())
    }

    /// Everything that was looked at, or needs no look: what a stream does not hold is not wanted.
    fn passed(&self) -> Place {
        let is_read = self.is_over && self.ahead.is_empty() && !self.is_cut && self.stream.is_some();
        let position = if is_read {
            self.place.position.max(self.head)
        } else {
            self.place.position
        };
        Place {
            position,
            ..self.place
        }
    }

    /// The clock of what comes next.
    fn next(&self) -> Option<Hlc> {
        self.ahead.front().map(|event| event.hlc)
    }

    fn has_more(&self) -> bool {
        !self.is_over || !self.ahead.is_empty()
    }
}

/// The page behind `cursor`: at most `limit` events, unless one stored event means several.
pub async fn page(
    services: &Services,
    question: &Question,
    cursor: &Positions,
    limit: usize,
) -> Result<Page, Refusal> {
    let _turn = services.hub.scan_turn().await?;
    let log = services.log.as_ref();
    let mut lanes = lanes(log, question, cursor, limit).await?;
    let mut events: Vec<PublicEvent> = Vec::new();
    let (mut examined, mut bytes) = (0, 0);
    while events.len() < limit && examined < MAX_EXAMINED && bytes < MAX_BYTES {
        try_join_all(lanes.iter_mut().map(|lane| lane.fill(log))).await?;
        let first = lanes.iter_mut().filter(|lane| !lane.ahead.is_empty());
        let Some(lane) = first.min_by_key(|lane| (lane.next(), lane.shard)) else {
            break;
        };
        let Some(event) = lane.ahead.pop_front() else {
            break;
        };
        if question.end().is_some_and(|end| event.hlc > end) {
            lane.ahead.clear();
            (lane.is_over, lane.is_cut) = (true, true);
            continue;
        }
        let found = wanted(question, &event)?;
        if !events.is_empty() && events.len() + found.len() > limit {
            lane.ahead.push_front(event);
            break;
        }
        lane.place.position = event.position;
        examined += 1;
        if !found.is_empty() {
            bytes += event.payload.len();
        }
        events.extend(found);
    }
    let mut passed = cursor.clone();
    passed
        .0
        .extend(lanes.iter().map(|lane| (lane.shard, lane.passed())));
    Ok(Page {
        events,
        cursor: passed,
        has_more: lanes.iter().any(Lane::has_more),
    })
}

/// The shards that are read, without those that have nothing new.
async fn lanes(
    log: &dyn EventLog,
    question: &Question,
    cursor: &Positions,
    limit: usize,
) -> Result<Vec<Lane>, Refusal> {
    let heads = log.heads().await?;
    let mut lanes = Vec::new();
    for (shard, head) in heads {
        let at = cursor.0.get(&shard).copied();
        let place = at.unwrap_or(Place {
            incarnation: head.incarnation,
            position: 0,
        });
        if place.incarnation != head.incarnation {
            return Err(Refusal::new(
                ErrorCode::CursorInvalid,
                "the log was restored since this read began; begin anew with `from`",
            ));
        }
        let is_wanted = question.stream.is_none_or(|stream| stream.shard() == shard);
        if is_wanted && place.position < head.position {
            lanes.push(Lane {
                shard,
                place,
                stream: None,
                ahead: VecDeque::new(),
                is_over: false,
                is_cut: false,
                head: head.position,
                chunk: 0,
            });
        }
    }
    let chunk = (2 * limit / lanes.len().max(1)).clamp(MIN_CHUNK, MAX_CHUNK);
    for lane in &mut lanes {
        lane.chunk = chunk;
        if let Some(stream) = question.stream {
            lane.stream = Some((stream, last_of_stream(log, stream, lane.place.position).await?));
        }
    }
    Ok(lanes)
}

/// The public forms of an event that are wanted. One of a version this build does not know may be public: it is not passed
/// over in silence.
fn wanted(question: &Question, event: &StoredEvent) -> Result<Vec<PublicEvent>, Refusal> {
    if question
        .organization
        .is_some_and(|o| o != event.envelope.organization)
    {
        return Ok(Vec::new());
    }
    let mut public = to_public_all(&RELEASED, event).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, event = %event.envelope.event_ref(), "an event cannot be read");
        Refusal::of(ErrorCode::EventUnreadable)
    })?;
    public.retain(|event| question.takes(&event.event_type));
    Ok(public)
}
