//! The vault as a row: one Vault stream folded.

use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::vault::v1::Tier;
use vaultstream_event_schemas::{AccountId, ChainId, Hlc, OrganizationId, VaultId};

use super::rows;

rows! {
    /// An account as its vault lists it; what the account holds and its address live in its chain's views.
    VaultAccount {
        /// The account.
        account_id: AccountId,
        /// Its chain.
        chain: ChainId,
    }

    /// A vault.
    VaultRow {
        /// Its accounts, in the order they were added.
        accounts: Vec<VaultAccount>,
        /// When it was created.
        created_at: Timestamp,
        /// The shard's clock at its creation; lists are ordered by it.
        created_hlc: Hlc,
        /// The vault.
        id: VaultId,
        /// Its name.
        name: String,
        /// The tenant.
        organization_id: OrganizationId,
        /// How far its stream is folded.
        pos: u64,
        /// Its state.
        status: VaultStatus,
        /// How exposed its keys are.
        tier: Tier,
        /// When it last changed.
        updated_at: Timestamp,
        /// Counts its own events; the number in its ETag.
        version: u64,
    }
}
