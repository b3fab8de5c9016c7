//! Finding blocks, transactions and past states.

use std::sync::Arc;

use revm::primitives::{Address, B256};

use super::Chain;
use crate::{
    assemble::Block,
    error::Error,
    header::Sealed,
    state::{Account, State, View},
    transaction::Transaction,
};

/// How a client names a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockRef {
    Latest,
    Pending,
    Safe,
    Finalized,
    Earliest,
    Number(u64),
    Hash(B256),
}

/// Why there is no state to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("header not found")]
    NoBlock,
    #[error("block {0} is not canonical, its state is not kept")]
    Detached(B256),
    #[error(
        "missing trie node: state of block {number} is pruned; this sandbox keeps the state of the newest blocks, \
         from {oldest} on"
    )]
    Pruned { number: u64, oldest: u64 },
    #[error(transparent)]
    Storage(#[from] Error),
}

impl Chain {
    pub(crate) fn safe_number(&self) -> u64 {
        self.head().header.number.saturating_sub(self.safe_depth)
    }

    pub(crate) fn finalized_number(&self) -> u64 {
        self.head().header.number.saturating_sub(self.finalized_depth)
    }

    /// The number that a tag or number stands for; `Pending` counts as the head. A hash has to be looked up.
    pub(crate) fn number_of(&self, block: BlockRef) -> Option<u64> {
        match block {
            BlockRef::Latest | BlockRef::Pending => Some(self.head().header.number),
            BlockRef::Safe => Some(self.safe_number()),
            BlockRef::Finalized => Some(self.finalized_number()),
            BlockRef::Earliest => Some(0),
            BlockRef::Number(number) => Some(number),
            BlockRef::Hash(_) => None,
        }
    }

    /// A block with its contents; by hash also a detached one.
    pub(crate) fn block(&self, block: BlockRef) -> Result<Option<Block>, Error> {
        match (block, self.number_of(block)) {
            (BlockRef::Hash(hash), _) => Ok(self.store.block_with(&hash)?.map(|(block, _)| block)),
            (_, Some(number)) => self.store.block_at(number),
            (_, None) => Ok(None),
        }
    }

    /// Headers of canonical blocks, both ends included.
    pub(crate) fn headers(&self, from: u64, to: u64) -> Result<Vec<Sealed>, Error> {
        self.store.headers(from, to)
    }

    /// The header of a block whose state can be read; `Pending` means the head.
    pub(crate) fn state_header(&self, block: BlockRef) -> Result<Sealed, StateError> {
        let number = match (block, self.number_of(block)) {
            (BlockRef::Hash(hash), _) => match self.store.block_with(&hash)? {
                None => return Err(StateError::NoBlock),
                Some((_, false)) => return Err(StateError::Detached(hash)),
                Some((found, true)) => found.sealed.header.number,
            },
            (_, number) => number.ok_or(StateError::NoBlock)?,
        };
        let head = self.head().header.number;
        if number > head {
            return Err(StateError::NoBlock);
        }
        let oldest = head - self.undos.len() as u64;
        if number < oldest {
            return Err(StateError::Pruned { number, oldest });
        }
        let found = self
            .recent
            .iter()
            .rev()
            .find(|sealed| sealed.header.number == number);
        found.cloned().ok_or(StateError::Pruned { number, oldest })
    }

    /// Runs `read` on the state after `block`.
    pub(crate) fn with_state<T>(&self, block: &Sealed, read: impl FnOnce(View<'_>) -> T) -> T {
        let since = self.head().header.number - block.header.number;
        let skip = self
            .undos
            .len()
            .saturating_sub(usize::try_from(since).unwrap_or(usize::MAX));
        let later = self.undos.iter().skip(skip).collect();
        read(View::new(&self.state, later, &|number| self.hash_at(number)))
    }

    /// A mined transaction with its block and position in it.
    pub(crate) fn mined(&self, hash: &B256) -> Result<Option<(Block, usize)>, Error> {
        let Some((number, position)) = self.store.transaction_place(hash)? else {
            return Ok(None);
        };
        Ok(self.store.block_at(number)?.map(|block| (block, position)))
    }

    pub(crate) fn waiting(&self, hash: &B256) -> Option<Arc<Transaction>> {
        self.pool.get(hash).cloned()
    }

    /// The first nonce that neither the head nor the pool's gap-free run uses.
    pub(crate) fn pending_nonce(&self, address: &Address) -> u64 {
        self.pool.nonce_after(address, self.account(address).nonce)
    }

    pub(crate) fn pool_status(&self) -> (usize, usize) {
        self.pool.status(|sender| self.account(sender).nonce)
    }

    pub(crate) fn waiting_credits(&self) -> Result<usize, Error> {
        Ok(self.store.waiting_credits()?.len())
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn hash_at(&self, number: u64) -> Option<B256> {
        let first = self.recent.front()?.header.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.recent.get(index).map(|sealed| sealed.hash)
    }

    fn account(&self, address: &Address) -> Account {
        self.state.account(address).cloned().unwrap_or_default()
    }
}
