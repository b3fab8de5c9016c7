//! Workflows: the reactors of every shard, a lease for each family.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::Keyring;
use vaultstream_event_schemas::{ExecutionId, Family, ShardNumber, TransferId};
use vaultstream_projectors::Reads;
use vaultstream_projectors::read::PageRequest;
use vaultstream_workflows::advance_transfer::AdvanceTransfer;
use vaultstream_workflows::chain_lane::{LaneMessage, resumed_job};
use vaultstream_workflows::open_account::OpenAccount;
use vaultstream_workflows::{CarryOutErasures, LaneHandle, Reactor, Services};

use super::{Group, Work, under_lease};
use crate::assembly::Assembly;

/// Open things read from the to-do view at a time.
const PAGE: usize = 500;
/// Pause before something that failed is begun again.
const PAUSE_MS: u64 = 1_000;

/// Runs the reactors of every family whose lease this process has.
pub fn start(assembly: &Assembly, services: &Services, reads: &Reads, stop: &CancellationToken) {
    let registry = assembly.engines.log.registry();
    let families: BTreeSet<Family> = registry
        .entries()
        .iter()
        .map(|entry| entry.family.clone())
        .collect();
    for family in families.into_iter().filter(|family| *family != Family::Audit) {
        let (services, reads, spawn) = (services.clone(), reads.clone(), assembly.spawn.clone());
        let lease = format!("workflows/{family}");
        let keyring: Arc<dyn Keyring> = assembly.keystore.clone();
        under_lease(assembly, lease, stop, move |token| {
            let (services, reads, family) = (services.clone(), reads.clone(), family.clone());
            let group = Group::new(&spawn);
            for shard in services.log.registry().shards_of(&family) {
                let (clock, tailer) = (services.clock.clone(), services.tailer.clone());
                let erasures = CarryOutErasures::new(keyring.clone(), clock, tailer, shard);
                group.spawn("carry_out_erasures", erasures.run(token.clone()));
            }
            let work: Work = Box::pin(async move { react(services, reads, family, group, token).await });
            work
        });
    }
}

async fn react(services: Services, reads: Reads, family: Family, group: Group, stop: CancellationToken) {
    let shards: Vec<ShardNumber> = services.log.registry().shards_of(&family).collect();
    let open_account = Arc::new(OpenAccount::new(services.clone()));
    for shard in &shards {
        let reactor = Reactor::new(services.clone(), open_account.clone(), *shard);
        group.spawn("open_account", reactor.run(stop.clone()));
    }
    if let Family::Chain(_) = family {
        let advance = Arc::new(AdvanceTransfer::new(services.clone()));
        for shard in shards {
            let reactor = Reactor::new(services.clone(), advance.clone(), shard);
            group.spawn("advance_transfer", reactor.run(stop.clone()));
            let recovery = Recovery {
                services: services.clone(),
                reads: reads.clone(),
                shard,
            };
            let (advance, stop) = (advance.clone(), stop.clone());
            group.spawn("recover_transfers", async move {
                recovery.until_done(&Target::Transfers(&advance), &stop).await;
            });
        }
        group.spawn("transfer_deadlines", advance.run_deadlines(stop));
    }
    group.ended().await;
}

/// Who is given back what was under way.
pub enum Target<'a> {
    /// The deadlines of open transfers.
    Transfers(&'a AdvanceTransfer),
    /// The executions of a chain.
    Executions(&'a LaneHandle),
}

/// Gives back what was under way in a shard when its work was last put down.
pub struct Recovery {
    /// What workflows run on.
    pub services: Services,
    /// Where the to-do view is read.
    pub reads: Reads,
    /// Of which shard.
    pub shard: ShardNumber,
}

impl Recovery {
    /// Tries until it is done or `stop`.
    pub async fn until_done(&self, target: &Target<'_>, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let Err(error) = self.run(target).await else {
                return;
            };
            tracing::warn!(shard = %self.shard, error = format!("{error:#}"), "what was under way cannot be read yet");
            self.services.clock.sleep_ms(PAUSE_MS).await;
        }
    }

    async fn run(&self, target: &Target<'_>) -> Result<()> {
        let mut page = PageRequest {
            after: None,
            limit: PAGE,
        };
        loop {
            let open = self.reads.open_in_shard(self.shard, &page).await?;
            for row in open.rows() {
                match target {
                    Target::Executions(lane) => {
                        let Ok(execution) = row.id.parse::<ExecutionId>() else {
                            continue;
                        };
                        let job = resumed_job(&self.services, execution, row.organization_id).await?;
                        if let Some(job) = job {
                            lane.send(LaneMessage::Execution(job)).await?;
                        }
                    }
                    Target::Transfers(advance) => {
                        if let Ok(transfer) = row.id.parse::<TransferId>() {
                            advance.remember(transfer, row.organization_id).await?;
                        }
                    }
                }
            }
            match open.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}
