//! Taking a reading of an account's balance: news by its amount, or by its block when a commitment waits for it.
//!
//! A payment stays committed until a reading at or after its block shows the money gone. The amount read then may be
//! the very one that was known before: a deposit made up for the payment, the block was replaced, a token payment failed
//! and only the fee left. Such a reading changes nothing but its block, and that is what frees the commitment.

use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::vault::v1::BalanceObserved;
use vaultstream_event_schemas::{AccountId, OrganizationId, ShardNumber, StreamId, Timestamp, VaultId};

use super::Slots;
use crate::error::DomainError;
use crate::transact::{Change, States, Transact};
use crate::vault::{Account, AccountCommand};

/// Takes a reading of a balance.
#[derive(Debug, Clone)]
pub struct ObserveBalance {
    /// The account.
    pub account: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns the account.
    pub vault: VaultId,
    /// The reading.
    pub reading: BalanceObserved,
}

impl Transact for ObserveBalance {
    fn name(&self) -> &'static str {
        "execution.observe_balance"
    }
    fn shard(&self) -> ShardNumber {
        self.account.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.account.into(), self.account.slots().into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let (asset, height) = (&self.reading.asset, self.reading.block.height);
        let known = states.get::<Account>(self.account).balances.get(asset);
        let awaited = known.is_some_and(|known| {
            states
                .get::<Slots>(self.account.slots())
                .awaits_reading(asset, known.block.height, height)
        });
        let command = if awaited {
            AccountCommand::ConfirmBalance(self.reading.clone())
        } else {
            AccountCommand::ObserveBalance(self.reading.clone())
        };
        let owner = Owner::Vault(self.vault);
        let change = states.decide::<Account>(self.account, &command, self.organization, owner)?;
        Ok(vec![change])
    }
}
