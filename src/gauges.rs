//! Gauges: what is measured when somebody asks for metrics, from the same places the work itself reads.
//!
//! What one process at a time does is told by the one that holds its lease and by no other, so that sums over processes
//! are true. A place that does not answer leaves its gauges as they were; `/health/ready` is where it is named.

use std::collections::BTreeMap;

use vaultstream_domain::ports::event_log::Head;
use vaultstream_event_schemas::{Family, ShardNumber};
use vaultstream_projectors::{Reads, ViewName};
use vaultstream_query_api::freshness::Lag;
use vaultstream_query_api::hub::Hub;

use crate::health::{Health, State};
use crate::parts::sealer;

type Heads = BTreeMap<ShardNumber, Head>;

/// Measures everything this process can see.
pub async fn measure(health: &Health) {
    let state = health.state().await;
    let is_fresh = state.as_ref().is_ok_and(State::is_fresh);
    let is_draining = *health.draining.borrow();
    let metrics = &health.observed.metrics;
    metrics.process.ready(is_fresh && !is_draining);
    let (waiting, most) = health.executor.queue();
    metrics.writing.queue("executor", waiting, most);
    chains(health);
    let Ok(state) = state else { return };
    if let Some(lag) = &state.views {
        views(health, lag);
    }
    let relay = state
        .relay
        .iter()
        .map(|lag| (lag.shard.0, lag.events, lag.age_us));
    metrics.bus.relay(relay);
    workflows(health, &state.heads);
    sealing(health, &state.heads);
    if let Some(reads) = &health.reads {
        projectors(health, reads, &state.heads).await;
    }
    if let Some(hub) = &health.hub {
        subscriptions(health, hub, &state.heads);
    }
}

fn views(health: &Health, lag: &Lag) {
    for view in &lag.views {
        let quarantined = usize::try_from(view.quarantined).unwrap_or(usize::MAX);
        health.observed.metrics.view(
            view.view,
            &view.family,
            view.behind(),
            view.lag_ms * 1000,
            quarantined,
        );
        let metrics = &health.observed.metrics.views;
        metrics.generation(view.view, &view.family, view.generation);
    }
}

fn chains(health: &Health) {
    let now = health.clock.now().as_micros();
    let heads = health.chain_heads.borrow().clone();
    for chain in health.chains.iter() {
        if let Some(seen) = heads.get(&chain.id) {
            let age = u64::try_from(now.saturating_sub(seen.seen_at.as_micros())).unwrap_or(0);
            let head = &seen.head;
            health.observed.metrics.chain(
                chain.slug.as_str(),
                head.tip.at.height,
                head.finalized.height,
                age,
            );
        }
    }
}

fn behind(heads: &Heads, shard: ShardNumber, position: u64) -> u64 {
    let head = heads.get(&shard).map_or(0, |head| head.position);
    head.saturating_sub(position)
}

/// The shards whose views are folded here.
async fn projectors(health: &Health, reads: &Reads, heads: &Heads) {
    let registry = health.log.registry();
    let is_folded = |family: &Family| health.leases.holds(&format!("projectors/{family}"));
    let mut lags = Vec::new();
    for view in ViewName::ALL {
        let Ok(marks) = reads.watermarks(view).await else {
            continue;
        };
        for family in view.families(&registry).into_iter().filter(is_folded) {
            for shard in registry.shards_of(&family) {
                let position = marks.get(&shard).map_or(0, |mark| mark.place.position);
                lags.push((view.as_str(), shard.0, behind(heads, shard, position)));
            }
        }
    }
    health.observed.metrics.views.shards(lags);
}

/// What waits for the next checkpoint, told by the process that signs it.
fn sealing(health: &Health, heads: &Heads) {
    if !health.leases.holds(sealer::LEASE) {
        return;
    }
    let newest = health.checkpoint.get();
    let sealed = |shard| {
        newest
            .as_ref()
            .and_then(|newest| Some(newest.checkpoint.shard(shard)?.size))
    };
    let unsealed: u64 = heads
        .keys()
        .map(|shard| behind(heads, *shard, sealed(*shard).unwrap_or(0)))
        .sum();
    let now = health.clock.now().as_micros();
    let age = newest.map_or(0, |newest| {
        now.saturating_sub(newest.checkpoint.sealed_at.as_micros())
    });
    let age = if unsealed > 0 {
        u64::try_from(age).unwrap_or(0)
    } else {
        0
    };
    health.observed.metrics.sealing.waits(unsealed, age);
}

/// The workflows that run here say themselves where they stand.
fn workflows(health: &Health, heads: &Heads) {
    let standing = health.observed.standing();
    let lags = standing
        .iter()
        .map(|((name, shard), position)| (name.as_str(), shard.0, behind(heads, *shard, *position)));
    health.observed.metrics.work.workflows(lags);
}

fn subscriptions(health: &Health, hub: &Hub, heads: &Heads) {
    let metrics = &health.observed.metrics.hub;
    let (subscribers, topics) = hub.readers();
    metrics.readers(subscribers, topics);
    for (shard, place) in hub.published().0 {
        metrics.behind(shard.0, behind(heads, shard, place.position));
    }
}
