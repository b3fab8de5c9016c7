//! The long-running parts of the embedded assembly: reactors, chain lanes, the watch of chain heads.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{Clock, Spawn};
use vaultstream_event_schemas::{ExecutionId, Family, ShardNumber, TransferId};
use vaultstream_projectors::read::PageRequest;
use vaultstream_projectors::{Reads, ViewName};
use vaultstream_query_api::services::{HeadSeen, Heads};
use vaultstream_workflows::advance_transfer::AdvanceTransfer;
use vaultstream_workflows::chain_lane::{FeedLane, LaneMessage, job_of};
use vaultstream_workflows::open_account::OpenAccount;
use vaultstream_workflows::{ChainLane, LaneHandle, LaneOptions, Reactor, Services};

/// Open things read from the to-do view at a time.
const PAGE: usize = 500;

/// Starts workflows: one lane a chain, and the reactors of every shard.
pub async fn start_workflows(
    services: &Services,
    reads: &Reads,
    spawn: &Arc<dyn Spawn>,
    stop: &CancellationToken,
) -> Result<BTreeMap<vaultstream_event_schemas::ChainId, LaneHandle>> {
    let registry = services.log.registry();
    let open_account = Arc::new(OpenAccount::new(services.clone()));
    let advance = Arc::new(AdvanceTransfer::new(services.clone()));
    for shard in registry.shards_of(&Family::Core) {
        let reactor = Reactor::new(services.clone(), open_account.clone(), shard);
        spawn.spawn("open_account", Box::pin(reactor.run(stop.clone())));
    }
    let mut lanes = BTreeMap::new();
    for chain in services.chains.values() {
        let (lane, handle) = ChainLane::new(services.clone(), chain.clone(), LaneOptions::default());
        spawn.spawn("chain_lane", Box::pin(lane.run(stop.clone())));
        for shard in registry.shards_of(&Family::Chain(chain.settings.slug.clone())) {
            let watermarks = reads.watermarks(ViewName::Transfers).await?;
            let folded = watermarks.get(&shard).map_or(0, |mark| mark.place.position);
            recover(services, reads, &advance, &handle, shard).await?;
            let reactor = Reactor::new(services.clone(), open_account.clone(), shard);
            spawn.spawn("open_account", Box::pin(reactor.run(stop.clone())));
            let reactor = Reactor::new(services.clone(), advance.clone(), shard);
            spawn.spawn("advance_transfer", Box::pin(reactor.run(stop.clone())));
            let feed = Arc::new(FeedLane::new(services.clone(), handle.clone()));
            let reactor = Reactor::after(services.clone(), feed.clone(), shard, folded);
            spawn.spawn("settle_execution", Box::pin(reactor.run(stop.clone())));
            let accounts = Arc::new(vaultstream_workflows::chain_lane::WatchAccounts::new(
                handle.clone(),
            ));
            let reactor = Reactor::after(services.clone(), accounts, shard, 0);
            spawn.spawn("watch_accounts", Box::pin(reactor.run(stop.clone())));
        }
        lanes.insert(chain.settings.id.clone(), handle);
    }
    spawn.spawn(
        "transfer_deadlines",
        Box::pin(advance.run_deadlines(stop.clone())),
    );
    Ok(lanes)
}

/// Gives back what was under way when the process last stopped.
async fn recover(
    services: &Services,
    reads: &Reads,
    advance: &AdvanceTransfer,
    lane: &LaneHandle,
    shard: ShardNumber,
) -> Result<()> {
    let mut page = PageRequest {
        after: None,
        limit: PAGE,
    };
    loop {
        let open = reads.open_in_shard(shard, &page).await?;
        for row in open.rows() {
            if let Ok(execution) = row.id.parse::<ExecutionId>() {
                if let Some(job) = job_of(services, execution, row.organization_id, None).await? {
                    lane.send(LaneMessage::Execution(job)).await?;
                }
            } else if let Ok(transfer) = row.id.parse::<TransferId>() {
                advance.remember(transfer, row.organization_id).await?;
            }
        }
        match open.next {
            Some(next) => page.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Collects the heads of all lanes in one place, with the time each tip was first seen.
pub fn watch_heads(
    lanes: &BTreeMap<vaultstream_event_schemas::ChainId, LaneHandle>,
    clock: &Arc<dyn Clock>,
    spawn: &Arc<dyn Spawn>,
    stop: &CancellationToken,
) -> watch::Receiver<Heads> {
    let (sender, receiver) = watch::channel(Heads::default());
    let sender = Arc::new(sender);
    for (chain, lane) in lanes {
        let (chain, mut head) = (chain.clone(), lane.head());
        let (sender, clock, stop) = (sender.clone(), clock.clone(), stop.clone());
        spawn.spawn(
            "watch_head",
            Box::pin(async move {
                loop {
                    let seen = head.borrow_and_update().clone();
                    if let Some(head) = seen {
                        let seen_at = clock.now();
                        sender.send_modify(|heads| {
                            let same = heads.get(&chain).is_some_and(|known| known.head.tip == head.tip);
                            let seen_at = if same {
                                heads.get(&chain).map_or(seen_at, |k| k.seen_at)
                            } else {
                                seen_at
                            };
                            heads.insert(chain.clone(), HeadSeen { head, seen_at });
                        });
                    }
                    tokio::select! {
                        () = stop.cancelled() => return,
                        changed = head.changed() => if changed.is_err() { return },
                    }
                }
            }),
        );
    }
    receiver
}
