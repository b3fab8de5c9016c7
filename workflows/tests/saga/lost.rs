//! A log that was put back and has forgotten what it signed: the executions it still knows get the same transaction
//! again, wherever that is by now, and nothing is paid twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vaultstream_chain_evm::digest;
use vaultstream_domain::execution::{Execution, RecordLostSlots};
use vaultstream_domain::transfer::execution_id;
use vaultstream_event_schemas::chain::{Plan, RawTransaction};
use vaultstream_event_schemas::execution::v1::SlotLost;
use vaultstream_event_schemas::mark::MarkedBind;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::{ExecutionStatus, TransferId, TransferStatus};
use vaultstream_kernel::mark::MarkError;
use vaultstream_workflows::Barrier;
use vaultstream_workflows::settle_execution::{Job, SettleError, SettleExecution};

use crate::audit::audit;
use crate::elsewhere;
use crate::net::{ETHER, Net};
use crate::process::Process;
use crate::script::Script;
use crate::world::World;

/// What the lost history signed for a transfer of one ether at a slot value, and what it looked like.
async fn signed_before(world: &World<'_>, transfer: TransferId, nonce: u64) -> (SlotLost, RawTransaction) {
    let (drawn, transaction) = elsewhere::sign(world, ETHER, nonce).await;
    let lost = SlotLost {
        digest: format!("{:#x}", digest(&drawn).expect("a digest")),
        execution: execution_id(transfer),
        plan: Plan::Evm(drawn),
    };
    (lost, transaction)
}

async fn tell(world: &World<'_>, lost: Vec<SlotLost>) {
    let told = RecordLostSlots {
        account: world.account,
        organization: world.organization,
        vault: world.vault,
        lost,
    };
    world.run(told).await.expect("remembered");
}

/// Where the forgotten transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    Nowhere,
    Pooled,
    Final,
}

async fn goes_on_with_the_same_transaction(whereabouts: Whereabouts) {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let (other, transfer) = (world.request(ETHER / 2).await, world.request(ETHER).await);
    let (lost, transaction) = signed_before(&world, transfer, 0).await;
    if whereabouts != Whereabouts::Nowhere {
        net.node.broadcast(&transaction).await;
    }
    if whereabouts == Whereabouts::Final {
        net.mine(5).await;
    }
    tell(&world, vec![lost]).await;
    let process = Process::start(&world, Script::calm());
    world.settle(process, &[transfer, other]).await;
    for transfer in [transfer, other] {
        assert_eq!(
            world.status(transfer).await,
            TransferStatus::Completed,
            "{whereabouts:?}"
        );
    }
    let execution = world.load::<Execution>(execution_id(transfer)).await;
    assert_eq!(execution.attempts[0].transaction, transaction, "{whereabouts:?}");
    assert_eq!(
        net.balance(&world.payee).await,
        ETHER + ETHER / 2,
        "{whereabouts:?}"
    );
    let address = world.address().await.expect("open");
    assert_eq!(
        net.sent(&address).await,
        2,
        "{whereabouts:?}: one transaction each"
    );
    assert!(world.slots().await.lost.is_empty());
    let paid = audit(&world, &[(transfer, ETHER), (other, ETHER / 2)]).await;
    assert_eq!(paid, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_transaction_should_be_the_one_that_is_sent() {
    goes_on_with_the_same_transaction(Whereabouts::Nowhere).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_transaction_in_a_pool_should_be_followed() {
    goes_on_with_the_same_transaction(Whereabouts::Pooled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_transaction_in_the_chain_should_be_the_payment() {
    goes_on_with_the_same_transaction(Whereabouts::Final).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_is_gone_should_not_make_a_paid_transfer_fail() {
    // The forgotten payment took nearly all there was: a new one could not be paid any more.
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, ETHER + ETHER / 10).await;
    let transfer = world.request(ETHER).await;
    let (lost, transaction) = signed_before(&world, transfer, 0).await;
    net.node.broadcast(&transaction).await;
    net.mine(5).await;
    tell(&world, vec![lost]).await;
    let process = Process::start(&world, Script::calm());
    world.settle(process, &[transfer]).await;
    assert_eq!(world.status(transfer).await, TransferStatus::Completed);
    assert_eq!(net.balance(&world.payee).await, ETHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slot_of_an_unknown_execution_should_stay_free_until_it_comes_again() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let stranger = TransferId::from_uuid(vaultstream_event_schemas::id::with_shard(
        vaultstream_event_schemas::id::random(1, 77),
        world.account.shard(),
    ));
    let (lost, transaction) = signed_before(&world, stranger, 0).await;
    tell(&world, vec![lost]).await;
    let transfer = world.request(ETHER / 2).await;
    let mut process = Process::start(&world, Script::calm());
    for _ in 0..6 {
        process.step().await;
        net.mine(1).await;
    }
    let execution = world.load::<Execution>(execution_id(transfer)).await;
    assert_eq!(
        execution.plan.map(|plan| plan.slot()),
        Some(1),
        "0 is not its to take"
    );
    assert_eq!(
        net.balance(&world.payee).await,
        0,
        "it waits for the one before it"
    );
    // The forgotten transaction comes to the chain by itself; what waited follows.
    net.node.broadcast(&transaction).await;
    world.settle(process, &[transfer]).await;
    assert_eq!(net.balance(&world.payee).await, ETHER + ETHER / 2);
}

/// Opens and closes, and notes what it covered.
#[derive(Default)]
struct Gate {
    is_open: AtomicBool,
    covered: std::sync::Mutex<Vec<MarkedBind>>,
}

#[async_trait]
impl Barrier for Gate {
    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::SeqCst)
    }
    async fn cover(&self, bind: MarkedBind) -> Result<(), MarkError> {
        self.covered.lock().expect("no test panics here").push(bind);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_should_be_bound_behind_a_closed_barrier_and_every_bind_be_covered_behind_an_open_one() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 3 * ETHER).await;
    let transfer = world.request(ETHER).await;
    // Queued by a process that dies there.
    let mut process = Process::start(&world, Script::halt_at("queued"));
    while process.step().await {
        net.mine(1).await;
    }
    let gate = Arc::new(Gate::default());
    let stop = CancellationToken::new();
    let mut services = world.services(&Arc::new(Script::calm()), &stop);
    services.barrier = gate.clone();
    let chain = services.chains.values().next().cloned().expect("one chain");
    let saga = SettleExecution::new(services, chain);
    let job = Job {
        scope: world.scope(transfer),
        transfers: vec![transfer],
        trace: None,
    };
    let barred = saga.advance(&job).await;
    assert!(matches!(barred, Err(SettleError::Barred)), "{barred:?}");
    let execution = world.load::<Execution>(execution_id(transfer)).await;
    assert_eq!(execution.status, Some(ExecutionStatus::Queued));
    gate.is_open.store(true, Ordering::SeqCst);
    saga.advance(&job).await.expect("sent");
    let execution = world.load::<Execution>(execution_id(transfer)).await;
    let covered = gate.covered.lock().expect("no test panics here").clone();
    let [bind] = covered.as_slice() else {
        panic!("not covered once: {covered:?}");
    };
    assert_eq!(
        (Some(&bind.digest), Some(&bind.plan)),
        (execution.digest.as_ref(), execution.plan.as_ref())
    );
    assert_eq!((bind.account, bind.vault), (world.account, world.vault));
    stop.cancel();
}
