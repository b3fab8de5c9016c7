//! The use cases of the execution context: every boundary of the saga is one of these, one durable append each.

use vaultstream_event_schemas::chain::Plan;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::execution::v1::{self, ProofOfDeath};
use vaultstream_event_schemas::transfer::v1 as transfer;
use vaultstream_event_schemas::{
    AccountId, Amount, AssetId, ErrorCode, ExecutionId, OrganizationId, ShardNumber, StreamId, Timestamp,
    TransferId, VaultId,
};

use super::{Execution, ExecutionCommand, Slots, SlotsCommand, SlotsError, spendable};
use crate::aggregate::OfState;
use crate::error::DomainError;
use crate::execution::ExecutionError;
use crate::transact::{Change, States, Transact};
use crate::transfer::{Transfer, TransferCommand};
use crate::vault::Account;

/// Which execution, and whose: what every use case of this context begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionScope {
    /// The execution.
    pub execution: ExecutionId,
    /// The paying account.
    pub account: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns the account.
    pub vault: VaultId,
}

impl ExecutionScope {
    /// The execution's stream, further ones of its shard, and those of the transfers it carries.
    fn reads(&self, further: &[StreamId], transfers: &[TransferId]) -> Vec<StreamId> {
        let own = std::iter::once(self.execution.into());
        own.chain(further.iter().copied())
            .chain(transfers.iter().map(|t| StreamId::from(*t)))
            .collect()
    }

    fn decide<D>(
        &self,
        states: &States,
        stream: impl Into<StreamId>,
        command: &D::Command,
    ) -> Result<Change, DomainError>
    where
        D: OfState,
        D::Event: Into<crate::Event>,
        DomainError: From<D::Error>,
    {
        states.decide::<D>(stream, command, self.organization, Owner::Vault(self.vault))
    }

    fn execution(&self, states: &States, command: &ExecutionCommand) -> Result<Change, DomainError> {
        self.decide::<Execution>(states, self.execution, command)
    }

    fn slots(&self, states: &States, command: &SlotsCommand) -> Result<Change, DomainError> {
        self.decide::<Slots>(states, self.account.slots(), command)
    }

    fn transfers(
        &self,
        states: &States,
        transfers: &[TransferId],
        command: &TransferCommand,
    ) -> Result<Vec<Change>, DomainError> {
        transfers
            .iter()
            .map(|t| self.decide::<Transfer>(states, *t, command))
            .collect()
    }
}

/// Commits funds and keeps the plan, together. When the funds are not there the execution is dead and its transfers
/// fail, in the same append.
#[derive(Debug, Clone)]
pub struct ReserveFunds {
    /// Which execution.
    pub scope: ExecutionScope,
    /// The transfers it carries.
    pub transfers: Vec<TransferId>,
    /// The transaction as drawn up now; its slot value is provisional until *bind*.
    pub plan: Plan,
    /// The asset that pays the fee.
    pub fee_asset: AssetId,
}

impl Transact for ReserveFunds {
    fn name(&self) -> &'static str {
        "execution.reserve_funds"
    }
    fn shard(&self) -> ShardNumber {
        self.scope.execution.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        let account = self.scope.account;
        self.scope
            .reads(&[account.into(), account.slots().into()], &self.transfers)
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let planned = self.scope.execution(
            states,
            &ExecutionCommand::Plan(v1::Planned {
                plan: self.plan.clone(),
            }),
        )?;
        if planned.events.is_empty() {
            return Ok(vec![]);
        }
        let account = states.get::<Account>(self.scope.account);
        let slots = states.get::<Slots>(self.scope.account.slots());
        // What was signed in a lost history is followed to its end, whatever has become of the account.
        let is_lost = slots.lost.contains_key(&self.scope.execution);
        if let Err(e) = account.sending_address()
            && !is_lost
        {
            return self.give_up(states, ErrorCode::AccountNotOpen, e.to_string());
        }
        match self.scope.slots(states, &self.reserve(states)?) {
            Ok(slots) => Ok(vec![planned, slots]),
            Err(DomainError::Slots(e @ SlotsError::InsufficientFunds { .. })) => {
                self.give_up(states, ErrorCode::InsufficientFunds, e.to_string())
            }
            Err(e) => Err(e),
        }
    }
}

