//! A transfer's timeline: its stream and those of its executions, read from the log, never from a view, and from the end:
//! what happened last is what is wanted, and a transfer that was sent again and again has a long beginning. An event that
//! means several today is several entries; one that means none, or that this build cannot read, is shown without data.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::LazyLock;

use async_graphql::{ID, Json, SimpleObject};
use futures::future::try_join_all;
use serde_json::Value;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{LogError, MAX_READ};
use vaultstream_event_schemas::chain::{BlockRef, Plan};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::id::StreamKind;
use vaultstream_event_schemas::public_event::to_public;
use vaultstream_event_schemas::upcast::{self, Chain};
use vaultstream_event_schemas::{ChainId, ErrorCode, StreamId};
use vaultstream_projectors::read::Transfer;

use super::asset::{Block, Money};
use super::connection::{List, PageInfo, connection};
use super::scalar::{Long, Timestamp, int};
use crate::limits::page_size_in;
use crate::refusal::Refusal;
use crate::services::Services;

static RELEASED: LazyLock<Chain> = LazyLock::new(upcast::released);

/// One event of a transfer's life, as the log holds it.
#[derive(SimpleObject, Debug, Clone)]
pub struct TimelineEntry {
    /// The event's name, `trf_…/3`.
    pub id: ID,
    /// The stream it is in: the transfer or one of its executions.
    pub subject_id: ID,
    /// Its place in its stream, from 1.
    pub sequence: i32,
    /// Its type, such as `transfer.screened`.
    pub r#type: String,
    /// When it was decided.
    pub occurred_at: Timestamp,
    /// Who caused it.
    pub actor: String,
    /// Its shard.
    pub shard: i32,
    /// Its place in its shard.
    pub position: Long,
    /// The event's hash, lower-case hex: it covers the envelope, the payload and the hash before it.
    pub hash: String,
    /// The hash of the stream before it.
    pub previous_hash: String,
    /// The execution it is in, or that it starts.
    pub execution_id: Option<ID>,
    /// The transaction.
    pub txid: Option<String>,
    /// The block.
    pub block: Option<Block>,
    /// What the network charged.
    pub fee: Option<Money>,
    /// How the node's answer is understood: a word of `BroadcastOutcome`.
    pub outcome: Option<String>,
    /// Which node answered.
    pub node: Option<String>,
    /// Counts the signed attempts on the slot, from 1.
    pub attempt: Option<i32>,
    /// The slot (nonce) that is planned or bound.
    pub slot: Option<Long>,
    /// What is to be signed, lower-case hex with 0x.
    pub digest: Option<String>,
    /// How many approvals it has then.
    pub approvals: Option<i32>,
    /// How many approvals it needs.
    pub approvals_needed: Option<i32>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Why it was denied or cancelled.
    pub reason: Option<String>,
    /// The error code it ended with.
    pub code: Option<String>,
    /// What happened, in a sentence.
    pub detail: Option<String>,
    /// Whether the transaction did what it was meant to.
    pub succeeded: Option<bool>,
    /// The public fields of the payload; null for an event that is not public.
    pub data: Option<Json<Value>>,
}

connection!(TimelineConnection, TimelineEdge, TimelineEntry);

/// Which part of a timeline.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// How many events.
    pub last: i32,
    /// Only those before this cursor.
    pub before: Option<&'a str>,
    /// Only those up to this position of the shard.
    pub until: Option<u64>,
}

/// The last events of a transfer's life, or the last before a cursor, in the order of the shard.
pub async fn timeline(
    services: &Services,
    transfer: &Transfer,
    window: Window<'_>,
) -> Result<TimelineConnection, Refusal> {
    let Window { last, before, until } = window;
    let last = page_size_in("last", last)?;
    let (id, organization) = (transfer.row.id, transfer.row.organization_id);
    let list = List::new(services, organization, &format!("timeline?{id}"));
    let before = before
        .map(|cursor| position(&list.open("before", cursor)?))
        .transpose()?;
    let streams = streams(transfer, if before.is_none() { last } else { usize::MAX });
    let skips = streams.iter().any(|(_, after)| *after > 0);
    let reads = streams
        .iter()
        .map(|(stream, after)| to_the_end(services.log.as_ref(), *stream, *after));
    let mut events: Vec<StoredEvent> = try_join_all(reads).await?.into_iter().flatten().collect();
    // a transfer and its executions share one shard, so positions order them
    events.sort_by_key(|event| event.position);
    if let Some(until) = until {
        events.truncate(events.partition_point(|event| event.position <= until));
    }
    let end = before.map_or(events.len(), |before| {
        events.partition_point(|event| event.position < before)
    });
    let start = end.saturating_sub(last);
    let chain = transfer.row.asset.chain();
    let entries: Vec<_> = events[start..end]
        .iter()
        .flat_map(|event| meanings(&RELEASED, event))
        .map(|event| {
            (
                list.cursor(&event.position.to_be_bytes()),
                entry(services, &chain, &event),
            )
        })
        .collect();
    let info = PageInfo {
        has_previous_page: skips || start > 0,
        has_next_page: before.is_some(),
        start_cursor: entries.first().map(|(cursor, _)| cursor.clone()),
        end_cursor: entries.last().map(|(cursor, _)| cursor.clone()),
    };
    Ok(TimelineConnection::new(entries, info))
}

