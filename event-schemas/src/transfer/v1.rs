//! Version 1 of the transfer context: the intent to move money once.

use serde::{Deserialize, Serialize};

use crate::caip::AssetId;
use crate::chain::BlockRef;
use crate::clock::Timestamp;
use crate::erasure::Grounds;
use crate::id::{AccountId, ExecutionId, VaultId};
use crate::money::Amount;
use crate::payloads;
use crate::sealed::{Personal, Sealed};

/// A note of the sender; personal, therefore only ever sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memo(pub String);

impl Personal for Memo {
    const NAME: &'static str = "transfer.memo";
}

payloads! { 1;
    /// A transfer was requested.
    Requested = "transfer.requested" {
        /// The paying account.
        account: AccountId,
        /// Minor units to pay.
        amount: Amount,
        /// What is paid.
        asset: AssetId,
        /// To whom, in the chain's own text form.
        destination: String,
        /// When it lapses unless it was approved.
        expires_at: Timestamp,
        /// The integrator's own id, bound by a claim.
        external_id: Option<String>,
        /// The most the network may charge, in minor units of the native asset.
        fee_max: Option<Amount>,
        /// A note, sealed.
        memo: Option<Sealed<Memo>>,
        /// The vault that owns the paying account.
        vault: VaultId,
    }
    /// Screening and policy were evaluated and let it pass.
    Screened = "transfer.screened" {
        /// How many approvals it needs; 0 approves it at once.
        approvals_needed: u32,
        /// The rule that decided, in words.
        rule: String,
    }
    /// An approver approved it; who is in the envelope.
    Approved = "transfer.approved" {
        /// How many approvals it has now.
        approvals: u32,
    }
    /// An approver denied it, which ends it.
    Denied = "transfer.denied" {
        /// Why.
        reason: String,
    }
    /// It was withdrawn before execution.
    Cancelled = "transfer.cancelled" {
        /// Why.
        reason: String,
    }
    /// Nobody approved it in time.
    Expired = "transfer.expired" {
        /// The deadline that passed.
        deadline: Timestamp,
    }
    /// An execution carries it to the chain.
    ExecutionStarted = "transfer.execution_started" {
        /// The execution.
        execution: ExecutionId,
    }
    /// It is final on chain.
    Completed = "transfer.completed" {
        /// The block.
        block: BlockRef,
        /// What the network charged, in minor units of the native asset.
        fee: Amount,
        /// The transaction.
        txid: String,
    }
    /// It ended without moving its money.
    Failed = "transfer.failed" {
        /// The error code, such as `insufficient-funds`.
        code: String,
        /// What happened, in a sentence.
        detail: String,
    }
    /// It was final and its chain undid it.
    Reversed = "transfer.reversed" {
        /// The block that was detached.
        block: BlockRef,
        /// The transaction that is undone.
        txid: String,
    }
    /// The key of its memo was ordered to be destroyed: nobody reads it any more.
    MemoErased = "transfer.memo_erased" {
        /// On what grounds.
        grounds: Grounds,
    }
}
