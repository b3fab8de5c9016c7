//! Gauges: what is measured when somebody asks for metrics, from the same places the work itself reads.
//!
//! A place that does not answer leaves its gauges as they were; `/health/ready` is where it is named.

use std::collections::BTreeMap;

use vaultstream_domain::ports::event_log::Head;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_kernel::Mark;
use vaultstream_projectors::{Reads, ViewName};
use vaultstream_query_api::freshness::Lag;

use crate::health::Health;

/// Measures everything this process can see.
pub async fn measure(health: &Health) {
    let lag = health.lag().await;
    let is_fresh = lag
        .as_ref()
        .is_ok_and(|lag| lag.as_ref().is_none_or(Health::is_fresh));
    let is_draining = *health.draining.borrow();
    health.metrics.process.ready(is_fresh && !is_draining);
    let (waiting, most) = health.executor.queue();
    health.metrics.writing.queue("executor", waiting, most);
    if let Ok(Some(lag)) = &lag {
        views(health, lag);
    }
    chains(health);
    let Ok(heads) = health.log.heads().await else {
        return;
    };
    if let Some(reads) = &health.reads {
        projectors(health, reads, &heads).await;
    }
    if health.relays {
        relay(health, &heads).await;
    }
}

fn views(health: &Health, lag: &Lag) {
    for view in &lag.views {
        let quarantined = usize::try_from(view.quarantined).unwrap_or(usize::MAX);
        health.metrics.view(
            view.view,
            &view.family,
            view.behind(),
            view.lag_ms * 1000,
            quarantined,
        );
    }
}

fn chains(health: &Health) {
    let now = health.clock.now().as_micros();
    let heads = health.heads.borrow().clone();
    for chain in health.chains.iter() {
        if let Some(seen) = heads.get(&chain.id) {
            let age = u64::try_from(now.saturating_sub(seen.seen_at.as_micros())).unwrap_or(0);
            let head = &seen.head;
            health.metrics.chain(
                chain.slug.as_str(),
                head.tip.at.height,
                head.finalized.height,
                age,
            );
        }
    }
}

async fn projectors(health: &Health, reads: &Reads, heads: &BTreeMap<ShardNumber, Head>) {
    for view in ViewName::ALL {
        let Ok(marks) = reads.watermarks(view).await else {
            continue;
        };
        for (shard, mark) in marks {
            let head = heads.get(&shard).map_or(0, |head| head.position);
            let behind = head.saturating_sub(mark.place.position);
            health.metrics.views.shard(view.as_str(), shard.0, behind);
        }
    }
}

/// The relay's own notes say how far it is.
async fn relay(health: &Health, heads: &BTreeMap<ShardNumber, Head>) {
    let now = health.clock.now().as_micros();
    for (shard, head) in heads {
        let Ok(note) = health.progress.load(&format!("relay/{shard}")).await else {
            continue;
        };
        let cursor = note.and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
        let relayed = cursor.map_or(0, |mark| mark.position);
        let behind = head.position.saturating_sub(relayed);
        let mut age = 0;
        if behind > 0
            && let Ok(events) = health.log.read_shard(*shard, relayed, 1).await
            && let Some(oldest) = events.first()
        {
            let stamp = i64::try_from(oldest.hlc.0).unwrap_or(i64::MAX);
            age = u64::try_from(now.saturating_sub(stamp)).unwrap_or(0);
        }
        health.metrics.bus.relay(shard.0, behind, age);
    }
}
