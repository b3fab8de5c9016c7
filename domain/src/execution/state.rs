//! The fold of an execution.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::ExecutionStatus;
use vaultstream_event_schemas::chain::{BlockRef, Plan, RawTransaction};
use vaultstream_event_schemas::execution::v1::{self, BroadcastOutcome};
use vaultstream_event_schemas::money::Amount;

use super::ExecutionEvent;

/// Signed bytes and what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// The bytes and their id.
    pub transaction: RawTransaction,
    /// How often nodes were given them.
    pub broadcasts: u32,
}

/// The block an execution is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// The block.
    pub block: BlockRef,
    /// The transaction.
    pub txid: String,
    /// Whether it did what it was meant to.
    pub succeeded: bool,
    /// What the network charged.
    pub fee: Amount,
}

/// An execution, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExecutionState {
    /// Where it is in its life; `None` before it is queued.
    pub status: Option<ExecutionStatus>,
    /// How it was queued.
    pub queued: Option<v1::Queued>,
    /// The transaction as drawn up last.
    pub plan: Option<Plan>,
    /// What was bound for signing.
    pub digest: Option<String>,
    /// Signed bytes, in order.
    pub attempts: Vec<Attempt>,
    /// The block it is in, while it is in one.
    pub inclusion: Option<Inclusion>,
    /// The last broadcast's outcome and words.
    pub last_answer: Option<(BroadcastOutcome, String)>,
}

impl ExecutionState {
    /// Whether a transaction id is one of its attempts.
    pub fn owns(&self, txid: &str) -> bool {
        self.attempts.iter().any(|a| a.transaction.txid == txid)
    }

    pub(super) fn fold(&mut self, event: &ExecutionEvent) {
        use ExecutionStatus as S;
        self.status = Some(match event {
            ExecutionEvent::Queued(e) => {
                self.queued = Some(e.clone());
                S::Queued
            }
            ExecutionEvent::Planned(e) => {
                self.plan = Some(e.plan.clone());
                S::Planned
            }
            ExecutionEvent::Bound(e) => {
                self.plan = Some(e.plan.clone());
                self.digest = Some(e.digest.clone());
                S::Bound
            }
            ExecutionEvent::Signed(e) => {
                let transaction = e.transaction.clone();
                self.attempts.push(Attempt {
                    number: e.attempt,
                    transaction,
                    broadcasts: 0,
                });
                S::Signed
            }
            ExecutionEvent::BroadcastTried(e) => self.fold_broadcast(e),
            ExecutionEvent::Seen(_) => S::Seen,
            ExecutionEvent::Included(e) => {
                self.inclusion = Some(Inclusion {
                    block: e.block.clone(),
                    txid: e.txid.clone(),
                    succeeded: e.succeeded,
                    fee: e.fee,
                });
                S::Included
            }
            ExecutionEvent::Detached(_) => {
                self.inclusion = None;
                S::Broadcasting
            }
            ExecutionEvent::Finalized(_) => S::Finalized,
            ExecutionEvent::Stuck(_) => S::Stuck,
            ExecutionEvent::Dead(e) => match e.proof {
                v1::ProofOfDeath::NeverSigned => S::Dead,
                v1::ProofOfDeath::SlotConsumed { .. } => S::Superseded,
            },
            ExecutionEvent::Reversed(_) => S::Reversed,
        });
    }

    fn fold_broadcast(&mut self, e: &v1::BroadcastTried) -> ExecutionStatus {
        if let Some(attempt) = self.attempts.iter_mut().find(|a| a.number == e.attempt) {
            attempt.broadcasts += 1;
        }
        self.last_answer = Some((e.outcome, e.detail.clone()));
        match (e.outcome, self.status) {
            // An answer that comes after better news does not take that news back.
            (_, Some(s @ (ExecutionStatus::Included | ExecutionStatus::Seen))) => s,
            (BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown, _) => ExecutionStatus::Broadcasting,
            _ => ExecutionStatus::Unknown,
        }
    }
}
