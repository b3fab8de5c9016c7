//! The world state in memory: accounts, storage, code, and the Merkle Patricia tries over them.
//!
//! The one way to change it is [`State::apply`], which returns the inverse change: applying that restores accounts,
//! storage and root exactly. Blocks are undone with it, and historical reads look through it. Code is addressed by its
//! hash and never removed.

mod overlay;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use revm::primitives::{Address, B256, Bytes, U256};
use rlp::{Rlp, RlpStream};

pub(crate) use self::{
    overlay::Overlay,
    view::{Never, View},
};
use crate::{
    codec::{self, Decoded},
    hash::{EMPTY_CODE, EMPTY_ROOT, keccak},
    trie::Trie,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) nonce: u64,
    /// In wei.
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: EMPTY_CODE,
        }
    }
}

impl Account {
    /// EIP-161: such an account does not exist.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// New values of accounts (`None`: absent) and slots (zero: absent), and the code of created contracts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) accounts: BTreeMap<Address, Option<Account>>,
    pub(crate) slots: BTreeMap<(Address, U256), U256>,
    pub(crate) code: BTreeMap<B256, Bytes>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    accounts: HashMap<Address, Account>,
    storage: HashMap<Address, BTreeMap<U256, U256>>,
    code: HashMap<B256, Bytes>,
    account_trie: Trie,
    storage_tries: HashMap<Address, Trie>,
}

impl State {
    pub(crate) fn account(&self, address: &Address) -> Option<&Account> {
        self.accounts.get(address)
    }

    pub(crate) fn slot(&self, address: &Address, slot: &U256) -> U256 {
        self.storage
            .get(address)
            .and_then(|slots| slots.get(slot))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn slots_of(&self, address: &Address) -> impl Iterator<Item = U256> + '_ {
        self.storage
            .get(address)
            .into_iter()
            .flat_map(|slots| slots.keys().copied())
    }

    pub(crate) fn code(&self, hash: &B256) -> Option<&Bytes> {
        self.code.get(hash)
    }

    /// The hash of code that an account has and nobody knows.
    pub(crate) fn missing_code(&self) -> Option<B256> {
        let mut hashes = self.accounts.values().map(|account| account.code_hash);
        hashes.find(|hash| *hash != EMPTY_CODE && !self.code.contains_key(hash))
    }

    pub(crate) fn accounts_len(&self) -> usize {
        self.accounts.len()
    }

    /// Makes `changes` true and returns what undoes them.
    pub(crate) fn apply(&mut self, changes: &Changes) -> Changes {
        let mut inverse = Changes::default();
        for (hash, code) in &changes.code {
            self.code.entry(*hash).or_insert_with(|| code.clone());
        }
        for ((address, slot), value) in &changes.slots {
            inverse
                .slots
                .insert((*address, *slot), self.set_slot(*address, *slot, *value));
        }
        for (address, account) in &changes.accounts {
            let old = match account {
                Some(account) => self.accounts.insert(*address, account.clone()),
                None => self.accounts.remove(address),
            };
            inverse.accounts.insert(*address, old);
        }
        let with_slots = changes.slots.keys().map(|(address, _)| *address);
        let touched: BTreeSet<Address> = changes.accounts.keys().copied().chain(with_slots).collect();
        touched.into_iter().for_each(|address| self.commit_to(address));
        inverse
    }

    pub(crate) fn root(&mut self) -> B256 {
        self.account_trie.root()
    }

    fn set_slot(&mut self, address: Address, slot: U256, value: U256) -> U256 {
        let key = keccak(&slot.to_be_bytes::<32>());
        let trie = self.storage_tries.entry(address).or_default();
        let slots = self.storage.entry(address).or_default();
        if value.is_zero() {
            trie.remove(key.as_slice());
            return slots.remove(&slot).unwrap_or_default();
        }
        let mut encoded = RlpStream::new();
        codec::put_uint(&mut encoded, value);
        trie.insert(key.as_slice(), encoded.out().to_vec());
        slots.insert(slot, value).unwrap_or_default()
    }

    /// Brings the account trie in line with the account and its storage root.
    fn commit_to(&mut self, address: Address) {
        if self.storage.get(&address).is_some_and(BTreeMap::is_empty) {
            self.storage.remove(&address);
            self.storage_tries.remove(&address);
        }
        let key = keccak(address.as_slice());
        let Some(account) = self.accounts.get(&address) else {
            return self.account_trie.remove(key.as_slice());
        };
        let storage_root = self
            .storage_tries
            .get_mut(&address)
            .map_or(EMPTY_ROOT, Trie::root);
        let mut out = RlpStream::new_list(4);
        out.append(&account.nonce);
        codec::put_uint(&mut out, account.balance);
        codec::put_hash(&mut out, &storage_root);
        codec::put_hash(&mut out, &account.code_hash);
        self.account_trie.insert(key.as_slice(), out.out().to_vec());
    }
}

impl Changes {
    /// The durable form of an inverse change; code is left out, as it is never undone.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let mut out = RlpStream::new_list(2);
        out.begin_list(self.accounts.len());
        for (address, account) in &self.accounts {
            match account {
                None => {
                    out.begin_list(1);
                    codec::put_address(&mut out, address);
                }
                Some(account) => {
                    out.begin_list(4);
                    codec::put_address(&mut out, address);
                    out.append(&account.nonce);
                    codec::put_uint(&mut out, account.balance);
                    codec::put_hash(&mut out, &account.code_hash);
                }
            }
        }
        out.begin_list(self.slots.len());
        for ((address, slot), value) in &self.slots {
            out.begin_list(3);
            codec::put_address(&mut out, address);
            codec::put_uint(&mut out, *slot);
            codec::put_uint(&mut out, *value);
        }
        out.out().to_vec()
    }

    pub(crate) fn from_stored(bytes: &[u8]) -> Decoded<Self> {
        let item = Rlp::new(bytes);
        codec::exact_list(&item, 2, bytes.len())?;
        let account = |entry: &Rlp<'_>| -> Decoded<_> {
            let address = codec::address(&entry.at(0)?)?;
            if entry.item_count()? == 1 {
                return Ok((address, None));
            }
            let (balance, code_hash) = (codec::uint(&entry.at(2)?)?, codec::hash(&entry.at(3)?)?);
            Ok((
                address,
                Some(Account {
                    nonce: entry.val_at(1)?,
                    balance,
                    code_hash,
                }),
            ))
        };
        let slot = |entry: &Rlp<'_>| -> Decoded<_> {
            Ok((
                (codec::address(&entry.at(0)?)?, codec::uint(&entry.at(1)?)?),
                codec::uint(&entry.at(2)?)?,
            ))
        };
        Ok(Self {
            accounts: codec::list(&item.at(0)?, account)?.into_iter().collect(),
            slots: codec::list(&item.at(1)?, slot)?.into_iter().collect(),
            code: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests;
