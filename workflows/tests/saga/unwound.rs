//! What ends without a payment frees what it held: denial, lapse, no funds, a refusing chain, a slot taken by others.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Coded;
use vaultstream_domain::execution::{AbandonExecution, Execution};
use vaultstream_domain::ports::Clock;
use vaultstream_domain::transfer::{TransferCommand, execution_id};
use vaultstream_event_schemas::execution::v1::{Dead, ProofOfDeath};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::{ErrorCode, Timestamp, TransferId, TransferStatus};
use vaultstream_infra_runtime::SystemClock;
use vaultstream_workflows::advance_transfer::AdvanceTransfer;

use crate::audit::{audit, count, events};
use crate::elsewhere;
use crate::net::{ETHER, Net};
use crate::process::{Delivery, Process};
use crate::script::Script;
use crate::world::World;

/// More than any fee of these chains.
const FOR_FEES: u128 = ETHER / 100;

/// What is left can be spent: nothing invisible holds it back.
async fn rest_can_go(world: &World<'_>, known: &[(TransferId, u128)], process: Process) {
    let rest = world.spendable().await - FOR_FEES;
    let last = world.request(rest).await;
    world.settle(process, &[last]).await;
    let all: Vec<_> = known.iter().copied().chain([(last, rest)]).collect();
    audit(world, &all).await;
    assert_eq!(world.status(last).await, TransferStatus::Completed, "the rest");
}

pub async fn failed_with(world: &World<'_>, transfer: TransferId, code: ErrorCode) {
    assert_eq!(world.status(transfer).await, TransferStatus::Failed);
    let last = events(world, transfer.into()).await.pop().expect("an event");
    let text = last.payload_json().expect("JSON").get().to_owned();
    assert!(text.contains(&format!("\"{code}\"")), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denial_should_end_it_for_good_and_hold_nothing() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::One, 3 * ETHER).await;
    let denied = world.request(2 * ETHER).await;
    let approve = || TransferCommand::Approve {
        now: SystemClock.now(),
    };
    let deny = || TransferCommand::Deny {
        reason: "not today".to_owned(),
    };
    let mut process = Process::delivering(&world, Script::calm(), Delivery::Replayed);
    process.step().await;
    assert_eq!(world.status(denied).await, TransferStatus::AwaitingApproval);
    world.change(denied, deny()).await.expect("denied");
    world.change(denied, deny()).await.expect("again changes nothing");
    let late = world.change(denied, approve()).await.expect_err("too late");
    assert_eq!(late.code(), ErrorCode::StateConflict);
    process.step().await;
    assert_eq!(count(&world, denied, "transfer.denied").await, 1);
    assert_eq!(events(&world, execution_id(denied).into()).await.len(), 0);
    assert!(
        world.slots().await.entries.is_empty(),
        "a denial reserves nothing"
    );

    let approved = world.request(ETHER).await;
    process.step().await;
    world.change(approved, approve()).await.expect("approved");
    world.settle(process, &[approved]).await;
    audit(&world, &[(denied, 2 * ETHER), (approved, ETHER)]).await;
}

/// Time, so much later.
struct Later(i64);

