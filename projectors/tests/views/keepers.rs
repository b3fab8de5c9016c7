//! Two keepers of one shard at the same time: one took over while the other slept, and then that one goes on folding.
//! Found by the simulator (seeds 31, 53 and 56): a keeper that skips what a row from ahead of it has seen must not count
//! on with totals from before.

use vaultstream_domain::ports::view_store::ViewRef;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_projectors::ViewName;
use vaultstream_projectors::dump::digest;
use vaultstream_projectors::lane::Lane;
use vaultstream_projectors::views::view;

use crate::history::{Dice, History};
use crate::setup::{Node, decoded};

/// The next events of a lane.
fn next(lane: &Lane, events: &[StoredEvent], most: u64) -> Vec<StoredEvent> {
    let place = lane.place().position;
    let behind = events.iter().filter(|event| event.position > place);
    behind
        .take(usize::try_from(most).expect("small"))
        .cloned()
        .collect()
}

/// Lets two keepers with hardly any memory fold a shard, each at its own pace, until both are through.
async fn keep_twice(node: &Node, name: ViewName, at: &ViewRef, shard: ShardNumber, dice: &mut Dice) {
    let events = node.events(shard).await;
    let mut parts = node.lane(&view(name), at, shard);
    parts.cache_rows = 4;
    let mut keepers = Vec::new();
    for _ in 0..2 {
        keepers.push(Lane::open(parts.clone(), 1).await.expect("opens"));
    }
    let head = events.last().map_or(0, |event| event.position);
    while keepers.iter().any(|lane| lane.place().position < head) {
        let awake = usize::try_from(dice.roll(2)).expect("small");
        let lane = &mut keepers[awake];
        for _ in 0..=dice.roll(6) {
            let batch = next(lane, &events, dice.roll(25) + 1);
            lane.apply(&decoded(batch)).await.expect("folds");
            if dice.roll(3) > 0 {
                lane.flush().await.expect("writes");
            }
        }
    }
    for lane in &mut keepers {
        lane.flush().await.expect("writes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeper_that_slept_should_spoil_nothing() {
    for seed in [1, 2, 3] {
        let node = Node::new();
        let mut history = History::new(node.registry.clone(), seed);
        history.live(node.log.as_ref(), 400).await;
        let mut dice = Dice::new(seed + 200);
        for name in ViewName::ALL {
            for family in name.families(&node.registry) {
                let (clean, at) = (name.at(family.clone(), 1), name.at(family.clone(), 2));
                let expected = node.reference(&view(name), &clean).await;
                node.create(&at, view(name).as_ref()).await;
                for shard in node.registry.shards_of(&family) {
                    keep_twice(&node, name, &at, shard, &mut dice).await;
                }
                let found = digest(node.store.as_ref(), view(name).as_ref(), &at).await;
                assert_eq!(
                    found.expect("readable"),
                    expected,
                    "seed {seed}, view {name} in {family}"
                );
            }
        }
    }
}
