//! Reorganisations: the newest blocks leave the chain, one more than left takes their place.
//!
//! By default the new blocks hold only the given replacements, as if another node had built them without seeing our
//! transactions; those return to the pool and can be mined from the next ordinary block on. Refused: undoing a
//! finalized block without `force`, and a replacement that the state does not allow — then nothing changes.

use std::{collections::VecDeque, sync::Arc};

use revm::primitives::B256;

use super::Chain;
use crate::{assemble::Block, error::Error, pool::Feed, transaction::Transaction};

#[derive(Debug, Default)]
pub(crate) struct ReorgRequest {
    /// How many blocks leave.
    pub(crate) depth: u64,
    /// Their transactions and credits vanish instead of returning.
    pub(crate) drop: bool,
    /// Also below the finalized block.
    pub(crate) force: bool,
    /// The new blocks may take what returned at once.
    pub(crate) remine: bool,
    /// Goes into the first new block.
    pub(crate) replacement: Vec<Arc<Transaction>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ReorgReport {
    /// Newest first.
    pub(crate) detached: Vec<B256>,
    /// Oldest first.
    pub(crate) attached: Vec<B256>,
    /// Back in the pool, or mined again.
    pub(crate) returned: Vec<B256>,
    /// Gone, with the reason.
    pub(crate) dropped: Vec<(B256, String)>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReorgError {
    #[error("depth must be at least 1")]
    Nothing,
    #[error("depth {depth} reaches further back than the {limit} blocks that can be undone")]
    TooDeep { depth: u64, limit: u64 },
    #[error(
        "depth {depth} would detach finalized blocks; at most {limit}, or set force to breach finality on purpose"
    )]
    Finalized { depth: u64, limit: u64 },
    #[error("replacement {0} cannot be mined there: {1}")]
    Replacement(B256, String),
    #[error(transparent)]
    Storage(#[from] Error),
}

impl Chain {
    pub(crate) fn reorg(&mut self, request: ReorgRequest, now: u64) -> Result<ReorgReport, ReorgError> {
        self.check_depth(request.depth, request.force)?;
        let mut report = ReorgReport::default();
        let mut orphans = Vec::new();
        self.atomically(|chain| {
            chain.control.fork += 1;
            chain.store.put_meta("control", &chain.control)?;
            for _ in 0..request.depth {
                let block = chain.detach(request.drop)?;
                report.detached.push(block.sealed.hash);
                orphans.push(block);
            }
            if request.remine {
                chain.readmit(&orphans, request.drop, &mut report);
            }
            let mut replacement = VecDeque::from(request.replacement);
            for _ in 0..=request.depth {
                let listed = std::mem::take(&mut replacement);
                report
                    .attached
                    .push(chain.attach_other(listed, request.remine, now)?);
            }
            Ok::<_, ReorgError>(())
        })?;
        if !request.remine {
            self.readmit(&orphans, request.drop, &mut report);
        }
        self.tidy_pool();
        Ok(report)
    }

    fn check_depth(&self, depth: u64, force: bool) -> Result<(), ReorgError> {
        let undoable = self.undos.len() as u64;
        let unfinalized = self.head().header.number - self.finalized_number();
        if depth == 0 {
            Err(ReorgError::Nothing)
        } else if depth > undoable {
            Err(ReorgError::TooDeep {
                depth,
                limit: undoable,
            })
        } else if depth > unfinalized && !force {
            Err(ReorgError::Finalized {
                depth,
                limit: unfinalized,
            })
        } else {
            Ok(())
        }
    }

    /// Undoes the head; inside a transaction.
    fn detach(&mut self, drop: bool) -> Result<Block, Error> {
        let damaged = |what: &str| Error::Damaged(format!("the {what} of the head is missing"));
        let number = self.head().header.number;
        let block = self.store.block_at(number)?.ok_or_else(|| damaged("block"))?;
        let undo = self.undos.pop_back().ok_or_else(|| damaged("undo record"))?;
        self.recent.pop_back();
        self.state.apply(&undo);
        self.store.write_changes(&undo)?;
        self.store.detach_block(number)?;
        self.store.remove_undo(number)?;
        if !drop {
            for credit in &block.credits {
                self.store.put_credit(credit)?;
            }
        }
        Ok(block)
    }

    fn attach_other(
        &mut self,
        listed: VecDeque<Arc<Transaction>>,
        remine: bool,
        now: u64,
    ) -> Result<B256, ReorgError> {
        let pooled = remine && listed.is_empty();
        let feed = if pooled {
            self.pool_feed()
        } else {
            Feed::Listed(listed)
        };
        let credits = if remine { self.next_credits()? } else { Vec::new() };
        let (block, refused) = self.attach(now, feed, credits)?;
        match refused.into_iter().next() {
            Some((hash, reason)) if !pooled => Err(ReorgError::Replacement(hash, reason)),
            _ => Ok(block.sealed.hash),
        }
    }

    /// Puts the transactions of `orphans` (newest block first) back into the pool, oldest first.
    fn readmit(&mut self, orphans: &[Block], drop: bool, report: &mut ReorgReport) {
        for tx in orphans.iter().rev().flat_map(|block| &block.transactions) {
            let account = self.state.account(&tx.sender).cloned().unwrap_or_default();
            let outcome = if drop {
                Err("dropped on request".to_owned())
            } else {
                self.pool
                    .admit(tx.clone(), &account)
                    .map_err(|refusal| refusal.to_string())
            };
            match outcome {
                Ok(_) => report.returned.push(tx.hash),
                Err(reason) => report.dropped.push((tx.hash, reason)),
            }
        }
    }
}
