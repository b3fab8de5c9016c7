//! One shard's task: reads the log as it grows, waits for the views, hands out.
//!
//! A log or a view that does not answer is asked again after a pause; the task ends when the hub is gone.

use std::sync::{Arc, Weak};

use tracing::Instrument;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::token::Place;
use vaultstream_kernel::trace;

use super::Inner;
use crate::observer::Fact;
use crate::refusal::Refusal;

/// Events read at once.
const BATCH: usize = 256;
/// Items handed out under one lock, after which readers get their turn.
const HAND_OUT: usize = 64;
const PAUSE_MS: u64 = 250;

/// Runs until the hub is gone.
pub async fn run(hub: Weak<Inner>, shard: ShardNumber, from: Place) {
    let mut at = from;
    while let Some(inner) = hub.upgrade() {
        if let Err(refusal) = step(&inner, shard, &mut at).await {
            tracing::warn!(%shard, position = at.position, %refusal, "the hub waits for a shard");
            let clock = Arc::clone(&inner.parts.clock);
            drop(inner);
            clock.sleep_ms(PAUSE_MS).await;
        }
    }
}

async fn step(inner: &Arc<Inner>, shard: ShardNumber, at: &mut Place) -> Result<(), Refusal> {
    let events = inner.parts.log.read_shard(shard, at.position, BATCH).await?;
    if events.is_empty() {
        inner.parts.log.wait_beyond(shard, at.position).await?;
        return Ok(());
    }
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let folded = inner.parts.folded.place(shard).await?.position;
        let ready = rest
            .iter()
            .take_while(|e| e.position <= folded)
            .count()
            .min(HAND_OUT);
        if ready == 0 {
            inner.parts.folded.wait_beyond(shard, *at).await;
            continue;
        }
        let (now, later) = rest.split_at(ready);
        let span = trace::linked("hub.hand_out", now.iter().map(|e| e.envelope.trace.as_deref()));
        *at = hand_out(inner, shard, *at, now).instrument(span).await?;
        rest = later;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn hand_out(
    inner: &Inner,
    shard: ShardNumber,
    from: Place,
    events: &[StoredEvent],
) -> Result<Place, Refusal> {
    let base = Arc::new(inner.locked().published.clone());
    let mut items = Vec::with_capacity(events.len());
    for event in events {
        items.push(inner.owners.item(inner.parts.log.as_ref(), event, &base).await?);
    }
    let upto = items.last().map_or(from, |i| i.place);
    inner.publish(shard, upto, items);
    let now = u64::try_from(inner.parts.clock.now().as_micros()).unwrap_or(0);
    for event in events {
        let micros = now.saturating_sub(event.hlc.0);
        inner.parts.observer.observe(Fact::HandedOut { micros });
    }
    Ok(upto)
}
