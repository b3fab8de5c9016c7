//! The mempool: what was accepted and not yet mined. It lives in memory only, as nodes may lose theirs.
//!
//! Invariants: at most one transaction per sender and nonce; at most [`MAX_TRANSACTIONS`] in all and [`MAX_QUEUED`]
//! per sender behind a nonce gap; the sum of what a sender's transactions may cost never exceeds its balance at the
//! time the last of them was accepted.

mod admit;
mod select;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use revm::primitives::{Address, B256};

pub(crate) use self::{admit::Refusal, select::Feed};
use crate::{state::Account, transaction::Transaction};

/// Room for this many transactions.
pub(crate) const MAX_TRANSACTIONS: usize = 4096;
/// Room for this many transactions of one sender behind a gap.
pub(crate) const MAX_QUEUED: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Pool {
    senders: HashMap<Address, BTreeMap<u64, Entry>>,
    hashes: HashMap<B256, (Address, u64)>,
    arrivals: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    tx: Arc<Transaction>,
    arrival: u64,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<&Arc<Transaction>> {
        let (sender, nonce) = self.hashes.get(hash)?;
        self.senders.get(sender)?.get(nonce).map(|entry| &entry.tx)
    }

    /// The nonce after the gap-free run that starts at `next`.
    pub(crate) fn nonce_after(&self, sender: &Address, next: u64) -> u64 {
        next + self.run_from(sender, next).count() as u64
    }

    /// Removes a transaction; those of higher nonces stay and wait behind the gap.
    pub(crate) fn remove(&mut self, hash: &B256) -> Option<Arc<Transaction>> {
        let (sender, nonce) = self.hashes.remove(hash)?;
        let entries = self.senders.get_mut(&sender)?;
        let entry = entries.remove(&nonce);
        if entries.is_empty() {
            self.senders.remove(&sender);
        }
        entry.map(|entry| entry.tx)
    }

    /// Drops what can never be mined on the state that `account` shows: used nonces, and costs above the balance.
    pub(crate) fn drop_unexecutable(&mut self, account: impl Fn(&Address) -> Account) -> Vec<B256> {
        let mut dead = Vec::new();
        for (sender, entries) in &self.senders {
            let account = account(sender);
            let gone = entries.values().map(|entry| &entry.tx).filter(|tx| {
                tx.payload.nonce < account.nonce || tx.cost().is_none_or(|cost| cost > account.balance)
            });
            dead.extend(gone.map(|tx| tx.hash));
        }
        dead.iter().for_each(|hash| drop(self.remove(hash)));
        dead
    }

    /// How many could be mined in order now, and how many wait behind a gap.
    pub(crate) fn status(&self, nonce: impl Fn(&Address) -> u64) -> (usize, usize) {
        let pending = self
            .senders
            .keys()
            .map(|sender| self.run_from(sender, nonce(sender)).count())
            .sum();
        (pending, self.len() - pending)
    }

    fn run_from(&self, sender: &Address, next: u64) -> impl Iterator<Item = &Entry> {
        let entries = self
            .senders
            .get(sender)
            .into_iter()
            .flat_map(move |entries| entries.range(next..));
        entries
            .zip(next..)
            .take_while(|((nonce, _), expected)| *nonce == expected)
            .map(|((_, entry), _)| entry)
    }
}

#[cfg(test)]
mod tests;
