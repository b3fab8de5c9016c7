//! A node that is slow, away, silent after accepting, forgetful, or on another fork: the same bytes again, one payment.

use std::collections::BTreeSet;

use serde_json::json;
use vaultstream_domain::execution::{Execution, ExecutionState};
use vaultstream_domain::transfer::execution_id;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::{ExecutionStatus as S, TransferId, TransferStatus};

use crate::audit::{audit, count};
use crate::net::{ETHER, Net};
use crate::process::Process;
use crate::script::{Fault, Point, Script};
use crate::world::World;

async fn execution(world: &World<'_>, transfer: TransferId) -> ExecutionState {
    world.load::<Execution>(execution_id(transfer)).await
}

/// Drives a process until the execution of a transfer has one of these states.
async fn until(world: &World<'_>, process: Process, transfer: TransferId, states: &[S]) -> Process {
    let there = async || {
        let status = execution(world, transfer).await.status;
        status.is_some_and(|s| states.contains(&s))
    };
    world.drive(process, there).await
}

async fn started(world: &World<'_>) -> (TransferId, Process) {
    let transfer = world.request(ETHER).await;
    (transfer, Process::start(world, Script::calm()))
}

async fn paid_once(world: &World<'_>, transfer: TransferId, process: Process) {
    world.settle(process, &[transfer]).await;
    assert_eq!(audit(world, &[(transfer, ETHER)]).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_after_accepting_should_end_in_one_payment() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    net.control("sandbox_timeoutAfterAccept", json!([1])).await;
    let (transfer, process) = started(&world).await;
    let process = until(&world, process, transfer, &[S::Unknown, S::Seen]).await;
    paid_once(&world, transfer, process).await;
    let tried = count(&world, execution_id(transfer), "execution.broadcast_tried").await;
    assert!(tried >= 1, "the silence was not recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_or_absent_node_should_only_delay() {
    let net = Net::start().await;
    for (fault, off) in [
        (("sandbox_setLatency", json!([700])), json!([0])),
        (("sandbox_refuseConnections", json!([60_000])), json!([0])),
    ] {
        let (method, on) = fault;
        // Struck after so many good steps: before the quote, after the broadcast, while it is followed.
        for good in 0..4 {
            let world = World::ready(&net, Approval::None, 3 * ETHER).await;
            let (transfer, mut process) = started(&world).await;
            for _ in 0..good {
                process.step().await;
                net.mine(1).await;
            }
            net.control(method, on.clone()).await;
            process.step().await;
            // A process that starts while the node is away fares no worse.
            drop(process);
            let mut process = Process::start(&world, Script::calm());
            process.step().await;
            net.control(method, off.clone()).await;
            paid_once(&world, transfer, process).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_transaction_should_be_sent_again_with_the_same_bytes() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let (transfer, mut process) = started(&world).await;
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        // Without a block in between: the pool forgets, the chain has not moved.
        while execution(&world, transfer).await.attempts.is_empty() {
            process.step().await;
        }
        let state = execution(&world, transfer).await;
        let txid = state.attempts.last().expect("signed").transaction.txid.clone();
        net.control("sandbox_dropTransaction", json!([txid])).await;
        ids.insert(txid);
        net.mine(1).await;
        process.step().await;
    }
    paid_once(&world, transfer, process).await;
    assert_eq!(ids.len(), 1, "other bytes were sent: {ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_arrive_long_after_the_answer_should_change_nothing() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let transfer = world.request(ETHER).await;
    // The node says nothing clear and keeps the bytes back.
    let first = Point {
        label: "node.broadcast",
        nth: 1,
    };
    let process = Process::start(&world, Script::at(first, Fault::FailBefore));
    let signed = async || !execution(&world, transfer).await.attempts.is_empty();
    let process = world.drive(process, signed).await;
    let bytes = execution(&world, transfer).await.attempts[0].transaction.clone();
    let script = process.script.clone();
    world.settle(process, &[transfer]).await;
    assert_eq!(script.struck(), 1, "the node was to say nothing clear");
    let late = net.node.broadcast(&bytes).await;
    println!("late: {late:?}");
    net.mine(3).await;
    let mut process = Process::start(&world, Script::calm());
    process.step().await;
    assert_eq!(audit(&world, &[(transfer, ETHER)]).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detached_block_should_be_recorded_and_paid_once() {
    let net = Net::start().await;
    for (dropped, dies) in [(true, false), (false, false), (true, true)] {
        let world = World::ready(&net, Approval::None, 3 * ETHER).await;
        net.mine(3).await;
        let (transfer, process) = started(&world).await;
        let mut process = until(&world, process, transfer, &[S::Included]).await;
        let fork = json!({ "depth": 1, "dropTransactions": dropped });
        net.control("sandbox_reorg", fork).await;
        if dies {
            // The next one knows the head only from the note that the first one kept.
            process = Process::start(&world, Script::halt_at("detached"));
        }
        process.step().await;
        net.mine(1).await;
        paid_once(&world, transfer, process).await;
        let detached = count(&world, execution_id(transfer), "execution.detached").await;
        assert!(detached <= 1, "{detached} detachments of one block");
        assert!(detached == 1 || !dropped, "the detachment was not recorded");
    }
}

async fn reversals(world: &World<'_>, transfer: TransferId) -> usize {
    count(world, execution_id(transfer), "execution.reversed").await
}

/// A paid transfer whose final block is lost; what happens meanwhile is up to `meanwhile`, which gets the process that
/// saw the payment and gives the one that is to see the breach.
async fn breach(meanwhile: impl AsyncFnOnce(&World<'_>, Process) -> Process) {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    net.mine(3).await;
    // One that lies below the lost blocks, and one in them.
    let (kept, process) = started(&world).await;
    let process = world.settle(process, &[kept]).await;
    net.mine(6).await;
    let transfer = world.request(ETHER).await;
    let process = world.settle(process, &[transfer]).await;
    let mut process = meanwhile(&world, process).await;
    for _ in 0..4 {
        net.mine(1).await;
        if !process.step().await {
            process = Process::start(&world, Script::calm());
        }
    }
    assert_eq!(world.status(transfer).await, TransferStatus::Reversed);
    assert_eq!(reversals(&world, transfer).await, 1);
    assert_eq!(world.status(kept).await, TransferStatus::Completed);
    assert_eq!(reversals(&world, kept).await, 0);
    assert_eq!(net.balance(&world.payee).await, ETHER, "only the first one");
}

async fn lose_final_blocks(net: &Net) {
    let fork = json!({ "depth": 5, "dropTransactions": true, "force": true });
    net.control("sandbox_reorg", fork).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breach_of_finality_should_reverse_once() {
    breach(async |world, process| {
        lose_final_blocks(world.net).await;
        process
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breach_after_a_restart_should_reverse_what_was_concluded_before_it() {
    breach(async |world, process| {
        drop(process);
        // The next one sees the payment over, and then the breach; or the breach is there when it starts.
        let mut process = Process::start(world, Script::calm());
        process.step().await;
        lose_final_blocks(world.net).await;
        process
    })
    .await;
    breach(async |world, process| {
        drop(process);
        lose_final_blocks(world.net).await;
        Process::start(world, Script::calm())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reversal_that_fails_should_be_said_by_the_next_process() {
    for fault in Fault::ALL {
        breach(async |world, process| {
            drop(process);
            lose_final_blocks(world.net).await;
            let first = Point {
                label: "execution.reverse",
                nth: 1,
            };
            let mut process = Process::start(world, Script::at(first, fault));
            // Until it has tried.
            for _ in 0..3 {
                if process.script.struck() == 0 && process.step().await {
                    world.net.mine(1).await;
                }
            }
            assert_eq!(process.script.struck(), 1, "{fault:?} never struck");
            drop(process);
            Process::start(world, Script::calm())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusing_node_should_not_end_what_was_signed() {
    // The base fee rises above the bid after signing: the node refuses the bytes, and takes them when it has fallen.
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let transfer = world.request(ETHER).await;
    let mut process = Process::start(&world, Script::halt_at("signed"));
    while process.step().await {
        net.mine(1).await;
    }
    net.control("sandbox_setBaseFee", json!(["900000000000"])).await;
    net.mine(1).await;
    let mut process = Process::start(&world, Script::calm());
    for _ in 0..3 {
        process.step().await;
        net.mine(1).await;
    }
    assert_eq!(world.status(transfer).await, TransferStatus::Executing);
    assert!(!world.committed().await.is_zero(), "the slot was given away");
    net.control("sandbox_setBaseFee", json!(["1000000000"])).await;
    net.mine(1).await;
    paid_once(&world, transfer, process).await;
}
