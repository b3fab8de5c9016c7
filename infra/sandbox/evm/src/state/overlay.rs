//! Changes in the making on top of a view: what a block's transactions have done so far.

use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    primitives::{Address, B256, U256},
    state::{AccountInfo, EvmState},
};

use super::{
    Account, Changes, View,
    view::{Never, info},
};
use crate::hash::EMPTY_CODE;

pub(crate) struct Overlay<'a> {
    base: View<'a>,
    changes: Changes,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(base: View<'a>) -> Self {
        Self {
            base,
            changes: Changes::default(),
        }
    }

    pub(crate) fn account(&self, address: &Address) -> Option<Account> {
        match self.changes.accounts.get(address) {
            Some(account) => account.clone(),
            None => self.base.account(address),
        }
    }

    /// Raises the balance of `address`; an account that would overflow stays at the maximum.
    pub(crate) fn credit(&mut self, address: Address, wei: U256) {
        let mut account = self.account(&address).unwrap_or_default();
        account.balance = account.balance.saturating_add(wei);
        self.put(address, account);
    }

    /// Takes over what one transaction did.
    pub(crate) fn absorb(&mut self, touched: EvmState) {
        for (address, account) in touched {
            if !account.is_touched() {
                continue;
            }
            if account.is_selfdestructed() {
                self.clear_slots(address);
                self.changes.accounts.insert(address, None);
                continue;
            }
            let info = &account.info;
            if account.is_created() {
                self.clear_slots(address);
                if let Some(code) = info.code.as_ref().filter(|_| info.code_hash != EMPTY_CODE) {
                    self.changes.code.insert(info.code_hash, code.original_bytes());
                }
            }
            for (slot, value) in account.changed_storage_slots() {
                self.changes.slots.insert((address, *slot), value.present_value);
            }
            let record = Account {
                nonce: info.nonce,
                balance: info.balance,
                code_hash: info.code_hash,
            };
            self.put(address, record);
        }
    }

    /// What differs from the base, and nothing else.
    pub(crate) fn finish(self) -> Changes {
        let Self { base, mut changes } = self;
        changes
            .accounts
            .retain(|address, account| *account != base.account(address));
        changes
            .slots
            .retain(|(address, slot), value| *value != base.slot(address, slot));
        changes
    }

    fn put(&mut self, address: Address, account: Account) {
        self.changes
            .accounts
            .insert(address, (!account.is_empty()).then_some(account));
    }

    fn clear_slots(&mut self, address: Address) {
        let mine: Vec<_> = self
            .changes
            .slots
            .keys()
            .filter(|(owner, _)| *owner == address)
            .copied()
            .collect();
        let below = self
            .base
            .slots_of(&address)
            .into_iter()
            .map(|slot| (address, slot));
        for key in mine.into_iter().chain(below) {
            self.changes.slots.insert(key, U256::ZERO);
        }
    }
}

impl Database for Overlay<'_> {
    type Error = Never;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Never> {
        Ok(self.account(&address).as_ref().map(info))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, Never> {
        match self.changes.code.get(&code_hash) {
            Some(code) => Ok(Bytecode::new_legacy(code.clone())),
            None => self.base.code_by_hash_ref(code_hash),
        }
    }

    fn storage(&mut self, address: Address, index: U256) -> Result<U256, Never> {
        match self.changes.slots.get(&(address, index)) {
            Some(value) => Ok(*value),
            None => self.base.storage_ref(address, index),
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Never> {
        self.base.block_hash_ref(number)
    }
}
