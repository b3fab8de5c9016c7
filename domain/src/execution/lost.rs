//! What an account learns of a history that is lost: slot values that were bound there and signed.
//!
//! The signed transactions may be on chain, or come there any time. So their slot values are never given to anybody
//! else, and the executions they were bound to get exactly the same transaction again: the same bytes, which cannot
//! pay twice.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::chain::Plan;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::execution::v1;
use vaultstream_event_schemas::{AccountId, OrganizationId, ShardNumber, StreamId, Timestamp, VaultId};

use super::{Slots, SlotsCommand};
use crate::error::DomainError;
use crate::transact::{Change, States, Transact};

/// The most slot values an account remembers of lost histories and whose executions have not come again.
pub const MAX_LOST: usize = 16_384;
/// The most that one use case records; an account with more takes several.
pub const MAX_LOST_AT_ONCE: usize = 128;

/// A slot value of a lost history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostSlot {
    /// What was signed, lower-case hex with 0x.
    pub digest: String,
    /// The transaction.
    pub plan: Plan,
}

/// Records slot values of a lost history in an account's slots, in one append.
#[derive(Debug, Clone)]
pub struct RecordLostSlots {
    /// The account.
    pub account: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns the account.
    pub vault: VaultId,
    /// What was bound; at most [`MAX_LOST_AT_ONCE`].
    pub lost: Vec<v1::SlotLost>,
}

impl Transact for RecordLostSlots {
    fn name(&self) -> &'static str {
        "execution.record_lost_slots"
    }
    fn shard(&self) -> ShardNumber {
        self.account.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.account.slots().into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let command = SlotsCommand::RecordLost(self.lost.clone());
        let owner = Owner::Vault(self.vault);
        let change = states.decide::<Slots>(self.account.slots(), &command, self.organization, owner)?;
        Ok(vec![change])
    }
}

#[cfg(test)]
mod tests;
