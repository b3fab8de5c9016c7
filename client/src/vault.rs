//! Vaults.

use vaultstream_event_schemas::status::{AccountStatus, VaultStatus};
use vaultstream_event_schemas::vault::v1::Tier;
use vaultstream_event_schemas::{AccountId, ChainId, OrganizationId, Timestamp, VaultId};

requests! {
    /// Creates a vault with an account on each named chain.
    CreateVault {
        /// 1 to 80 printable characters; not personal data.
        name: String,
        /// How exposed its keys are: `hot` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "hot"))]
        tier: Option<Tier>,
        /// CAIP-2 names of the chains to open an account on; at most 16.
        #[serde(default)]
        chains: Vec<String>,
    }

    /// Changes a vault.
    ChangeVault {
        /// The new name.
        name: String,
    }

    /// Adds an account to a vault.
    AddAccount {
        /// CAIP-2 name of the chain.
        chain: String,
    }
}

answers! {
    /// A vault.
    Vault {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: VaultId,
        /// The organization that owns it.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization_id: OrganizationId,
        /// Its name.
        name: String,
        /// How exposed its keys are.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "hot"))]
        tier: Tier,
        /// Where it is in its life.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "active"))]
        status: VaultStatus,
        /// Its accounts, in the order they were added.
        accounts: Vec<VaultAccount>,
        /// When it was created.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        created_at: Timestamp,
        /// Counts its events; the number in its ETag.
        version: u64,
        /// A consistency token, in answers to commands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    }

    /// An account as its vault lists it.
    VaultAccount {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: AccountId,
        /// CAIP-2 name of its chain.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "eip155:31337"))]
        chain: ChainId,
        /// Where it is in its life.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
        status: AccountStatus,
        /// `null` until the account is open.
        address: Option<String>,
    }
}
