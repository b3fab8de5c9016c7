//! Accounts and what they hold, as rows: one Account stream folded into several rows.

use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::status::AccountStatus;
use vaultstream_event_schemas::vault::v1::Custody;
use vaultstream_event_schemas::{AccountId, Amount, AssetId, ChainId, OrganizationId, VaultId};

use super::rows;

rows! {
    /// An account.
    AccountRow {
        /// Its address in the chain's own text form; none until it is open.
        address: Option<String>,
        /// Its chain.
        chain: ChainId,
        /// When it was asked for.
        created_at: Timestamp,
        /// Who holds its key.
        custody: Custody,
        /// The account.
        id: AccountId,
        /// Its label.
        label: Option<String>,
        /// The tenant.
        organization_id: OrganizationId,
        /// How far its stream is folded.
        pos: u64,
        /// Why it is frozen or closed.
        reason: Option<String>,
        /// Its state.
        status: AccountStatus,
        /// When it last changed, balance readings left out.
        updated_at: Timestamp,
        /// The vault that owns it.
        vault_id: VaultId,
        /// Counts its own events; the number in its ETag.
        version: u64,
    }

    /// What an account holds of one asset, as last read from its chain.
    BalanceRow {
        /// The account.
        account_id: AccountId,
        /// The asset.
        asset: AssetId,
        /// The block the reading is true at.
        block: BlockRef,
        /// Minor units held.
        minor: Amount,
        /// When it was read.
        observed_at: Timestamp,
        /// The tenant.
        organization_id: OrganizationId,
        /// How far its stream is folded.
        pos: u64,
        /// The vault that owns the account.
        vault_id: VaultId,
    }
}
