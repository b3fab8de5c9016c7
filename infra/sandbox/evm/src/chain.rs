//! The chain: state, recent headers, undo records and pool in memory, kept in step with the file.
//!
//! Every change of the chain runs inside [`Chain::atomically`]: either memory and file both have it, or the file is
//! rolled back and memory is read from it again. Time is a parameter everywhere.

mod durable;
mod lookup;
mod reorg;

use std::{collections::VecDeque, sync::Arc};

use revm::primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    lookup::{BlockRef, StateError},
    reorg::{ReorgError, ReorgRequest},
};
use crate::{
    assemble::{Block, Brief, Draft, assemble},
    error::Error,
    fee::next_base_fee,
    genesis::Genesis,
    header::{Credit, Sealed},
    pool::{Feed, Pool, Refusal},
    state::{Changes, State, View},
    store::{HISTORY, Store},
    transaction::{DecodeError, Transaction},
};

/// Credits that one block holds at most.
const CREDITS_PER_BLOCK: usize = 256;
/// Credits that may wait for a block.
const MAX_WAITING_CREDITS: usize = 4096;

/// What the control port set, and counters. Durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Control {
    pub(crate) automine: bool,
    pub(crate) block_time_ms: u64,
    /// Base fee of the next block, instead of what the market says.
    pub(crate) forced_base_fee: Option<u64>,
    /// Raised by each reorganisation, so that the new blocks differ from the old.
    fork: u64,
    next_credit: u64,
}

/// Why a raw transaction was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    pub(crate) control: Control,
    pub(crate) pool: Pool,
    store: Store,
    state: State,
    /// What undoes the newest blocks, oldest first.
    undos: VecDeque<Changes>,
    /// The newest headers, oldest first; never empty.
    recent: VecDeque<Sealed>,
    safe_depth: u64,
    finalized_depth: u64,
}

impl Chain {
    pub(crate) fn head(&self) -> &Sealed {
        self.recent
            .back()
            .expect("a chain has at least its genesis block")
    }

    /// Adds a block from the pool and the waiting credits.
    pub(crate) fn mine(&mut self, now: u64) -> Result<Sealed, Error> {
        let feed = self.pool_feed();
        let (block, refused) = self.atomically(|chain| {
            let credits = chain.next_credits()?;
            chain.attach(now, feed, credits)
        })?;
        for (hash, reason) in refused {
            tracing::warn!(%hash, reason, "dropped from the pool: not executable on the head");
            self.pool.remove(&hash);
        }
        self.tidy_pool();
        Ok(block.sealed)
    }

    /// The block that would come next, as it would look now.
    pub(crate) fn pending(&mut self, now: u64) -> Result<Block, Error> {
        let credits = self.next_credits()?;
        let mut draft = self.draft(now, self.pool_feed(), credits);
        let mut changes = std::mem::take(&mut draft.changes);
        // code is never undone, and a look leaves nothing behind
        changes.code.clear();
        let undo = self.state.apply(&changes);
        let block = draft.with_state_root(self.state.root());
        self.state.apply(&undo);
        Ok(block)
    }

    /// Takes a raw transaction into the pool and returns its hash.
    pub(crate) fn submit(&mut self, raw: &[u8]) -> Result<B256, SubmitError> {
        let tx = Arc::new(Transaction::decode(raw, self.genesis.chain_id)?);
        let hash = tx.hash;
        let account = self.state.account(&tx.sender).cloned().unwrap_or_default();
        self.pool.admit(tx, &account)?;
        Ok(hash)
    }

    /// Notes a credit for the next block; durable before this returns. `None` when too many wait already.
    pub(crate) fn credit(&mut self, address: Address, wei: U256) -> Result<Option<Credit>, Error> {
        if self.store.waiting_credits()?.len() >= MAX_WAITING_CREDITS {
            return Ok(None);
        }
        self.atomically(|chain| {
            let credit = Credit {
                index: chain.control.next_credit,
                address,
                wei,
            };
            chain.control.next_credit += 1;
            chain.store.put_credit(&credit)?;
            chain.store.put_meta("control", &chain.control)?;
            Ok(Some(credit))
        })
    }

    pub(crate) fn set_control(&mut self, change: impl FnOnce(&mut Control)) -> Result<(), Error> {
        self.atomically(|chain| {
            change(&mut chain.control);
            chain.store.put_meta("control", &chain.control)
        })
    }

    /// Wei per gas that the next block will ask.
    pub(crate) fn next_base_fee(&self) -> u64 {
        let head = &self.head().header;
        let market = next_base_fee(head.base_fee, head.gas_used, head.gas_limit);
        self.control.forced_base_fee.unwrap_or(market)
    }

    fn pool_feed(&self) -> Feed {
        self.pool.feed(self.next_base_fee(), |sender| {
            self.state.account(sender).map_or(0, |account| account.nonce)
        })
    }

    fn next_credits(&self) -> Result<Vec<Credit>, Error> {
        let mut credits = self.store.waiting_credits()?;
        credits.truncate(CREDITS_PER_BLOCK);
        Ok(credits)
    }

    fn draft(&self, now: u64, feed: Feed, credits: Vec<Credit>) -> Draft {
        let brief = Brief {
            chain_id: self.genesis.chain_id,
            parent: self.head(),
            base_fee: self.next_base_fee(),
            now,
            fork: self.control.fork,
            credits,
        };
        assemble(
            View::new(&self.state, Vec::new(), &|number| self.hash_at(number)),
            brief,
            feed,
        )
    }

    /// Builds the next block and makes it the head; inside a transaction.
    fn attach(
        &mut self,
        now: u64,
        feed: Feed,
        credits: Vec<Credit>,
    ) -> Result<(Block, Vec<(B256, String)>), Error> {
        let mut draft = self.draft(now, feed, credits);
        let changes = std::mem::take(&mut draft.changes);
        let refused = std::mem::take(&mut draft.refused);
        let undo = self.state.apply(&changes);
        let block = draft.with_state_root(self.state.root());
        self.store.attach_block(&block)?;
        self.store.write_changes(&changes)?;
        self.store.put_undo(block.sealed.header.number, &undo)?;
        for credit in &block.credits {
            self.store.remove_credit(credit.index)?;
        }
        if self.control.forced_base_fee.take().is_some() {
            self.store.put_meta("control", &self.control)?;
        }
        self.undos.push_back(undo);
        self.recent.push_back(block.sealed.clone());
        while self.undos.len() as u64 > HISTORY {
            self.undos.pop_front();
        }
        while self.recent.len() as u64 > HISTORY + 1 {
            self.recent.pop_front();
        }
        Ok((block, refused))
    }

    /// Removes from the pool what the head has made impossible.
    fn tidy_pool(&mut self) {
        let state = &self.state;
        self.pool
            .drop_unexecutable(|sender| state.account(sender).cloned().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