impl ReserveFunds {
    fn reserve(&self, states: &States) -> Result<SlotsCommand, DomainError> {
        let queued = states
            .get::<Execution>(self.scope.execution)
            .queued
            .as_ref()
            .ok_or(ExecutionError::Unknown)?;
        let (account, slots) = (
            states.get::<Account>(self.scope.account),
            states.get::<Slots>(self.scope.account.slots()),
        );
        let asset = &queued.intent.asset;
        let height = |a: &AssetId| account.balances.get(a).map_or(0, |b| b.block.height);
        let overflow = SlotsError::InsufficientFunds {
            asset: self.fee_asset.clone(),
            spendable: spendable(account, slots, &self.fee_asset),
            needed: Amount::MAX,
        };
        Ok(SlotsCommand::Reserve {
            reserve: v1::SlotReserved {
                amount: queued.intent.amount,
                asset: asset.clone(),
                // Entries are forgotten when every reading they concern is newer; the older reading decides.
                balance_height: height(asset).min(height(&self.fee_asset)),
                execution: self.scope.execution,
                fee_asset: self.fee_asset.clone(),
                fee_max: self.plan.fee_max().ok_or(overflow)?,
            },
            spendable: spendable(account, slots, asset),
            spendable_fee: spendable(account, slots, &self.fee_asset),
        })
    }

    fn give_up(&self, states: &States, code: ErrorCode, detail: String) -> Result<Vec<Change>, DomainError> {
        AbandonExecution {
            scope: self.scope,
            transfers: self.transfers.clone(),
            dead: v1::Dead {
                code: code.to_string(),
                detail,
                proof: ProofOfDeath::NeverSigned,
            },
        }
        .changes(states)
    }
}

/// Fixes slot value and digest on both streams.
#[derive(Debug, Clone)]
pub struct BindSlot {
    /// Which execution.
    pub scope: ExecutionScope,
    /// The transaction with its slot value.
    pub plan: Plan,
    /// Its digest, lower-case hex with 0x.
    pub digest: String,
    /// How many slots the chain has consumed.
    pub floor: u64,
}

impl Transact for BindSlot {
    fn name(&self) -> &'static str {
        "execution.bind_slot"
    }
    fn shard(&self) -> ShardNumber {
        self.scope.execution.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.scope.execution.into(), self.scope.account.slots().into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let (digest, plan) = (self.digest.clone(), self.plan.clone());
        let bound = self
            .scope
            .execution(states, &ExecutionCommand::Bind(v1::Bound { digest, plan }))?;
        if bound.events.is_empty() {
            return Ok(vec![]);
        }
        let unbounded = Amount::MAX;
        let bind = SlotsCommand::Bind {
            bind: v1::SlotBound {
                digest: self.digest.clone(),
                execution: self.scope.execution,
                slot: self.plan.slot(),
            },
            fee_max: self.plan.fee_max().unwrap_or(unbounded),
            floor: self.floor,
        };
        Ok(vec![bound, self.scope.slots(states, &bind)?])
    }
}

/// Records something that concerns the execution alone: signed bytes, a node's answer, a sighting, a block.
#[derive(Debug, Clone)]
pub struct RecordExecution {
    /// Which execution.
    pub scope: ExecutionScope,
    /// What to record.
    pub command: ExecutionCommand,
}

impl Transact for RecordExecution {
    fn name(&self) -> &'static str {
        "execution.record"
    }
    fn shard(&self) -> ShardNumber {
        self.scope.execution.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.scope.execution.into()]
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        Ok(vec![self.scope.execution(states, &self.command)?])
    }
}

/// Concludes execution, slot and transfers once a block is final.
#[derive(Debug, Clone)]
pub struct FinalizeExecution {
    /// Which execution.
    pub scope: ExecutionScope,
    /// The transfers it carries.
    pub transfers: Vec<TransferId>,
    /// What is final.
    pub finalized: v1::Finalized,
}

