//! Reactors and the chain's lane, wired as the binary's parts wire them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::Spawn;
use vaultstream_event_schemas::{Family, ShardNumber};
use vaultstream_kernel::{Executor, LogBus, Marking};
use vaultstream_projectors::Reads;
use vaultstream_workflows::advance_transfer::AdvanceTransfer;
use vaultstream_workflows::chain_lane::{FeedLane, WatchAccounts};
use vaultstream_workflows::open_account::OpenAccount;
use vaultstream_workflows::{Chain, ChainLane, LaneHandle, LaneOptions, NoBoundary, Reactor, Services};

use super::Process;
use super::recover::Recovery;
use crate::chain;
use crate::keys::SimKeys;
use crate::node::SimNode;
use crate::sched::NATURE;
use crate::world::World;

/// How often the lane asks for the head, in milliseconds.
const POLL_MS: u64 = 300;

/// The chain, through a node.
pub fn chain_of(world: &World) -> Chain {
    let node = SimNode::new(
        world.chain.clone(),
        world.weather.clone(),
        NATURE,
        world.script.clone(),
        world.log.acts(),
    );
    Chain {
        settings: chain::settings(),
        node: Arc::new(node),
    }
}

fn services(process: &Process, executor: &Executor, marking: &Marking) -> Services {
    let world = &process.world;
    let keys = SimKeys::new(world.weather.clone(), world.log.acts(), world.marks.clone());
    let keys = Arc::new(keys);
    let chain = chain_of(world);
    Services {
        log: process.log.clone(),
        tailer: process.tailer(Arc::new(LogBus::new(process.log.clone()))),
        commands: Arc::new(executor.clone()),
        clock: process.here.clone(),
        ids: process.here.clone(),
        progress: Arc::new(world.notes.reached(&world.weather)),
        account_keys: keys.clone(),
        signing: keys,
        barrier: Arc::new(marking.clone()),
        chains: Arc::new(BTreeMap::from([(chain.settings.id.clone(), chain)])),
        boundary: Arc::new(NoBoundary),
    }
}

/// Starts everything that reacts to events by acting.
pub(super) fn start(
    process: &Process,
    executor: &Executor,
    marking: &Marking,
    reads: &Reads,
    stop: &CancellationToken,
) {
    let services = services(process, executor, marking);
    let spawn: &dyn Spawn = process.here.as_ref();
    let registry = process.log.registry();
    let family = Family::Chain(chain::settings().slug);
    let open_account = Arc::new(OpenAccount::new(services.clone()));
    let advance = Arc::new(AdvanceTransfer::new(services.clone()));
    for family in [Family::Core, family.clone()] {
        for shard in registry.shards_of(&family) {
            let reactor = Reactor::new(services.clone(), open_account.clone(), shard);
            spawn.spawn("open_account", Box::pin(reactor.run(stop.clone())));
        }
    }
    let chain = services
        .chains
        .values()
        .next()
        .cloned()
        .expect("one chain is served");
    let options = LaneOptions {
        poll_ms: POLL_MS,
        ..LaneOptions::default()
    };
    let (lane, handle) = ChainLane::new(services.clone(), chain, options);
    spawn.spawn("chain_lane", Box::pin(lane.run(stop.clone())));
    for shard in registry.shards_of(&family) {
        let reactor = Reactor::new(services.clone(), advance.clone(), shard);
        spawn.spawn("advance_transfer", Box::pin(reactor.run(stop.clone())));
        let accounts = Arc::new(WatchAccounts::new(handle.clone()));
        let reactor = Reactor::after(services.clone(), accounts, shard, None);
        spawn.spawn("watch_accounts", Box::pin(reactor.run(stop.clone())));
        let recovery = Recovery {
            services: services.clone(),
            reads: process.world.plan.is_whole.then(|| reads.clone()),
            shard,
        };
        let (recovery, advance) = (Arc::new(recovery), advance.clone());
        let again = recovery.clone();
        spawn.spawn(
            "recover_transfers",
            Box::pin(async move { again.transfers(&advance).await }),
        );
        let settle = settle(recovery, shard, handle.clone(), stop.clone());
        spawn.spawn("settle_execution", Box::pin(settle));
    }
    spawn.spawn(
        "transfer_deadlines",
        Box::pin(advance.run_deadlines(stop.clone())),
    );
}

/// What the to-do view knows is given to the lane at once; what came after it is read from the log as it comes.
async fn settle(recovery: Arc<Recovery>, shard: ShardNumber, handle: LaneHandle, stop: CancellationToken) {
    let folded = recovery.folded().await;
    recovery.executions(&handle).await;
    let services = recovery.services.clone();
    let feed = Arc::new(FeedLane::new(services.clone(), handle));
    Reactor::after(services, feed, shard, folded).run(stop).await;
}
