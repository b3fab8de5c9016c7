//! The Slots aggregate: what an account has committed, and which slot value (nonce) belongs to which execution.
//!
//! Each entry has one owner: reserved → bound → consumed / released. It carries the committed amount and the fee cap;
//! both stay committed until a balance reading at or after the consuming block shows the money gone. Slot values are
//! bound in order without holes; after *bind* an entry is freed by proof only. The map is bounded. What was bound in a
//! history that is lost is kept for the execution it was bound to, and for nobody else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::execution::v1::{self, ProofOfDeath};
use vaultstream_event_schemas::{Amount, AssetId, ErrorCode, ExecutionId};

use super::lost::{LostSlot, MAX_LOST};
use crate::decider::Decider;
use crate::error::Coded;
use crate::vault::AccountState;

/// The most executions of one account in flight, counting consumed ones whose balance was not read since.
pub const MAX_ENTRIES: usize = 256;

/// The Slots aggregate.
pub struct Slots;

crate::wire_events! {
    /// What can happen to an account's slots.
    SlotsEvent {
        /// Funds were committed.
        Reserved(v1::SlotReserved),
        /// A slot value was given out.
        Bound(v1::SlotBound),
        /// It was consumed in a final block.
        Consumed(v1::SlotConsumed),
        /// A commitment was given up.
        Released(v1::SlotReleased),
        /// A slot value was bound in a history that is lost.
        Lost(v1::SlotLost),
    }
}

/// What can be asked of an account's slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotsCommand {
    /// Commit funds; `spendable_*` are what the account can spend now, decided together with it.
    Reserve {
        /// What to commit.
        reserve: v1::SlotReserved,
        /// Spendable minor units of the paid asset.
        spendable: Amount,
        /// Spendable minor units of the fee's asset.
        spendable_fee: Amount,
    },
    /// Give out a slot value.
    Bind {
        /// What to bind.
        bind: v1::SlotBound,
        /// The fee cap of the plan that is bound.
        fee_max: Amount,
        /// How many slots the chain has consumed: slot values below are gone.
        floor: u64,
    },
    /// Record that a slot was consumed in a final block.
    Consume(v1::SlotConsumed),
    /// Give up a commitment.
    Release(v1::SlotReleased),
    /// Remember what was bound in a history that is lost.
    RecordLost(Vec<v1::SlotLost>),
}

/// One commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotEntry {
    /// Minor units of `asset`.
    pub amount: Amount,
    /// The paid asset.
    pub asset: AssetId,
    /// The asset that pays the fee.
    pub fee_asset: AssetId,
    /// The fee cap.
    pub fee_max: Amount,
    /// The slot value, once bound.
    pub slot: Option<u64>,
    /// The height of the final block that consumed it.
    pub consumed: Option<u64>,
}

/// An account's slots, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlotsState {
    /// Commitments by execution.
    pub entries: BTreeMap<ExecutionId, SlotEntry>,
    /// The lowest slot value never bound.
    pub next: u64,
    /// What was bound in lost histories, by execution, until it is bound again.
    pub lost: BTreeMap<ExecutionId, LostSlot>,
}

impl SlotsState {
    /// The slot value that the next bind takes, when the chain has consumed `floor` slots.
    pub fn next_slot(&self, floor: u64) -> u64 {
        self.next.max(floor)
    }

    /// Whether a consumed entry stays committed only for want of a reading of an asset that is newer than the one at
    /// height `known`, and one at `height` is new enough.
    pub fn awaits_reading(&self, asset: &AssetId, known: u64, height: u64) -> bool {
        let concerns = |e: &&SlotEntry| e.asset == *asset || e.fee_asset == *asset;
        let between = |c: u64| known < c && c <= height;
        self.entries
            .values()
            .filter(concerns)
            .any(|e| e.consumed.is_some_and(between))
    }

    /// Minor units of an asset that are committed and not yet gone from a balance read at `height`.
    pub fn committed(&self, asset: &AssetId, height: u64) -> Amount {
        self.entries
            .values()
            .filter(|e| e.consumed.is_none_or(|c| c > height))
            .fold(Amount::ZERO, |sum, e| {
                let amount = if e.asset == *asset { e.amount } else { Amount::ZERO };
                let fee = if e.fee_asset == *asset {
                    e.fee_max
                } else {
                    Amount::ZERO
                };
                let entry = amount.checked_add(fee);
                // A sum beyond 256 bits commits everything there can be.
                entry.and_then(|e| sum.checked_add(e)).unwrap_or(Amount::MAX)
            })
    }
}

