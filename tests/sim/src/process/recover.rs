//! What was under way when a process died, given back to the next: from the to-do view, as the binary does it.

use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{ExecutionId, ShardNumber, TransferId};
use vaultstream_projectors::read::PageRequest;
use vaultstream_projectors::rows::OpenRow;
use vaultstream_projectors::{Reads, ViewName};
use vaultstream_workflows::advance_transfer::AdvanceTransfer;
use vaultstream_workflows::chain_lane::{LaneMessage, resumed_job};
use vaultstream_workflows::{LaneHandle, Services};

/// Pause before something that failed is begun again, in milliseconds.
const PAUSE_MS: u64 = 500;
/// Open things read at a time; few, so that there are several pages.
const PAGE: usize = 2;

/// The recovery of one shard. Without views everything is read from the log instead.
pub(super) struct Recovery {
    pub(super) services: Services,
    pub(super) reads: Option<Reads>,
    pub(super) shard: ShardNumber,
}

impl Recovery {
    /// Where the to-do view stands.
    pub(super) async fn folded(&self) -> Option<Place> {
        let reads = self.reads.as_ref()?;
        loop {
            match reads.watermarks(ViewName::Transfers).await {
                Ok(marks) => return marks.get(&self.shard).map(|mark| mark.place),
                Err(_) => self.services.clock.sleep_ms(PAUSE_MS).await,
            }
        }
    }

    async fn open(&self) -> Vec<OpenRow> {
        let Some(reads) = &self.reads else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        let mut page = PageRequest {
            after: None,
            limit: PAGE,
        };
        loop {
            match reads.open_in_shard(self.shard, &page).await {
                Ok(open) => {
                    rows.extend(open.rows().cloned());
                    match open.next {
                        Some(next) => page.after = Some(next),
                        None => return rows,
                    }
                }
                Err(_) => self.services.clock.sleep_ms(PAUSE_MS).await,
            }
        }
    }

    /// Gives the lane the executions that are open.
    pub(super) async fn executions(&self, lane: &LaneHandle) {
        for row in self.open().await {
            let Ok(execution) = row.id.parse::<ExecutionId>() else {
                continue;
            };
            loop {
                match resumed_job(&self.services, execution, row.organization_id).await {
                    Ok(Some(job)) => {
                        // A lane that has ended has ended with the process.
                        let _ = lane.send(LaneMessage::Execution(job)).await;
                        break;
                    }
                    Ok(None) => break,
                    Err(_) => self.services.clock.sleep_ms(PAUSE_MS).await,
                }
            }
        }
    }

    /// Gives the deadlines of open transfers back.
    pub(super) async fn transfers(&self, advance: &AdvanceTransfer) {
        for row in self.open().await {
            let Ok(transfer) = row.id.parse::<TransferId>() else {
                continue;
            };
            while advance.remember(transfer, row.organization_id).await.is_err() {
                self.services.clock.sleep_ms(PAUSE_MS).await;
            }
        }
    }
}
