//! Accounts.

use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::status::AccountStatus;
use vaultstream_event_schemas::vault::v1::Custody;
use vaultstream_event_schemas::{AccountId, ChainId, Timestamp, VaultId};

use crate::page::AssetAmount;

requests! {
    /// Changes an account.
    ChangeAccount {
        /// The new label: 1 to 80 printable characters; not personal data.
        label: String,
    }
}

answers! {
    /// An account: one key on one chain.
    Account {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: AccountId,
        /// The vault that owns it.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        vault_id: VaultId,
        /// CAIP-2 name of its chain.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "eip155:31337"))]
        chain: ChainId,
        /// Who holds its key.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "software"))]
        custody: Custody,
        /// Where it is in its life.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
        status: AccountStatus,
        /// `null` until the account is open.
        address: Option<String>,
        /// A person's name for it.
        label: Option<String>,
        /// What it holds, as last read from its chain.
        balances: Vec<Balance>,
        /// When it was asked for.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        created_at: Timestamp,
        /// Counts its events; the number in its ETag.
        version: u64,
        /// A consistency token, in answers to commands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    }

    /// What an account holds of an asset.
    Balance {
        /// The amount.
        amount: AssetAmount,
        /// The block the reading is true at.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        block: BlockRef,
    }
}