/// What an account can spend of an asset: the balance read at a block less what is committed and not gone from it. The
/// fee of what is spent comes out of it too when the asset pays fees.
pub fn spendable(account: &AccountState, slots: &SlotsState, asset: &AssetId) -> Amount {
    account.balances.get(asset).map_or(Amount::ZERO, |b| {
        b.minor.saturating_sub(slots.committed(asset, b.block.height))
    })
}

/// Why an account's slots refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotsError {
    /// Not enough of the asset.
    #[error("the account can spend {spendable} minor units of {asset}, {needed} are needed with the fee")]
    InsufficientFunds {
        /// Which asset.
        asset: AssetId,
        /// Spendable minor units.
        spendable: Amount,
        /// Needed minor units.
        needed: Amount,
    },
    /// As many in flight as there may be.
    #[error("the account has {MAX_ENTRIES} executions in flight")]
    Full,
    /// As many slot values of lost histories as are remembered.
    #[error("the account has {MAX_LOST} slot values of lost histories whose executions have not come again")]
    TooManyLost,
    /// There is no commitment for the execution.
    #[error("nothing is reserved for the execution")]
    NotReserved,
    /// The slot value is not the next one: plan again.
    #[error("slot {given} is not the next one, which is {next}")]
    NotNext {
        /// The planned slot.
        given: u64,
        /// The slot to plan with.
        next: u64,
    },
    /// The plan may cost more than was reserved.
    #[error("the plan's fee cap {planned} exceeds the reserved {reserved}")]
    FeeAboveReserved {
        /// The plan's fee cap.
        planned: Amount,
        /// What was reserved.
        reserved: Amount,
    },
    /// The proof does not cover a bound slot.
    #[error("the slot is bound; only its consumption by a final transaction frees it")]
    NoProof,
}

impl Coded for SlotsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InsufficientFunds { .. } => ErrorCode::InsufficientFunds,
            Self::Full | Self::TooManyLost => ErrorCode::LimitReached,
            Self::NotReserved | Self::NoProof => ErrorCode::StateConflict,
            Self::NotNext { .. } => ErrorCode::Contention,
            Self::FeeAboveReserved { .. } => ErrorCode::FeeCapExceeded,
        }
    }
}

impl Decider for Slots {
    type State = SlotsState;
    type Command = SlotsCommand;
    type Event = SlotsEvent;
    type Error = SlotsError;

    const FOLD_VERSION: u32 = 2;

    fn decide(state: &SlotsState, command: &SlotsCommand) -> Result<Vec<SlotsEvent>, SlotsError> {
        match command {
            SlotsCommand::Reserve { reserve, .. } if state.entries.contains_key(&reserve.execution) => {
                Ok(vec![])
            }
            // The money was committed, and perhaps spent, in the history that is lost.
            SlotsCommand::Reserve { reserve, .. } if state.lost.contains_key(&reserve.execution) => {
                Ok(vec![reserve.clone().into()])
            }
            SlotsCommand::Reserve {
                reserve,
                spendable,
                spendable_fee,
            } => reserve_funds(state, reserve, *spendable, *spendable_fee),
            SlotsCommand::Bind { bind, fee_max, floor } => bind_slot(state, bind, *fee_max, *floor),
            SlotsCommand::Consume(consume) => match state.entries.get(&consume.execution) {
                Some(entry) if entry.consumed.is_some() => Ok(vec![]),
                Some(entry) if entry.slot == Some(consume.slot) => Ok(vec![consume.clone().into()]),
                _ => Err(SlotsError::NotReserved),
            },
            SlotsCommand::Release(release)
                if release.proof == ProofOfDeath::NeverSigned
                    && state.lost.contains_key(&release.execution) =>
            {
                Err(SlotsError::NoProof)
            }
            SlotsCommand::Release(release) => match state.entries.get(&release.execution) {
                None => Ok(vec![]),
                Some(entry) if entry.consumed.is_some() => Err(SlotsError::NoProof),
                Some(entry) => match (entry.slot, &release.proof) {
                    (None, _) => Ok(vec![release.clone().into()]),
                    (Some(slot), ProofOfDeath::SlotConsumed { slot: proven, .. }) if slot == *proven => {
                        Ok(vec![release.clone().into()])
                    }
                    (Some(_), _) => Err(SlotsError::NoProof),
                },
            },
            SlotsCommand::RecordLost(lost) => record_lost(state, lost),
        }
    }

