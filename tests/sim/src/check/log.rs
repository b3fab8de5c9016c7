//! The log: dense, chained, and with every acknowledged command in it exactly once.

use std::collections::BTreeMap;

use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::StreamId;
use vaultstream_event_schemas::envelope::{GENESIS, Hash, StoredEvent};

use crate::people::People;
use crate::world::World;

fn all(world: &World) -> Vec<StoredEvent> {
    let registry = world.log.registry();
    let shards = registry.entries().iter();
    shards.flat_map(|entry| world.log.events(entry.number)).collect()
}

pub(super) fn check(world: &World, people: &People, found: &mut Vec<String>) {
    let events = all(world);
    chains(&events, found);
    for ack in people.record.acks() {
        let written: Vec<&StoredEvent> = events
            .iter()
            .filter(|event| event.envelope.command == ack.command)
            .collect();
        for place in &ack.events {
            let stands = written.iter().any(|event| {
                event.envelope.stream == place.stream
                    && event.envelope.sequence == place.sequence
                    && event.position == place.position
                    && event.hlc == place.hlc
            });
            if !stands {
                found.push(format!(
                    "{} was acknowledged with {}/{} at {}, which is not in the log",
                    ack.name, place.stream, place.sequence, place.position
                ));
            }
        }
        // Whoever was told that nothing changed had had the effect before, under the same command.
        let is_once = if ack.events.is_empty() {
            ack.name != "transfer.request" || !written.is_empty()
        } else {
            written.len() == ack.events.len()
        };
        if !is_once {
            found.push(format!(
                "{} was acknowledged with {} events and has {} in the log",
                ack.name,
                ack.events.len(),
                written.len()
            ));
        }
    }
    for asked in people.record.open() {
        if people.record.is_forgotten(asked.transfer) {
            continue;
        }
        let stream: StreamId = asked.transfer.into();
        let requests = events
            .iter()
            .filter(|e| e.envelope.stream == stream && e.envelope.event_type == "transfer.requested")
            .count();
        if requests != 1 {
            found.push(format!("{} was requested {requests} times", asked.transfer));
        }
    }
}

/// Positions are dense, clocks go on, lives only rise, and every event stands on the one before it.
fn chains(events: &[StoredEvent], found: &mut Vec<String>) {
    let mut streams: BTreeMap<StreamId, (u64, Hash)> = BTreeMap::new();
    let mut last: Option<&StoredEvent> = None;
    for event in events {
        let before = last.filter(|before| before.envelope.shard == event.envelope.shard);
        let is_next = before.map_or(event.position == 1, |before| {
            let is_later = event.envelope.incarnation >= before.envelope.incarnation;
            event.position == before.position + 1 && event.hlc > before.hlc && is_later
        });
        let (sequence, hash) = streams
            .get(&event.envelope.stream)
            .copied()
            .unwrap_or((0, GENESIS));
        let follows = event.envelope.sequence == sequence + 1 && event.previous == hash;
        if !is_next || !follows || event.verify().is_err() {
            found.push(format!("the log is broken at {}", event.envelope.event_ref()));
        }
        streams.insert(event.envelope.stream, (event.envelope.sequence, event.hash));
        last = Some(event);
    }
}
