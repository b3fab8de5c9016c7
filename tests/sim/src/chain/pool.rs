//! The pool: signed transactions that wait, one for each address and nonce.

use std::collections::BTreeMap;

use vaultstream_chain_evm::transaction::Decoded;

use super::Ledger;

/// The pool.
#[derive(Default)]
pub(crate) struct Pool(BTreeMap<(String, u64), Decoded>);

impl Pool {
    /// What waits under an address and a nonce.
    pub(crate) fn at(&self, address: &str, nonce: u64) -> Option<&Decoded> {
        self.0.get(&(address.to_owned(), nonce))
    }

    /// Whether a transaction waits.
    pub(crate) fn has(&self, txid: &str) -> bool {
        self.0.values().any(|waiting| waiting.txid == txid)
    }

    /// Puts a transaction in; one that waits in its place stays.
    pub(crate) fn put(&mut self, transaction: Decoded) {
        let place = (transaction.plan.from.clone(), transaction.plan.nonce);
        self.0.entry(place).or_insert(transaction);
    }

    pub(crate) fn remove(&mut self, txid: &str) {
        self.0.retain(|_, waiting| waiting.txid != txid);
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.0.values().map(|waiting| waiting.txid.clone()).collect()
    }

    /// What could be included behind a state, in order of address and nonce; gaps are for the ledger to find.
    pub(crate) fn ready(&self, ledger: &Ledger) -> Vec<Decoded> {
        let waiting = self.0.iter();
        waiting
            .filter(|((address, nonce), _)| *nonce >= ledger.nonce(address))
            .map(|(_, transaction)| transaction.clone())
            .collect()
    }

    /// Forgets what can never be included behind a state, until a reorganization brings it back.
    pub(crate) fn forget_consumed(&mut self, ledger: &Ledger) {
        self.0
            .retain(|(address, nonce), _| *nonce >= ledger.nonce(address));
    }
}