    fn evolve(state: &mut SlotsState, event: &SlotsEvent) {
        match event {
            SlotsEvent::Reserved(e) => {
                state
                    .entries
                    .retain(|_, entry| entry.consumed.is_none_or(|c| c > e.balance_height));
                state.entries.insert(
                    e.execution,
                    SlotEntry {
                        amount: e.amount,
                        asset: e.asset.clone(),
                        fee_asset: e.fee_asset.clone(),
                        fee_max: e.fee_max,
                        slot: None,
                        consumed: None,
                    },
                );
            }
            SlotsEvent::Bound(e) => {
                state.next = state.next.max(e.slot + 1);
                state.lost.remove(&e.execution);
                if let Some(entry) = state.entries.get_mut(&e.execution) {
                    entry.slot = Some(e.slot);
                }
            }
            SlotsEvent::Consumed(e) => {
                if let Some(entry) = state.entries.get_mut(&e.execution) {
                    entry.consumed = Some(e.height);
                }
            }
            SlotsEvent::Released(e) => {
                state.entries.remove(&e.execution);
                state.lost.remove(&e.execution);
            }
            SlotsEvent::Lost(e) => {
                state.next = state.next.max(e.plan.slot() + 1);
                let lost = LostSlot {
                    digest: e.digest.clone(),
                    plan: e.plan.clone(),
                };
                state.lost.insert(e.execution, lost);
            }
        }
    }
}

fn reserve_funds(
    state: &SlotsState,
    reserve: &v1::SlotReserved,
    spendable: Amount,
    spendable_fee: Amount,
) -> Result<Vec<SlotsEvent>, SlotsError> {
    let gone = |e: &&SlotEntry| e.consumed.is_some_and(|c| c <= reserve.balance_height);
    if state.entries.len() - state.entries.values().filter(gone).count() >= MAX_ENTRIES {
        return Err(SlotsError::Full);
    }
    let short = |asset: &AssetId, spendable, needed| SlotsError::InsufficientFunds {
        asset: asset.clone(),
        spendable,
        needed,
    };
    if reserve.asset == reserve.fee_asset {
        let whole = Amount::MAX;
        let needed = reserve.amount.checked_add(reserve.fee_max).unwrap_or(whole);
        if needed > spendable {
            return Err(short(&reserve.asset, spendable, needed));
        }
    } else if reserve.amount > spendable {
        return Err(short(&reserve.asset, spendable, reserve.amount));
    } else if reserve.fee_max > spendable_fee {
        return Err(short(&reserve.fee_asset, spendable_fee, reserve.fee_max));
    }
    Ok(vec![reserve.clone().into()])
}

fn bind_slot(
    state: &SlotsState,
    bind: &v1::SlotBound,
    fee_max: Amount,
    floor: u64,
) -> Result<Vec<SlotsEvent>, SlotsError> {
    let entry = state
        .entries
        .get(&bind.execution)
        .ok_or(SlotsError::NotReserved)?;
    match entry.slot {
        Some(slot) if slot == bind.slot => return Ok(vec![]),
        Some(slot) => {
            return Err(SlotsError::NotNext {
                given: bind.slot,
                next: slot,
            });
        }
        None => {}
    }
    if let Some(lost) = state.lost.get(&bind.execution) {
        return bind_again(lost, bind);
    }
    let next = state.next_slot(floor);
    if bind.slot != next {
        return Err(SlotsError::NotNext {
            given: bind.slot,
            next,
        });
    }
    if fee_max > entry.fee_max {
        return Err(SlotsError::FeeAboveReserved {
            planned: fee_max,
            reserved: entry.fee_max,
        });
    }
    Ok(vec![bind.clone().into()])
}

/// The one transaction that an execution of a lost history may have: whatever the chain has consumed meanwhile, and
/// whatever it costs, it is the one that may be out.
fn bind_again(lost: &LostSlot, bind: &v1::SlotBound) -> Result<Vec<SlotsEvent>, SlotsError> {
    let next = lost.plan.slot();
    if bind.slot == next && bind.digest == lost.digest {
        return Ok(vec![bind.clone().into()]);
    }
    let given = bind.slot;
    Err(SlotsError::NotNext { given, next })
}

/// What the account does not know yet; an execution that has a slot value here has lost nothing.
fn record_lost(state: &SlotsState, lost: &[v1::SlotLost]) -> Result<Vec<SlotsEvent>, SlotsError> {
    let is_bound = |e: &ExecutionId| state.entries.get(e).is_some_and(|entry| entry.slot.is_some());
    let is_new = |l: &&v1::SlotLost| !state.lost.contains_key(&l.execution) && !is_bound(&l.execution);
    let new: Vec<SlotsEvent> = lost.iter().filter(is_new).map(|l| l.clone().into()).collect();
    if state.lost.len() + new.len() > MAX_LOST {
        return Err(SlotsError::TooManyLost);
    }
    Ok(new)
}
