//! Lanes: repeats, crashes between any two writes, late writers and small caches change nothing.

use std::sync::Arc;

use vaultstream_domain::ports::ViewStore;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_projectors::ViewName;
use vaultstream_projectors::dump::digest;
use vaultstream_projectors::lane::Lane;
use vaultstream_projectors::view::View;
use vaultstream_projectors::views::view;

use crate::faults::{Torn, torn};
use crate::history::{Dice, History};
use crate::setup::{Node, decoded};

async fn every_lane(node: &Node) -> Vec<(ViewName, Arc<dyn View>, ShardNumber)> {
    let mut lanes = Vec::new();
    for name in ViewName::ALL {
        for family in name.families(&node.registry) {
            lanes.extend(
                node.registry
                    .shards_of(&family)
                    .map(|shard| (name, view(name), shard)),
            );
        }
    }
    lanes
}

/// Some events again, in order, as a broker would after a lost acknowledgement.
fn with_repeats(events: &[StoredEvent], dice: &mut Dice) -> Vec<Vec<StoredEvent>> {
    let (mut batches, mut at) = (Vec::new(), 0);
    while at < events.len() {
        let back = usize::try_from(dice.roll(30)).expect("small").min(at);
        let on = usize::try_from(dice.roll(60) + 1).expect("small");
        let end = (at + on).min(events.len());
        batches.push(events[at - back..end].to_vec());
        at = end;
    }
    batches
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_and_torn_flushes_should_change_nothing() {
    for seed in [1, 2, 3] {
        let node = Node::new();
        let mut history = History::new(node.registry.clone(), seed);
        history.live(node.log.as_ref(), 700).await;
        let mut dice = Dice::new(seed + 100);
        let mut crashes = 0;
        for (name, view, shard) in every_lane(&node).await {
            let family = node.registry.entry(shard).expect("known").family.clone();
            let (clean, at) = (name.at(family.clone(), 1), name.at(family, 2));
            let expected = node.reference(&view, &clean).await;
            node.create(&at, view.as_ref()).await;
            for shard in node.registry.shards_of(&at.family) {
                crashes += crash_through(&node, &view, &at, shard, &mut dice).await;
            }
            let found = digest(node.store.as_ref(), view.as_ref(), &at)
                .await
                .expect("readable");
            assert_eq!(found, expected, "seed {seed}, view {name} in {}", at.family);
            node.store.drop_generation(&at).await.expect("dropped");
            node.store.drop_generation(&clean).await.expect("dropped");
        }
        assert!(crashes > 50, "{crashes} crashes show little");
    }
}

/// Folds a shard with repeats while flushes tear at every possible place; answers how often they did.
async fn crash_through(
    node: &Node,
    view: &Arc<dyn View>,
    at: &vaultstream_domain::ports::view_store::ViewRef,
    shard: ShardNumber,
    dice: &mut Dice,
) -> usize {
    let events = node.events(shard).await;
    let batches = with_repeats(&events, dice);
    let head = events.last().map_or(0, |event| event.position);
    let (mut crashes, mut rounds) = (0, 0);
    loop {
        rounds += 1;
        assert!(rounds < 500, "no progress");
        let tears = [
            Torn::Totals,
            Torn::HalfOfRows,
            Torn::Rows,
            Torn::Whole,
            Torn::Nothing,
        ];
        let tear = *dice.pick(if rounds < 8 { &tears[..4] } else { &tears });
        let mut parts = node.lane(view, at, shard);
        parts.store = torn(node.store.clone(), tear, dice.roll(4));
        let Ok(mut lane) = Lane::open(parts, 1).await else {
            crashes += 1;
            continue;
        };
        let place = lane.place().position;
        let mut died = false;
        for batch in batches
            .iter()
            .filter(|b| b.last().is_some_and(|e| e.position > place))
        {
            lane.apply(&decoded(batch.clone()))
                .await
                .expect("reads do not fail here");
            if lane.flush().await.is_err() {
                died = true;
                break;
            }
        }
        crashes += usize::from(died);
        if !died && lane.place().position == head {
            return crashes;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_writer_should_change_nothing() {
    let node = Node::new();
    let mut history = History::new(node.registry.clone(), 7);
    history.live(node.log.as_ref(), 900).await;
    for (name, view, shard) in every_lane(&node).await {
        let family = node.registry.entry(shard).expect("known").family.clone();
        let (clean, at) = (name.at(family.clone(), 1), name.at(family, 2));
        let expected = node.reference(&view, &clean).await;
        node.create(&at, view.as_ref()).await;
        let mut zombies = Vec::new();
        for shard in node.registry.shards_of(&at.family) {
            let events = node.events(shard).await;
            let mut zombie = Lane::open(node.lane(&view, &at, shard), 1).await.expect("opens");
            zombie
                .apply(&decoded(events[..events.len() / 2].to_vec()))
                .await
                .expect("folds");
            let mut lane = Lane::open(node.lane(&view, &at, shard), 1).await.expect("opens");
            lane.apply(&decoded(events.clone())).await.expect("folds");
            lane.flush().await.expect("writes");
            zombies.push(zombie);
        }
        let before = node.store.watermarks(&at).await.expect("readable");
        for mut zombie in zombies {
            zombie.flush().await.expect("a late write is no error");
        }
        assert_eq!(
            node.store.watermarks(&at).await.expect("readable"),
            before,
            "{name}"
        );
        let found = digest(node.store.as_ref(), view.as_ref(), &at)
            .await
            .expect("readable");
        assert_eq!(found, expected, "view {name} in {}", at.family);
        node.store.drop_generation(&at).await.expect("dropped");
        node.store.drop_generation(&clean).await.expect("dropped");
    }
}
