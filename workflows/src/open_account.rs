//! Opens accounts: a vault lists an account in `core`, the account is asked for in its chain's shard, gets its key, and
//! is open once its address is derived from that key.
//!
//! `AccountKeys::create` answers the same key every time, so a crash between key and event repeats harmlessly.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::Event;
use vaultstream_domain::ports::keys::KeySuite;
use vaultstream_domain::vault::{AccountCommand, AccountEvent, ChangeAccount, RequestAccount, VaultEvent};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::vault::v1;
use vaultstream_event_schemas::{AccountId, ChainId, VaultId};

use crate::reactor::{React, ReactError};
use crate::services::Services;

/// The reaction.
pub struct OpenAccount {
    services: Services,
}

impl OpenAccount {
    /// A reaction on these services.
    pub const fn new(services: Services) -> Self {
        Self { services }
    }

    async fn request(&self, stored: &StoredEvent, added: &v1::AccountAdded) -> Result<(), ReactError> {
        let vault = VaultId::try_from(stored.envelope.stream).map_err(ReactError::service)?;
        let request = RequestAccount {
            account: added.account,
            organization: stored.envelope.organization,
            request: v1::AccountRequested {
                chain: added.chain.clone(),
                custody: v1::Custody::Software,
                vault,
            },
        };
        self.execute(stored, request).await
    }

    async fn open(&self, stored: &StoredEvent, requested: &v1::AccountRequested) -> Result<(), ReactError> {
        let account = AccountId::try_from(stored.envelope.stream).map_err(ReactError::service)?;
        let suite = suite_of(&requested.chain)
            .ok_or_else(|| ReactError::service(format!("chain {} has no key suite here", requested.chain)))?;
        let key = self
            .services
            .account_keys
            .create(account, suite)
            .await
            .map_err(ReactError::service)?;
        let address = vaultstream_chain_evm::address_of(&key).map_err(ReactError::service)?;
        let opened = v1::AccountOpened {
            address: vaultstream_chain_evm::checksummed(&address),
            public_key: hex::encode(&key),
        };
        let open = ChangeAccount {
            account,
            organization: stored.envelope.organization,
            vault: requested.vault,
            expected: None,
            command: AccountCommand::Open(opened),
        };
        self.execute(stored, open).await
    }

    async fn execute(
        &self,
        stored: &StoredEvent,
        use_case: impl vaultstream_domain::Transact + 'static,
    ) -> Result<(), ReactError> {
        let context = self.services.context(
            self.name(),
            Some(stored.envelope.event_ref()),
            stored.envelope.trace.clone(),
        );
        Ok(self
            .services
            .commands
            .execute(context, Arc::new(use_case))
            .await?)
    }
}

fn suite_of(chain: &ChainId) -> Option<KeySuite> {
    (chain.namespace() == "eip155").then_some(KeySuite::Secp256k1)
}

#[async_trait]
impl React for OpenAccount {
    fn name(&self) -> &'static str {
        "open_account"
    }
    fn wants(&self, event_type: &str) -> bool {
        matches!(event_type, "vault.account_added" | "account.requested")
    }
    async fn react(&self, stored: &StoredEvent, event: &Event) -> Result<(), ReactError> {
        match event {
            Event::Vault(VaultEvent::AccountAdded(added)) => self.request(stored, added).await,
            Event::Account(AccountEvent::Requested(requested)) => self.open(stored, requested).await,
            _ => Ok(()),
        }
    }
}
