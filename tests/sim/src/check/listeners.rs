//! Listeners: every event of the tenant behind where they began, once, in the order of its shard.

use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::ShardNumber;

use crate::people::{Heard, People};
use crate::world::World;

fn due(world: &World, people: &People, heard: &Heard, shard: ShardNumber) -> Vec<u64> {
    let from = heard.from.as_ref().and_then(|from| from.0.get(&shard));
    let after = from.map_or(0, |place| place.position);
    let events = world.log.events(shard).into_iter();
    events
        .filter(|event| event.position > after && event.envelope.organization == people.organization)
        .map(|event| event.position)
        .collect()
}

fn had(heard: &Heard, shard: ShardNumber) -> Vec<u64> {
    let items = heard.items.iter().filter(|(of, _)| *of == shard);
    items.map(|(_, place)| place.position).collect()
}

/// Whether everybody has heard as much as there is.
pub(super) fn is_caught_up(world: &World, people: &People) -> bool {
    let registry = world.log.registry();
    people.record.heard_all().values().all(|heard| {
        registry
            .entries()
            .iter()
            .all(|entry| had(heard, entry.number).len() >= due(world, people, heard, entry.number).len())
    })
}

pub(super) fn check(world: &World, people: &People, found: &mut Vec<String>) {
    let registry = world.log.registry();
    for (listener, heard) in people.record.heard_all() {
        for entry in registry.entries() {
            let (due, had) = (
                due(world, people, &heard, entry.number),
                had(&heard, entry.number),
            );
            if due == had {
                continue;
            }
            let at = due.iter().zip(&had).take_while(|(due, had)| due == had).count();
            found.push(format!(
                "listener {listener} heard {} events of shard {} where there are {}: {:?} came where {:?} was due",
                had.len(),
                entry.number,
                due.len(),
                had.get(at),
                due.get(at)
            ));
        }
    }
}