impl Transact for FinalizeExecution {
    fn name(&self) -> &'static str {
        "execution.finalize"
    }
    fn shard(&self) -> ShardNumber {
        self.scope.execution.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        self.scope
            .reads(&[self.scope.account.slots().into()], &self.transfers)
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let f = &self.finalized;
        let execution = self
            .scope
            .execution(states, &ExecutionCommand::Finalize(f.clone()))?;
        if execution.events.is_empty() {
            return Ok(vec![]);
        }
        let plan = states
            .get::<Execution>(self.scope.execution)
            .plan
            .as_ref()
            .ok_or(ExecutionError::Unknown)?;
        let consumed = v1::SlotConsumed {
            execution: self.scope.execution,
            height: f.block.height,
            slot: plan.slot(),
        };
        let outcome = if f.succeeded {
            TransferCommand::Complete(transfer::Completed {
                block: f.block.clone(),
                fee: f.fee,
                txid: f.txid.clone(),
            })
        } else {
            TransferCommand::Fail(transfer::Failed {
                code: ErrorCode::RevertedOnChain.to_string(),
                detail: format!("transaction {} failed in block {}", f.txid, f.block.height),
            })
        };
        let mut changes = vec![
            execution,
            self.scope.slots(states, &SlotsCommand::Consume(consumed))?,
        ];
        changes.extend(self.scope.transfers(states, &self.transfers, &outcome)?);
        Ok(changes)
    }
}

/// Ends an execution that can never be included, frees its commitment and fails its transfers.
#[derive(Debug, Clone)]
pub struct AbandonExecution {
    /// Which execution.
    pub scope: ExecutionScope,
    /// The transfers it carries.
    pub transfers: Vec<TransferId>,
    /// Why, with the proof.
    pub dead: v1::Dead,
}

impl AbandonExecution {
    fn changes(&self, states: &States) -> Result<Vec<Change>, DomainError> {
        let execution = self
            .scope
            .execution(states, &ExecutionCommand::ProveDead(self.dead.clone()))?;
        if execution.events.is_empty() {
            return Ok(vec![]);
        }
        let release = v1::SlotReleased {
            execution: self.scope.execution,
            proof: self.dead.proof.clone(),
        };
        let failed = transfer::Failed {
            code: self.dead.code.clone(),
            detail: self.dead.detail.clone(),
        };
        let mut changes = vec![
            execution,
            self.scope.slots(states, &SlotsCommand::Release(release))?,
        ];
        changes.extend(
            self.scope
                .transfers(states, &self.transfers, &TransferCommand::Fail(failed))?,
        );
        Ok(changes)
    }
}

impl Transact for AbandonExecution {
    fn name(&self) -> &'static str {
        "execution.abandon"
    }
    fn shard(&self) -> ShardNumber {
        self.scope.execution.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        self.scope
            .reads(&[self.scope.account.slots().into()], &self.transfers)
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        self.changes(states)
    }
}

/// Records that a final block was detached: a breach of finality, for people to look at.
#[derive(Debug, Clone)]
pub struct ReverseExecution {
    /// Which execution.
    pub scope: ExecutionScope,
    /// The transfers it carried.
    pub transfers: Vec<TransferId>,
    /// What was undone.
    pub reversed: v1::Reversed,
}

impl Transact for ReverseExecution {
    fn name(&self) -> &'static str {
        "execution.reverse"
    }
    fn shard(&self) -> ShardNumber {
        self.scope.execution.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        self.scope.reads(&[], &self.transfers)
    }
    fn decide(&self, states: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let r = &self.reversed;
        let execution = self
            .scope
            .execution(states, &ExecutionCommand::Reverse(r.clone()))?;
        if execution.events.is_empty() {
            return Ok(vec![]);
        }
        let undone = TransferCommand::Reverse(transfer::Reversed {
            block: r.block.clone(),
            txid: r.txid.clone(),
        });
        let mut changes = vec![execution];
        changes.extend(self.scope.transfers(states, &self.transfers, &undone)?);
        Ok(changes)
    }
}
