//! Transfers and executions as rows: a Transfer stream and an Execution stream, each folded into its own row. Readers
//! join them; a row never mixes two streams.

use vaultstream_event_schemas::actor::Actor;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_event_schemas::sealed::Sealed;
use vaultstream_event_schemas::status::{ExecutionStatus, TransferStatus};
use vaultstream_event_schemas::transfer::v1::Memo;
use vaultstream_event_schemas::{
    AccountId, Amount, AssetId, ChainId, ExecutionId, Hlc, OrganizationId, TransferId, VaultId,
};

use super::rows;

rows! {
    /// Why something ended badly.
    Failure {
        /// The error code, such as `insufficient-funds`.
        code: String,
        /// What happened, in a sentence.
        detail: String,
    }

    /// A transfer.
    TransferRow {
        /// The paying account.
        account_id: AccountId,
        /// Minor units to pay.
        amount: Amount,
        /// How many approvals it has.
        approvals: u32,
        /// How many it needs; 0 until it was screened.
        approvals_needed: u32,
        /// Who approved it, in order.
        approved_by: Vec<Actor>,
        /// What is paid; names the chain.
        asset: AssetId,
        /// The block it is final in, or was before it was undone.
        block: Option<BlockRef>,
        /// When it was requested.
        created_at: Timestamp,
        /// The shard's clock at its request; lists are ordered by it.
        created_hlc: Hlc,
        /// To whom, in the chain's own text form.
        destination: String,
        /// Its executions, oldest first.
        executions: Vec<ExecutionId>,
        /// When it lapses unless it was approved.
        expires_at: Timestamp,
        /// The integrator's own id.
        external_id: Option<String>,
        /// Why it failed.
        failure: Option<Failure>,
        /// What the network charged, in minor units of the native asset, once it is final.
        fee: Option<Amount>,
        /// The most the network may charge, in minor units of the native asset.
        fee_max: Option<Amount>,
        /// The transfer.
        id: TransferId,
        /// A note, sealed.
        memo: Option<Sealed<Memo>>,
        /// Whether its note was erased. Rows of before there were erasures do not say so, and are right.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        memo_erased: bool,
        /// The tenant.
        organization_id: OrganizationId,
        /// How far its stream is folded.
        pos: u64,
        /// Why it was denied or cancelled.
        reason: Option<String>,
        /// Who asked.
        requested_by: Actor,
        /// The rule that decided how many approvals it needs.
        rule: Option<String>,
        /// Its state.
        status: TransferStatus,
        /// The transaction it is final in.
        txid: Option<String>,
        /// When it last changed.
        updated_at: Timestamp,
        /// The vault that pays.
        vault_id: VaultId,
        /// Counts its own events; the number in its ETag.
        version: u64,
    }

    /// An execution: the on-chain life of one or more transfers.
    ExecutionRow {
        /// The paying account.
        account_id: AccountId,
        /// How many times bytes were signed for its slot.
        attempts: u32,
        /// The block it is in; confirmations are counted from it to the chain's head.
        block: Option<BlockRef>,
        /// How many times bytes were handed to a node.
        broadcasts: u32,
        /// Its chain.
        chain: ChainId,
        /// When it was queued.
        created_at: Timestamp,
        /// The shard's clock then.
        created_hlc: Hlc,
        /// What was signed, lower-case hex with 0x.
        digest: Option<String>,
        /// Why it is dead, or what was seen last when it is stuck.
        failure: Option<Failure>,
        /// What the network charged, once it is in a block.
        fee: Option<Amount>,
        /// The most the network may charge.
        fee_max: Option<Amount>,
        /// The execution.
        id: ExecutionId,
        /// What the last node said, when it did not take the bytes.
        last_error: Option<String>,
        /// How the last node's answer is understood.
        last_outcome: Option<BroadcastOutcome>,
        /// The tenant.
        organization_id: OrganizationId,
        /// How far its stream is folded.
        pos: u64,
        /// The slot value (the nonce).
        slot: Option<u64>,
        /// Its state.
        status: ExecutionStatus,
        /// Whether the transaction did what it was meant to, once it is in a block.
        succeeded: Option<bool>,
        /// The transfers it carries out.
        transfers: Vec<TransferId>,
        /// The transaction: the one in a block, else the newest signed one.
        txid: Option<String>,
        /// When it last changed.
        updated_at: Timestamp,
        /// The vault that pays.
        vault_id: Option<VaultId>,
        /// Counts its own events.
        version: u64,
    }

    /// A transfer or an execution that is not over, as a shard's to-do list names it: a hint, never a decision.
    OpenRow {
        /// The stream, as text.
        id: String,
        /// The tenant.
        organization_id: OrganizationId,
        /// The position of the event that put it here.
        pos: u64,
    }
}
