//! The use cases of the transfer context.

use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::execution::v1::Queued;
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{
    AccountId, ExecutionId, OrganizationId, ShardNumber, StreamId, Timestamp, TransferId, VaultId, id,
};

use super::{Transfer, TransferCommand, TransferError};
use crate::error::DomainError;
use crate::execution::{Execution, ExecutionCommand, Slots, spendable};
use crate::transact::{Change, States, Transact};
use crate::vault::{Account, AccountError};

const MIN_DEADLINE_SECONDS: i64 = 60;
const MAX_DEADLINE_SECONDS: i64 = 30 * 24 * 3600;

/// Requests a transfer: the account must be open and able to spend the amount now. Nothing is reserved yet, so of two
/// requests that race for one balance both may be taken; the loser ends when funds are reserved. One whose transaction was
/// signed in a history that is lost is taken whatever is left of the money: it may be what was paid.
#[derive(Debug, Clone)]
pub struct RequestTransfer {
    /// Its id, in the account's shard.
    pub transfer: TransferId,
    /// The tenant.
    pub organization: OrganizationId,
    /// What is requested.
    pub request: v1::Requested,
}

impl Transact for RequestTransfer {
    fn name(&self) -> &'static str {
        "transfer.request"
    }
    fn shard(&self) -> ShardNumber {
        self.transfer.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        let account = self.request.account;
        vec![self.transfer.into(), account.into(), account.slots().into()]
    }
    fn decide(&self, states: &States, now: Timestamp) -> Result<Vec<Change>, DomainError> {
        if states.get::<Transfer>(self.transfer).request.is_none() {
            self.check(states, now)?;
        }
        let request = TransferCommand::Request(self.request.clone());
        let owner = Owner::Vault(self.request.vault);
        let change = states.decide::<Transfer>(self.transfer, &request, self.organization, owner)?;
        Ok(vec![change])
    }
}

impl RequestTransfer {
    fn check(&self, states: &States, now: Timestamp) -> Result<(), DomainError> {
        let account = states.get::<Account>(self.request.account);
        if account.vault.is_some_and(|v| v != self.request.vault) {
            return Err(AccountError::Unknown.into());
        }
        if is_signed_before(states, self.request.account, self.transfer) {
            return Ok(());
        }
        let address = account.sending_address()?;
        if account.chain.as_ref() != Some(&self.request.asset.chain()) {
            return Err(TransferError::WrongChain.into());
        }
        if address == self.request.destination {
            return Err(TransferError::ToItself.into());
        }
        let earliest = now.plus_seconds(MIN_DEADLINE_SECONDS);
        let latest = now.plus_seconds(MAX_DEADLINE_SECONDS);
        if self.request.expires_at < earliest || self.request.expires_at > latest {
            return Err(TransferError::InvalidDeadline.into());
        }
        let slots = states.get::<Slots>(self.request.account.slots());
        let spendable = spendable(account, slots, &self.request.asset);
        if spendable < self.request.amount {
            return Err(TransferError::InsufficientFunds {
                spendable: spendable.to_string(),
                asked: self.request.amount.to_string(),
            }
            .into());
        }
        Ok(())
    }
}

/// Whether a transaction of the transfer was signed in a history that is lost. The account's slots are read.
fn is_signed_before(states: &States, account: AccountId, transfer: TransferId) -> bool {
    let lost = &states.get::<Slots>(account.slots()).lost;
    lost.contains_key(&execution_id(transfer))
}

/// Changes a transfer by itself: screening, approval, denial, withdrawal, lapse. One whose transaction was signed in a
/// history that is lost may be paid already: it cannot end without its execution, and no deadline keeps it from its approval.
#[derive(Debug, Clone)]
pub struct ChangeTransfer {
    /// Which.
    pub transfer: TransferId,
    /// The account that pays.
    pub account: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns it.
    pub vault: VaultId,
    /// The version the caller decided on, when it named one.
    pub expected: Option<u64>,
    /// What to change.
    pub command: TransferCommand,
}

impl Transact for ChangeTransfer {
    fn name(&self) -> &'static str {
        "transfer.change"
    }
    fn shard(&self) -> ShardNumber {
        self.transfer.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        let slots = self.is_decision().then(|| self.account.slots().into());
        std::iter::once(self.transfer.into()).chain(slots).collect()
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        DomainError::check_version(self.expected, states.version(self.transfer))?;
        let change = states.decide::<Transfer>(
            self.transfer,
            &self.in_view_of_lost(states)?,
            self.organization,
            Owner::Vault(self.vault),
        )?;
        Ok(vec![change])
    }
}

impl ChangeTransfer {
    /// Whether people, or a deadline, decide what becomes of it.
    const fn is_decision(&self) -> bool {
        use TransferCommand as C;
        matches!(
            self.command,
            C::Approve { .. } | C::Cancel { .. } | C::Deny { .. } | C::Expire { .. }
        )
    }

    fn in_view_of_lost(&self, states: &States) -> Result<TransferCommand, TransferError> {
        use TransferCommand as C;
        if !self.is_decision() {
            return Ok(self.command.clone());
        }
        let request = states.get::<Transfer>(self.transfer).request.as_ref();
        if request.is_some_and(|request| request.account != self.account) {
            return Err(TransferError::Unknown);
        }
        match &self.command {
            command if !is_signed_before(states, self.account, self.transfer) => Ok(command.clone()),
            C::Approve { .. } => Ok(C::Approve {
                now: Timestamp::default(),
            }),
            _ => Err(TransferError::SignedBefore),
        }
    }
}

/// The id of the one execution of a transfer: derived, so that a second executor collides with the first.
pub fn execution_id(transfer: TransferId) -> ExecutionId {
    let bare = id::derived("execution", &[transfer.uuid().as_bytes(), b"1"]);
    ExecutionId::from_uuid(id::with_shard(bare, transfer.shard()))
}

/// Hands an approved transfer to its execution; both streams are written together or not at all.
#[derive(Debug, Clone)]
pub struct StartExecution {
    /// The transfer.
    pub transfer: TransferId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns it.
    pub vault: VaultId,
    /// How the execution is queued.
    pub queued: Queued,
}

impl Transact for StartExecution {
    fn name(&self) -> &'static str {
        "transfer.start_execution"
    }
    fn shard(&self) -> ShardNumber {
        self.transfer.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.transfer.into(), execution_id(self.transfer).into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let execution = execution_id(self.transfer);
        let owner = Owner::Vault(self.vault);
        let start = TransferCommand::StartExecution { execution };
        let queue = ExecutionCommand::Queue(self.queued.clone());
        Ok(vec![
            states.decide::<Transfer>(self.transfer, &start, self.organization, owner)?,
            states.decide::<Execution>(execution, &queue, self.organization, owner)?,
        ])
    }
}

#[cfg(test)]
mod tests;