fn position(cursor: &[u8]) -> Result<u64, Refusal> {
    let bytes = cursor
        .try_into()
        .map_err(|_| Refusal::of(ErrorCode::CursorInvalid))?;
    Ok(u64::from_be_bytes(bytes))
}

/// A transfer's streams, each with the sequence behind which at least `last` events follow, or all there are. Views know
/// how long the streams were a moment ago, and streams only grow.
fn streams(transfer: &Transfer, last: usize) -> Vec<(StreamId, u64)> {
    let last = u64::try_from(last).unwrap_or(u64::MAX);
    let mut streams = vec![(
        transfer.row.id.stream(),
        transfer.row.version.saturating_sub(last),
    )];
    streams.extend(transfer.row.executions.iter().map(|id| {
        let row = transfer.executions.iter().find(|row| row.id == *id);
        (id.stream(), row.map_or(0, |row| row.version.saturating_sub(last)))
    }));
    streams
}

async fn to_the_end(
    log: &dyn EventLog,
    stream: StreamId,
    mut after: u64,
) -> Result<Vec<StoredEvent>, LogError> {
    let mut events = Vec::new();
    loop {
        let mut chunk = log.read_stream(stream, after, MAX_READ).await?;
        let full = chunk.len() == MAX_READ;
        after = chunk.last().map_or(after, |event| event.envelope.sequence);
        events.append(&mut chunk);
        if !full {
            return Ok(events);
        }
    }
}

/// What an event means today; itself where that is nothing, so that the timeline shows all that is in the log.
fn meanings<'a>(chain: &Chain, event: &'a StoredEvent) -> Vec<Cow<'a, StoredEvent>> {
    let mut meanings = chain.to_current(event).unwrap_or_default();
    if meanings.is_empty() {
        meanings.push(Cow::Borrowed(event));
    }
    meanings
}

fn text(data: &Value, field: &str) -> Option<String> {
    data.get(field)?.as_str().map(str::to_owned)
}

fn number(data: &Value, field: &str) -> Option<i32> {
    data.get(field)?.as_u64().map(int)
}

fn block(data: &Value) -> Option<Block> {
    let block: BlockRef = serde_json::from_value(data.get("block")?.clone()).ok()?;
    Some(Block::from(&block))
}

/// The slot of a plan; what else a plan holds is not shown here.
fn slot(event: &StoredEvent) -> Option<Long> {
    if !matches!(
        event.envelope.event_type.as_str(),
        "execution.planned" | "execution.bound"
    ) {
        return None;
    }
    let payload: Value = serde_json::from_slice(&event.payload).ok()?;
    let plan: Plan = serde_json::from_value(payload.get("plan")?.clone()).ok()?;
    Some(Long(plan.slot()))
}

fn entry(services: &Services, chain: &ChainId, event: &StoredEvent) -> TimelineEntry {
    let envelope = &event.envelope;
    let public = to_public(event).map(|e| e.data);
    let data = public.as_ref().unwrap_or(&Value::Null);
    let execution = match envelope.stream.kind {
        StreamKind::Execution => Some(envelope.stream.to_string()),
        _ => text(data, "execution"),
    };
    let fee = text(data, "fee").and_then(|fee| fee.parse().ok());
    TimelineEntry {
        id: ID::from(envelope.event_ref()),
        subject_id: ID::from(envelope.stream),
        sequence: int(envelope.sequence),
        r#type: envelope.event_type.clone(),
        occurred_at: Timestamp(envelope.occurred_at),
        actor: envelope.actor.to_string(),
        shard: envelope.shard.0.into(),
        position: Long(event.position),
        hash: hex::encode(event.hash),
        previous_hash: hex::encode(event.previous),
        execution_id: execution.map(ID),
        txid: text(data, "txid"),
        block: block(data),
        fee: fee.and_then(|fee| Money::fee(services, chain, fee)),
        outcome: text(data, "outcome"),
        node: text(data, "node"),
        attempt: number(data, "attempt"),
        slot: slot(event),
        digest: text(data, "digest"),
        approvals: number(data, "approvals"),
        approvals_needed: number(data, "approvalsNeeded"),
        rule: text(data, "rule"),
        reason: text(data, "reason"),
        code: text(data, "code"),
        detail: text(data, "detail"),
        succeeded: data.get("succeeded").and_then(Value::as_bool),
        data: public.map(Json),
    }
}
