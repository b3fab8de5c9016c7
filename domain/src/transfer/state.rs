//! The fold of a transfer.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{ExecutionId, TransferStatus};

use super::TransferEvent;

/// A transfer, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TransferState {
    /// Where it is in its life; `None` before it is requested.
    pub status: Option<TransferStatus>,
    /// What was requested.
    pub request: Option<v1::Requested>,
    /// How many approvals it needs, once it was screened.
    pub approvals_needed: u32,
    /// How many it has.
    pub approvals: u32,
    /// The execution that carries it.
    pub execution: Option<ExecutionId>,
    /// Whether its memo was ordered to be destroyed; the request names none from then on.
    pub is_memo_erased: bool,
}

impl TransferState {
    pub(super) fn fold(&mut self, event: &TransferEvent) {
        self.status = Some(match event {
            TransferEvent::MemoErased(_) => {
                self.is_memo_erased = true;
                if let Some(request) = &mut self.request {
                    request.memo = None;
                }
                // Its life goes on as it was.
                return;
            }
            TransferEvent::Requested(e) => {
                self.request = Some(e.clone());
                TransferStatus::Requested
            }
            TransferEvent::Screened(e) => {
                self.approvals_needed = e.approvals_needed;
                if e.approvals_needed == 0 {
                    TransferStatus::Approved
                } else {
                    TransferStatus::AwaitingApproval
                }
            }
            TransferEvent::Approved(e) => {
                self.approvals = e.approvals;
                if e.approvals >= self.approvals_needed {
                    TransferStatus::Approved
                } else {
                    TransferStatus::AwaitingApproval
                }
            }
            TransferEvent::Denied(_) => TransferStatus::Rejected,
            TransferEvent::Cancelled(_) => TransferStatus::Cancelled,
            TransferEvent::Expired(_) => TransferStatus::Expired,
            TransferEvent::ExecutionStarted(e) => {
                self.execution = Some(e.execution);
                TransferStatus::Executing
            }
            TransferEvent::Completed(_) => TransferStatus::Completed,
            TransferEvent::Failed(_) => TransferStatus::Failed,
            TransferEvent::Reversed(_) => TransferStatus::Reversed,
        });
    }
}
