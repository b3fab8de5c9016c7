//! The rules a transaction must pass to enter the pool, in geth's order and with geth's words, because clients tell
//! refusals apart by their text.

use std::{fmt, sync::Arc};

use revm::primitives::{Address, B256, U256};

use super::{Entry, MAX_QUEUED, MAX_TRANSACTIONS, Pool};
use crate::{
    fee::{BLOCK_GAS_LIMIT, MAX_INIT_CODE, intrinsic_gas},
    hash::EMPTY_CODE,
    state::Account,
    transaction::Transaction,
};

/// geth's limit for one transaction in the pool.
const MAX_BYTES: usize = 128 * 1024;
/// A replacement must raise both fees by this many percent.
const PRICE_BUMP: u128 = 10;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("oversized data: transaction size {0}, limit {MAX_BYTES}")]
    TooLong(usize),
    #[error("max initcode size exceeded: code size {0}, limit {MAX_INIT_CODE}")]
    InitCode(usize),
    #[error("exceeds block gas limit")]
    GasLimit,
    #[error(
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}"
    )]
    TipAboveCap { tip: u128, cap: u128 },
    #[error("intrinsic gas too low: gas {have}, minimum needed {want}")]
    IntrinsicGas { have: u64, want: u64 },
    #[error("nonce has max value: address {0}, nonce: {max}", max = u64::MAX)]
    NonceMax(Address),
    #[error("already known")]
    Known,
    #[error("sender not an eoa: address {0}")]
    SenderHasCode(Address),
    #[error("nonce too low: next nonce {next}, tx nonce {have}")]
    NonceTooLow { next: u64, have: u64 },
    #[error("insufficient funds for gas * price + value: {0}")]
    Funds(Box<Shortfall>),
    #[error("insufficient funds for gas * price + value: tx cost exceeds 256 bits")]
    CostOverflow,
    #[error("replacement transaction underpriced")]
    Underpriced,
    #[error("account limit exceeded: {MAX_QUEUED} transactions of this sender wait behind a nonce gap")]
    AccountFull,
    #[error("txpool is full")]
    Full,
}

/// Wei that are there, that other transactions of the sender in the pool may take, and that this one may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shortfall {
    balance: U256,
    queued: U256,
    cost: U256,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            balance,
            queued,
            cost,
        } = self;
        let over = queued.saturating_add(*cost).saturating_sub(*balance);
        match queued.is_zero() {
            true => write!(out, "balance {balance}, tx cost {cost}, overshot {over}"),
            false => write!(
                out,
                "balance {balance}, queued cost {queued}, tx cost {cost}, overshot {over}"
            ),
        }
    }
}

/// What can be judged without any state.
fn check_alone(tx: &Transaction) -> Result<(), Refusal> {
    let payload = &tx.payload;
    if tx.raw.len() > MAX_BYTES {
        return Err(Refusal::TooLong(tx.raw.len()));
    }
    if payload.to.is_none() && payload.input.len() > MAX_INIT_CODE {
        return Err(Refusal::InitCode(payload.input.len()));
    }
    if payload.gas_limit > BLOCK_GAS_LIMIT {
        return Err(Refusal::GasLimit);
    }
    if payload.max_tip > payload.max_fee {
        return Err(Refusal::TipAboveCap {
            tip: payload.max_tip,
            cap: payload.max_fee,
        });
    }
    let want = intrinsic_gas(payload);
    if payload.gas_limit < want {
        return Err(Refusal::IntrinsicGas {
            have: payload.gas_limit,
            want,
        });
    }
    if payload.nonce == u64::MAX {
        Err(Refusal::NonceMax(tx.sender))
    } else {
        Ok(())
    }
}

impl Pool {
    /// Takes `tx` in, given its sender's account at the head; returns the hash it replaced, if any.
    pub(crate) fn admit(&mut self, tx: Arc<Transaction>, account: &Account) -> Result<Option<B256>, Refusal> {
        if self.hashes.contains_key(&tx.hash) {
            return Err(Refusal::Known);
        }
        check_alone(&tx)?;
        if account.code_hash != EMPTY_CODE {
            return Err(Refusal::SenderHasCode(tx.sender));
        }
        let (sender, nonce) = (tx.sender, tx.payload.nonce);
        if nonce < account.nonce {
            return Err(Refusal::NonceTooLow {
                next: account.nonce,
                have: nonce,
            });
        }
        let replaced = self
            .senders
            .get(&sender)
            .and_then(|entries| entries.get(&nonce))
            .map(|entry| entry.tx.clone());
        self.check_funds(&tx, account, replaced.as_deref())?;
        match &replaced {
            Some(old) if !outbids(&tx, old) => return Err(Refusal::Underpriced),
            Some(_) => {}
            None => self.check_room(&tx, account)?,
        }
        if let Some(old) = &replaced {
            self.remove(&old.hash);
        }
        self.arrivals += 1;
        self.hashes.insert(tx.hash, (sender, nonce));
        let entry = Entry {
            tx,
            arrival: self.arrivals,
        };
        self.senders.entry(sender).or_default().insert(nonce, entry);
        Ok(replaced.map(|old| old.hash))
    }

    fn check_funds(
        &self,
        tx: &Transaction,
        account: &Account,
        old: Option<&Transaction>,
    ) -> Result<(), Refusal> {
        let balance = account.balance;
        let cost = tx.cost().ok_or(Refusal::CostOverflow)?;
        let refuse = |queued| {
            Err(Refusal::Funds(Box::new(Shortfall {
                balance,
                queued,
                cost,
            })))
        };
        if cost > balance {
            return refuse(U256::ZERO);
        }
        let others = self
            .senders
            .get(&tx.sender)
            .into_iter()
            .flat_map(|entries| entries.values());
        let others = others.filter(|entry| old.is_none_or(|old| old.hash != entry.tx.hash));
        let queued = others.fold(U256::ZERO, |sum, entry| {
            sum.saturating_add(entry.tx.cost().unwrap_or(U256::MAX))
        });
        if queued.saturating_add(cost) > balance {
            refuse(queued)
        } else {
            Ok(())
        }
    }

    fn check_room(&self, tx: &Transaction, account: &Account) -> Result<(), Refusal> {
        if self.len() >= MAX_TRANSACTIONS {
            return Err(Refusal::Full);
        }
        let end = self.nonce_after(&tx.sender, account.nonce);
        if tx.payload.nonce <= end {
            return Ok(());
        }
        let behind = self
            .senders
            .get(&tx.sender)
            .map_or(0, |entries| entries.range(end..).count());
        if behind >= MAX_QUEUED {
            Err(Refusal::AccountFull)
        } else {
            Ok(())
        }
    }
}

/// Whether `new` raises both fees of `old` enough to take its place; the threshold is rounded down, as geth does.
fn outbids(new: &Transaction, old: &Transaction) -> bool {
    let beats = |new: u128, old: u128| {
        let wanted = U256::from(old) * U256::from(100 + PRICE_BUMP) / U256::from(100u8);
        new > old && U256::from(new) >= wanted
    };
    beats(new.payload.max_fee, old.payload.max_fee) && beats(new.payload.max_tip, old.payload.max_tip)
}
