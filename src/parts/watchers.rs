//! Watchers: the lane of every chain whose lease this process has, and what feeds it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_event_schemas::{Family, ShardNumber};
use vaultstream_projectors::{Reads, ViewName};
use vaultstream_workflows::chain_lane::{FeedLane, WatchAccounts};
use vaultstream_workflows::{Chain, ChainLane, LaneHandle, LaneOptions, Reactor, Services};

use super::heads::{HeadBoard, LaneNotes};
use super::workflows::{Recovery, Target};
use super::{Group, Work, under_lease};
use crate::assembly::Assembly;

/// Runs the lanes of every chain whose lease this process has.
pub fn start(
    assembly: &Assembly,
    services: &Services,
    reads: &Reads,
    heads: &HeadBoard,
    stop: &CancellationToken,
) {
    for chain in services.chains.values() {
        let settings = &chain.settings;
        let lane = Lane {
            services: services.clone(),
            reads: reads.clone(),
            chain: chain.clone(),
            heads: heads.clone(),
            notes: LaneNotes::new(assembly, &settings.id, &settings.slug),
        };
        let (spawn, lease) = (assembly.spawn.clone(), format!("watchers/{}", settings.slug));
        under_lease(assembly, lease, stop, move |token| {
            let (lane, group) = (lane.clone(), Group::new(&spawn));
            let work: Work = Box::pin(async move { lane.watch(group, token).await });
            work
        });
    }
}

#[derive(Clone)]
struct Lane {
    services: Services,
    reads: Reads,
    chain: Chain,
    heads: HeadBoard,
    notes: LaneNotes,
}

impl Lane {
    async fn watch(self, group: Group, stop: CancellationToken) {
        let (lane, handle) =
            ChainLane::new(self.services.clone(), self.chain.clone(), LaneOptions::default());
        group.spawn("chain_lane", lane.run(stop.clone()));
        let (heads, notes) = (self.heads.clone(), self.notes.clone());
        group.spawn(
            "watch_head",
            heads.follow_lane(notes, handle.clone(), stop.clone()),
        );
        let family = Family::Chain(self.chain.settings.slug.clone());
        for shard in self.services.log.registry().shards_of(&family) {
            let accounts = Arc::new(WatchAccounts::new(handle.clone()));
            let reactor = Reactor::after(self.services.clone(), accounts, shard, None);
            group.spawn("watch_accounts", reactor.run(stop.clone()));
            let (lane, handle, stop) = (self.clone(), handle.clone(), stop.clone());
            group.spawn("settle_execution", async move {
                lane.settle(shard, handle, stop).await;
            });
        }
        drop(handle);
        group.ended().await;
    }

    /// What the to-do view knows is given to the lane at once; what came after it is read from the log as it comes.
    async fn settle(self, shard: ShardNumber, handle: LaneHandle, stop: CancellationToken) {
        let recovery = Recovery {
            services: self.services.clone(),
            reads: self.reads.clone(),
            shard,
        };
        let folded = loop {
            match self.reads.watermarks(ViewName::Transfers).await {
                Ok(marks) => break marks.get(&shard).map(|mark| mark.place),
                Err(error) => {
                    tracing::warn!(%shard, error = %Causes(&error), "the to-do view cannot be read yet");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.services.clock.sleep_ms(1_000) => {}
            }
        };
        recovery.until_done(&Target::Executions(&handle), &stop).await;
        let feed = Arc::new(FeedLane::new(self.services.clone(), handle));
        Reactor::after(self.services, feed, shard, folded).run(stop).await;
    }
}
