//! Every event delivered twice, all of them again at every step, to two nodes at once: the same events in the end.

use vaultstream_event_schemas::organization::v1::Approval;

use crate::audit::{History, audit};
use crate::net::{ETHER, Net};
use crate::process::{Delivery, Process};
use crate::script::Script;
use crate::world::World;

async fn two_transfers(net: &Net, delivery: Delivery) -> History {
    let world = World::ready(net, Approval::None, 10 * ETHER).await;
    let transfers = [
        (world.request(ETHER).await, ETHER),
        (world.request(2 * ETHER).await, 2 * ETHER),
    ];
    let ids = transfers.map(|(id, _)| id);
    let process = Process::delivering(&world, Script::calm(), delivery);
    let process = world.settle(process, &ids).await;
    let before = History::of(&world, &ids).await;
    // Once more from the beginning, with nothing in memory, when all is over.
    drop(process);
    let mut process = Process::delivering(&world, Script::calm(), delivery);
    for _ in 0..3 {
        process.step().await;
        net.mine(1).await;
    }
    assert_eq!(
        History::of(&world, &ids).await,
        before,
        "an old event did something new"
    );
    assert_eq!(audit(&world, &transfers).await, 2);
    before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_should_be_the_same_however_often_they_are_delivered() {
    let net = Net::start().await;
    let once = two_transfers(&net, Delivery::Once).await;
    assert_eq!(two_transfers(&net, Delivery::Twice).await, once);
    assert_eq!(two_transfers(&net, Delivery::Replayed).await, once);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fresh_process_at_every_step_should_decide_the_same() {
    let net = Net::start().await;
    let once = two_transfers(&net, Delivery::Once).await.decisions();
    let world = World::ready(&net, Approval::None, 10 * ETHER).await;
    let transfers = [
        (world.request(ETHER).await, ETHER),
        (world.request(2 * ETHER).await, 2 * ETHER),
    ];
    let ids = transfers.map(|(id, _)| id);
    for _ in 0..20 {
        Process::start(&world, Script::calm()).step().await;
        net.mine(1).await;
    }
    assert!(world.settled(&ids).await, "it did not get there");
    assert_eq!(audit(&world, &transfers).await, 2);
    assert_eq!(History::of(&world, &ids).await.decisions(), once);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_at_once_should_pay_once() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 10 * ETHER).await;
    let mut transfers = Vec::new();
    for n in 0..4_u128 {
        transfers.push((world.request(ETHER + n).await, ETHER + n));
    }
    let ids: Vec<_> = transfers.iter().map(|(id, _)| *id).collect();
    let mut one = Process::start(&world, Script::calm());
    let mut other = Process::delivering(&world, Script::calm(), Delivery::Replayed);
    for _ in 0..20 {
        tokio::join!(one.step(), other.step());
        net.mine(1).await;
        if world.settled(&ids).await {
            break;
        }
    }
    assert!(world.settled(&ids).await, "it did not get there");
    assert_eq!(audit(&world, &transfers).await, 4);
}
