//! A process that dies at a boundary it has just passed; each next one begins with nothing in memory.

use vaultstream_event_schemas::organization::v1::Approval;

use crate::audit::{History, audit};
use crate::net::{ETHER, Net};
use crate::process::Process;
use crate::script::Script;
use crate::world::World;

/// In the order in which a payment passes them.
const BOUNDARIES: [&str; 10] = [
    "queued",
    "reserved",
    "bound",
    "signature-made",
    "signed",
    "sent",
    "broadcast",
    "seen",
    "included",
    "finalized",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn death_at_each_boundary_should_pay_once() {
    let net = Net::start().await;
    let mut first: Option<History> = None;
    for boundary in BOUNDARIES {
        let world = World::ready(&net, Approval::None, 3 * ETHER).await;
        let transfer = world.request(ETHER).await;
        let process = Process::start(&world, Script::halt_at(boundary));
        let script = process.script.clone();
        world.settle(process, &[transfer]).await;
        assert_eq!(script.struck(), 1, "{boundary} was never passed");
        assert_eq!(audit(&world, &[(transfer, ETHER)]).await, 1, "{boundary}");
        let history = History::of(&world, &[transfer]).await.decisions();
        let expected = first.get_or_insert_with(|| history.clone());
        assert_eq!(history, *expected, "{boundary} led to other decisions");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deaths_at_all_boundaries_of_one_payment_should_pay_once() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let transfer = world.request(ETHER).await;
    let mut deaths = 0;
    for boundary in BOUNDARIES {
        let mut process = Process::start(&world, Script::halt_at(boundary));
        for _ in 0..8 {
            if !process.step().await {
                deaths += 1;
                break;
            }
            net.mine(1).await;
        }
    }
    // A boundary that an earlier process left behind is not passed again; the later ones are.
    assert!(deaths >= 8, "only {deaths} processes died");
    world
        .settle(Process::start(&world, Script::calm()), &[transfer])
        .await;
    assert_eq!(audit(&world, &[(transfer, ETHER)]).await, 1);
}
