//! Vaults and their accounts: who owns what, on which chain, under which address.

mod account;
mod use_cases;
mod vault_aggregate;

pub use account::{Account, AccountCommand, AccountError, AccountEvent, AccountState, Balance};
pub use use_cases::{ChangeAccount, ChangeVault, CreateVault, RequestAccount};
pub use vault_aggregate::{MAX_ACCOUNTS, Vault, VaultCommand, VaultError, VaultEvent, VaultState};