#[async_trait]
impl Clock for Later {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_seconds(self.0)
    }
    async fn sleep_ms(&self, ms: u64) {
        SystemClock.sleep_ms(ms).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadline_should_end_what_nobody_approved_also_after_a_restart() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::One, 3 * ETHER).await;
    let transfer = world.request(ETHER).await;
    let mut process = Process::start(&world, Script::calm());
    process.step().await;
    assert_eq!(world.status(transfer).await, TransferStatus::AwaitingApproval);
    drop(process);

    let world = world.at(Arc::new(Later(7_200)));
    let process = Process::start(&world, Script::calm());
    let advance = Arc::new(AdvanceTransfer::new(process.services.clone()));
    let organization = world.organization;
    advance
        .remember(transfer, organization)
        .await
        .expect("remembered");
    let stop = CancellationToken::new();
    let running = tokio::spawn(advance.run_deadlines(stop.clone()));
    world.settle(process, &[transfer]).await;
    stop.cancel();
    running.await.expect("it ends");
    assert_eq!(world.status(transfer).await, TransferStatus::Expired);
    audit(&world, &[(transfer, ETHER)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn race_for_one_balance_should_have_one_winner_and_free_the_loser() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let (a, b) = (world.request(2 * ETHER).await, world.request(2 * ETHER).await);
    let process = Process::start(&world, Script::calm());
    let process = world.settle(process, &[a, b]).await;
    let known = [(a, 2 * ETHER), (b, 2 * ETHER)];
    assert_eq!(audit(&world, &known).await, 1, "one of the two");
    let loser = if world.status(a).await == TransferStatus::Failed {
        a
    } else {
        b
    };
    failed_with(&world, loser, ErrorCode::InsufficientFunds).await;
    rest_can_go(&world, &known, process).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fee_beyond_the_callers_cap_should_end_it_before_anything_is_held() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let capped = world.ask(world.intent(ETHER, Some(1))).await.expect("requested");
    let process = Process::start(&world, Script::calm());
    let process = world.settle(process, &[capped]).await;
    failed_with(&world, capped, ErrorCode::FeeCapExceeded).await;
    assert_eq!(count(&world, world.account.slots(), "slots.reserved").await, 0);
    rest_can_go(&world, &[(capped, ETHER)], process).await;
}

fn never_signed() -> Dead {
    Dead {
        code: ErrorCode::Internal.to_string(),
        detail: "given up by the test".to_owned(),
        proof: ProofOfDeath::NeverSigned,
    }
}

/// Lets a payment come to a boundary and gives it up there, as an operator's tool might.
async fn given_up_at(world: &World<'_>, boundary: &'static str) -> (TransferId, Result<(), ErrorCode>) {
    let transfer = world.request(2 * ETHER).await;
    let mut process = Process::start(world, Script::halt_at(boundary));
    while process.step().await {
        world.net.mine(1).await;
    }
    let abandon = AbandonExecution {
        scope: world.scope(transfer),
        transfers: vec![transfer],
        dead: never_signed(),
    };
    let once = world.run(abandon.clone()).await.map_err(|e| e.code());
    let again = world.run(abandon).await.map_err(|e| e.code());
    assert_eq!(once, again, "given up twice is given up once");
    (transfer, once)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reservation_without_bind_should_be_freed_when_given_up() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let (transfer, done) = given_up_at(&world, "reserved").await;
    assert_eq!(done, Ok(()));
    assert!(world.slots().await.entries.is_empty(), "the funds are free");
    // The saga hears of the execution again and finds nothing to do.
    let process = Process::delivering(&world, Script::calm(), Delivery::Replayed);
    let process = world.settle(process, &[transfer]).await;
    failed_with(&world, transfer, ErrorCode::Internal).await;
    rest_can_go(&world, &[(transfer, 2 * ETHER)], process).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bound_payment_should_not_be_given_up_without_proof() {
    let net = Net::start().await;
    for boundary in ["bound", "signature-made", "signed", "sent"] {
        let world = World::ready(&net, Approval::None, 3 * ETHER).await;
        let (transfer, refused) = given_up_at(&world, boundary).await;
        assert_eq!(refused, Err(ErrorCode::StateConflict), "{boundary}");
        let process = Process::start(&world, Script::calm());
        world.settle(process, &[transfer]).await;
        assert_eq!(audit(&world, &[(transfer, 2 * ETHER)]).await, 1);
    }
}

/// Signs another payment with the account's key and slot, as a thief or a restored copy would, and has it included.
async fn foreign_payment(world: &World<'_>, wei: u128, nonce: u64) {
    let (_, transaction) = elsewhere::sign(world, wei, nonce).await;
    let answer = world.net.node.broadcast(&transaction).await;
    println!("the other payment: {answer:?}");
    world.net.mine(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slot_taken_by_another_payment_should_end_it_with_that_proof() {
    let net = Net::start().await;
    for boundary in ["bound", "signed"] {
        let world = World::ready(&net, Approval::None, 3 * ETHER).await;
        let transfer = world.request(ETHER).await;
        let mut process = Process::start(&world, Script::halt_at(boundary));
        while process.step().await {
            net.mine(1).await;
        }
        foreign_payment(&world, ETHER / 2, 0).await;
        let process = Process::start(&world, Script::calm());
        let process = world.settle(process, &[transfer]).await;
        failed_with(&world, transfer, ErrorCode::SlotTaken).await;
        let status = world.load::<Execution>(execution_id(transfer)).await.status;
        assert_eq!(
            status,
            Some(vaultstream_event_schemas::ExecutionStatus::Superseded)
        );
        assert_eq!(
            net.balance(&world.payee).await,
            ETHER / 2,
            "only the other one paid"
        );
        assert!(world.slots().await.entries.is_empty());
        // The account goes on behind the lost slot.
        let next = world.request(ETHER).await;
        world.settle(process, &[next]).await;
        assert_eq!(world.status(next).await, TransferStatus::Completed);
        assert_eq!(net.balance(&world.payee).await, ETHER / 2 + ETHER);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_balance_after_a_payment_should_free_what_it_held() {
    // A deposit in the very block of the payment, of just what it takes: the account holds what it held before. The
    // reading is no news by its amount, and yet it is what frees the commitment.
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let transfer = world.request(ETHER).await;
    let process = Process::start(&world, Script::halt_at("broadcast"));
    let mut process = world
        .drive(process, async || {
            let state = world.load::<Execution>(execution_id(transfer)).await;
            state.attempts.first().is_some_and(|a| a.broadcasts > 0)
        })
        .await;
    net.mine(1).await;
    let state = world.load::<Execution>(execution_id(transfer)).await;
    let view = net.node.transaction(&state.attempts[0].transaction.txid).await;
    let Ok(vaultstream_event_schemas::chain::TransactionView::Included { fee, .. }) = view else {
        panic!("not included: {view:?}");
    };
    world.give(ETHER + fee.to_u128().expect("a fee")).await;
    net.mine(3).await;
    process.step().await;
    let process = world.settle(process, &[transfer]).await;
    assert_eq!(world.holds().await, 3 * ETHER);
    rest_can_go(&world, &[(transfer, ETHER)], process).await;
}
