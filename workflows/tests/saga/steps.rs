//! Every call of every step fails once, in each way a call can fail; the story ends the same.

use vaultstream_event_schemas::organization::v1::Approval;

use crate::audit::{History, audit};
use crate::net::{ETHER, Net};
use crate::process::Process;
use crate::script::{Fault, Point, Script};
use crate::world::World;

/// The readings of a lane repeat at each head; more than these of one label add time and no case.
const CALLS_A_LABEL: usize = 5;
const READINGS_A_LABEL: usize = 2;

fn worth_it(point: &Point) -> bool {
    let most = if point.label.starts_with("node.") || point.label == "execution.observe_balance" {
        READINGS_A_LABEL
    } else {
        CALLS_A_LABEL
    };
    point.nth <= most
}

/// One transfer of one ether out of ten under a script: what was decided, which calls were made, how many faults struck.
async fn transfer_under(net: &Net, script: Script) -> (History, Vec<Point>, usize) {
    let world = World::ready(net, Approval::None, 10 * ETHER).await;
    let transfer = world.request(ETHER).await;
    let process = Process::start(&world, script);
    let script = process.script.clone();
    world.settle(process, &[transfer]).await;
    assert_eq!(audit(&world, &[(transfer, ETHER)]).await, 1, "it was paid");
    let history = History::of(&world, &[transfer]).await.decisions();
    (history, script.points(), script.struck())
}

async fn every_call(fault: Fault) {
    let net = Net::start().await;
    let (calm, points, _) = transfer_under(&net, Script::calm()).await;
    let points: Vec<Point> = points.into_iter().filter(worth_it).collect();
    assert!(
        points.len() > 15,
        "the story has fewer calls than it has steps: {points:?}"
    );
    for point in points {
        let (history, _, struck) = transfer_under(&net, Script::at(point, fault)).await;
        assert_eq!(struck, 1, "{fault:?} at {point:?} never struck");
        assert_eq!(history, calm, "{fault:?} at {point:?} led to other decisions");
    }
}

macro_rules! each_call {
    ($($name:ident = $fault:ident;)+) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            every_call(Fault::$fault).await;
        }
    )+ };
}

each_call! {
    death_before_any_call_should_pay_once = DieBefore;
    death_after_any_call_should_pay_once = DieAfter;
    failure_before_any_call_should_pay_once = FailBefore;
    failure_after_any_call_should_pay_once = FailAfter;
    any_call_made_twice_should_pay_once = Repeat;
}

/// Opens an account under a script; answers its address and the decisions.
async fn account_under(net: &Net, script: Script) -> (String, History, Vec<Point>) {
    let world = World::new(net, Approval::None).await;
    let process = Process::start(&world, script);
    let script = process.script.clone();
    let process = world
        .drive(process, async || world.address().await.is_some())
        .await;
    world.give(ETHER).await;
    world.drive(process, async || world.holds().await == ETHER).await;
    let address = world.address().await.expect("open");
    (address, History::of(&world, &[]).await, script.points())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_should_open_once_whatever_fails() {
    let net = Net::start().await;
    let (_, calm, points) = account_under(&net, Script::calm()).await;
    let opening = |p: &&Point| !p.label.starts_with("node.") && p.nth <= 2;
    for point in points.iter().filter(opening) {
        for fault in Fault::ALL {
            let (address, history, _) = account_under(&net, Script::at(*point, fault)).await;
            assert_eq!(history, calm, "{fault:?} at {point:?} led to other events");
            assert_eq!(net.balance(&address).await, ETHER);
        }
    }
}

/// Several transfers of one account, in flight together, with faults everywhere.
async fn storm(net: &Net, seed: u64) {
    let world = World::ready(net, Approval::None, 10 * ETHER).await;
    let mut transfers = Vec::new();
    for n in 1..=3_u64 {
        let wei = ETHER + u128::from(n);
        transfers.push((world.request(wei).await, wei));
    }
    let ids: Vec<_> = transfers.iter().map(|(id, _)| *id).collect();
    let (mut faults, mut process) = (0, Process::start(&world, Script::random(seed, 60)));
    // Ten stormy lives, then a calm one.
    for life in 1..=10_u64 {
        while process.step().await {
            net.mine(1).await;
            if process.script.struck() >= 8 || world.settled(&ids).await {
                break;
            }
        }
        faults += process.script.struck();
        process = Process::start(
            &world,
            Script::random(seed.wrapping_mul(31).wrapping_add(life), 60),
        );
    }
    world.settle(Process::start(&world, Script::calm()), &ids).await;
    assert!(faults > 0, "seed {seed}: no fault struck");
    let paid = audit(&world, &transfers).await;
    assert_eq!(paid, 3, "seed {seed}: not all were paid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storms_of_faults_should_pay_each_intent_once() {
    let net = Net::start().await;
    for seed in [11, 23, 42, 77, 1_001, 65_537] {
        println!("seed {seed}");
        storm(&net, seed).await;
    }
}
