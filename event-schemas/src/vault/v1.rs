//! Version 1 of the vault context: vault and account.

use serde::{Deserialize, Serialize};

use crate::caip::{AssetId, ChainId};
use crate::chain::BlockRef;
use crate::id::{AccountId, VaultId};
use crate::money::Amount;
use crate::payloads;

/// How exposed a vault's keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Tier {
    /// Signs without people.
    Hot,
    /// Signs with people.
    Warm,
    /// Signs offline.
    Cold,
}

/// Who holds an account's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Custody {
    /// A software key in the platform's keystore.
    Software,
}

payloads! { 1;
    /// A vault was created.
    VaultCreated = "vault.created" {
        /// Its name; documented as not personal.
        name: String,
        /// How exposed its keys are.
        tier: Tier,
    }
    /// A vault took another name.
    VaultRenamed = "vault.renamed" {
        /// The new name.
        name: String,
    }
    /// A vault got an account; the account lives in its chain's shard.
    AccountAdded = "vault.account_added" {
        /// The account.
        account: AccountId,
        /// Its chain.
        chain: ChainId,
    }
    /// A vault was archived.
    VaultArchived = "vault.archived" {
        /// Why.
        reason: String,
    }
    /// An account was asked for; its key is still to be made.
    AccountRequested = "account.requested" {
        /// Its chain.
        chain: ChainId,
        /// Who will hold its key.
        custody: Custody,
        /// The vault that owns it.
        vault: VaultId,
    }
    /// An account has a key and an address.
    AccountOpened = "account.opened" {
        /// The address, in the chain's own text form.
        address: String,
        /// The public key, lower-case hex.
        public_key: String,
    }
    /// An account was given a label; documented as not personal.
    AccountLabelled = "account.labelled" {
        /// The label.
        label: String,
    }
    /// What an account holds of an asset, read from the chain at a block.
    BalanceObserved = "account.balance_observed" {
        /// The asset.
        asset: AssetId,
        /// The block the reading is true at.
        block: BlockRef,
        /// Minor units held.
        minor: Amount,
    }
    /// An account sends nothing any more.
    AccountFrozen = "account.frozen" {
        /// Why.
        reason: String,
    }
    /// An account may send again.
    AccountUnfrozen = "account.unfrozen" {
        /// Why.
        reason: String,
    }
    /// An account ended.
    AccountClosed = "account.closed" {
        /// Why.
        reason: String,
    }
}
