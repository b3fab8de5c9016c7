//! Transfers and the executions that carry them out.

use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::status::{ExecutionStatus, TransferStatus};
use vaultstream_event_schemas::{
    AccountId, Actor, ErrorCode, ExecutionId, OrganizationId, Timestamp, TransferId, VaultId,
};

use crate::page::AssetAmount;

requests! {
    /// Requests a transfer. Name the paying account by `accountId`, or by `vaultId` when the vault has one account on
    /// the asset's chain.
    RequestTransfer {
        /// The vault that pays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vault_id: Option<String>,
        /// The account that pays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account_id: Option<String>,
        /// CAIP-19 name of what is paid.
        #[cfg_attr(feature = "openapi", schema(example = "eip155:31337/slip44:60"))]
        asset: String,
        /// Minor units, a decimal string above zero and below 2^256.
        #[cfg_attr(feature = "openapi", schema(example = "1500000000000000000"))]
        amount: String,
        /// To whom, in the chain's own text form.
        destination: String,
        /// The integrator's own id for this transfer, unique for ever: 1 to 128 visible ASCII characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_id: Option<String>,
        /// A note of at most 500 characters; kept encrypted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memo: Option<String>,
        /// The most the network may charge, in minor units of the chain's native asset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fee_max: Option<String>,
        /// In how many seconds it lapses unless it was approved: 120 to 2,592,000; a day unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in: Option<u64>,
        /// Checks everything and changes nothing; also as `?dryRun=true`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dry_run: Option<bool>,
    }
}

answers! {
    /// A transfer that was taken; the same for every retry with the same Idempotency-Key.
    TransferAccepted {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: TransferId,
        /// The state it was born in.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "requested"))]
        status: TransferStatus,
        /// The vault that pays.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        vault_id: VaultId,
        /// The account that pays.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        account_id: AccountId,
        /// A consistency token: a read with `atLeast` set to it sees the transfer.
        token: String,
    }

    /// What a transfer would do; nothing was changed.
    TransferPreview {
        /// The vault that would pay.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        vault_id: VaultId,
        /// The account that would pay.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        account_id: AccountId,
        /// Its address.
        source: String,
        /// The destination in the chain's checked form.
        destination: String,
        /// What would be paid.
        amount: AssetAmount,
        /// What the account holds of the asset, as last read from its chain.
        balance: AssetAmount,
        /// What the network would charge; absent when its node does not answer.
        fee: Option<FeeEstimate>,
        /// How many approvals it would wait for.
        approvals_needed: u32,
    }

    /// What the network charges.
    FeeEstimate {
        /// What is to be expected.
        expected: AssetAmount,
        /// The most it can come to.
        max: AssetAmount,
    }

    /// A transfer.
    Transfer {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: TransferId,
        /// The organization that pays.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization_id: OrganizationId,
        /// The vault that pays.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        vault_id: VaultId,
        /// The account that pays.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        account_id: AccountId,
        /// Where it is in its life.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "completed"))]
        status: TransferStatus,
        /// What is paid.
        amount: AssetAmount,
        /// To whom.
        destination: String,
        /// The integrator's own id.
        external_id: Option<String>,
        /// The note; absent in lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memo: Option<String>,
        /// Whether the note was erased: its key is destroyed and nobody can read it any more. Absent when it was not.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        memo_erased: bool,
        /// The most the network may charge.
        fee_max: Option<AssetAmount>,
        /// How many approvals it needs, once that is decided.
        approvals_needed: Option<u32>,
        /// Who approved it, in order.
        approvals: Vec<Approver>,
        /// Why it was denied, cancelled or failed.
        failure: Option<Failure>,
        /// When it lapses unless it was approved.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        expires_at: Timestamp,
        /// When it was requested.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        created_at: Timestamp,
        /// When it last changed.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        updated_at: Timestamp,
        /// Its on-chain lives, oldest first.
        executions: Vec<Execution>,
        /// Counts its events; the number in its ETag.
        version: u64,
        /// A consistency token, in answers to commands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    }

    /// Who approved, and when.
    Approver {
        /// `key:key_…` or `session:ses_…`.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        actor: Actor,
        /// When; absent in lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
        at: Option<Timestamp>,
    }

    /// Why a transfer ended without moving money.
    Failure {
        /// The stable code; absent where a person's reason says it.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "insufficient-funds"))]
        code: Option<ErrorCode>,
        /// What happened, in a sentence.
        detail: String,
    }

    /// The on-chain life of a transfer.
    Execution {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: ExecutionId,
        /// Where it is in its life.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "included"))]
        status: ExecutionStatus,
        /// The transaction's id, once it is signed.
        txid: Option<String>,
        /// How many attempts were signed on its slot.
        attempts: u32,
        /// How deep its block is; `null` until it is in one, or while the chain's head is not known.
        confirmations: Option<u64>,
        /// The block it is in.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        block: Option<BlockRef>,
        /// What the network charged.
        fee: Option<AssetAmount>,
    }
}
