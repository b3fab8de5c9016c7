//! The state as it was after a given block: the present, seen through the inverse changes of the blocks since.

use std::convert::Infallible;

use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    primitives::{Address, B256, Bytes, U256},
    state::AccountInfo,
};

use super::{Account, Changes, State};
use crate::hash::EMPTY_CODE;

/// Reading memory cannot fail.
pub(crate) type Never = Infallible;

/// Block hashes by number, for the BLOCKHASH instruction.
pub(crate) type BlockHashes<'a> = &'a dyn Fn(u64) -> Option<B256>;

#[derive(Clone)]
pub(crate) struct View<'a> {
    state: &'a State,
    /// Inverse changes of the blocks after the one looked at, oldest first.
    later: Vec<&'a Changes>,
    hashes: BlockHashes<'a>,
}

impl<'a> View<'a> {
    pub(crate) fn new(state: &'a State, later: Vec<&'a Changes>, hashes: BlockHashes<'a>) -> Self {
        Self { state, later, hashes }
    }

    pub(crate) fn account(&self, address: &Address) -> Option<Account> {
        let undone = self
            .later
            .iter()
            .find_map(|changes| changes.accounts.get(address));
        undone
            .cloned()
            .unwrap_or_else(|| self.state.account(address).cloned())
    }

    pub(crate) fn slot(&self, address: &Address, slot: &U256) -> U256 {
        let undone = self
            .later
            .iter()
            .find_map(|changes| changes.slots.get(&(*address, *slot)));
        undone.copied().unwrap_or_else(|| self.state.slot(address, slot))
    }

    /// Every slot of `address` that may hold a value.
    pub(crate) fn slots_of(&self, address: &Address) -> Vec<U256> {
        let undone = self.later.iter().flat_map(|changes| changes.slots.keys());
        let undone = undone
            .filter(|(owner, _)| owner == address)
            .map(|(_, slot)| *slot);
        self.state.slots_of(address).chain(undone).collect()
    }

    /// Empty when there is none.
    pub(crate) fn code_of(&self, address: &Address) -> Bytes {
        self.account(address)
            .map(|account| self.code(&account.code_hash))
            .unwrap_or_default()
    }

    pub(crate) fn code(&self, hash: &B256) -> Bytes {
        if *hash == EMPTY_CODE {
            Bytes::new()
        } else {
            self.state.code(hash).cloned().unwrap_or_default()
        }
    }
}

pub(super) fn info(account: &Account) -> AccountInfo {
    let code = (account.code_hash == EMPTY_CODE).then(Bytecode::default);
    AccountInfo {
        balance: account.balance,
        nonce: account.nonce,
        code_hash: account.code_hash,
        account_id: None,
        code,
    }
}

impl DatabaseRef for View<'_> {
    type Error = Never;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Never> {
        Ok(self.account(&address).as_ref().map(info))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Never> {
        Ok(Bytecode::new_legacy(self.code(&code_hash)))
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, Never> {
        Ok(self.slot(&address, &index))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Never> {
        Ok((self.hashes)(number).unwrap_or_default())
    }
}
