//! What has become of an execution: the only source of "final" and of "dead", pure over facts that were read before.
//!
//! Invariants. A block counts only while the followed chain has it, by hash. Confirmations are counted from heights of
//! the followed chain, never from time. All attempts share one slot, so at most one of them is in the chain, whichever
//! it is. *Dead* needs a proof: the slot is consumed at the final block while no attempt is in the chain or the pool.
//! Facts that contradict each other (a reading raced a reorganization) give [`Verdict::Unclear`]: read again.

use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::{BlockRef, ChainHead, TransactionView};
use vaultstream_event_schemas::execution::v1::ProofOfDeath;

/// One attempt's transaction as read from the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The transaction.
    pub txid: String,
    /// What the node says of it.
    pub view: TransactionView,
    /// The followed chain's block at the height the view names; `None` when there is none or none is named.
    pub followed: Option<BlockRef>,
}

/// How many slots the paying address had consumed at a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotsRead {
    /// The block.
    pub at: BlockRef,
    /// Slots below this value are consumed.
    pub consumed: u64,
}

/// What a verdict rests on. Read the head first, then the slots at its blocks, then the attempts: an attempt read
/// before its slot was seen consumed might have been included in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Where the followed chain stands.
    pub head: ChainHead,
    /// The slot all attempts share.
    pub slot: u64,
    /// Every attempt whose bytes were ever signed.
    pub attempts: Vec<Attempt>,
    /// Slots read at the head's final block, when read.
    pub at_finalized: Option<SlotsRead>,
    /// Slots read at the head's tip, when read.
    pub at_tip: Option<SlotsRead>,
}

/// Where a transaction is in the followed chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The block.
    pub block: BlockRef,
    /// How many blocks of the followed chain confirm it, its own counted.
    pub confirmations: u64,
    /// What the network charged, in minor units of the native asset.
    pub fee: Amount,
    /// Whether it did what it was meant to.
    pub succeeded: bool,
    /// The transaction, one of the attempts.
    pub txid: String,
}

/// What has become of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No node has it: send the same bytes again.
    Unseen,
    /// A node has this attempt in its pool.
    Pooled(String),
    /// It is in a block that can still be detached.
    Included(Inclusion),
    /// It is in a block at or below the final one.
    Final(Inclusion),
    /// The slot is consumed at the tip and none of the attempts is in the chain: wait for finality.
    Contested(BlockRef),
    /// Another transaction consumed the slot for good.
    SlotConsumedByOther(ProofOfDeath),
    /// The facts contradict each other: read them again.
    Unclear,
}

enum Standing {
    Counts(Inclusion),
    Contradicts,
    Elsewhere,
}

fn standing(attempt: &Attempt, head: &ChainHead) -> Standing {
    let TransactionView::Included {
        block,
        fee,
        succeeded,
    } = &attempt.view
    else {
        return Standing::Elsewhere;
    };
    let above = head.tip.at.height.checked_sub(block.height);
    match above {
        Some(above) if attempt.followed.as_ref() == Some(block) => Standing::Counts(Inclusion {
            block: block.clone(),
            confirmations: above.saturating_add(1),
            fee: *fee,
            succeeded: *succeeded,
            txid: attempt.txid.clone(),
        }),
        _ => Standing::Contradicts,
    }
}

/// What has become of the execution whose attempts these are.
pub fn verdict(facts: &Facts) -> Verdict {
    let mut counted = Vec::new();
    let mut contradicted = false;
    for attempt in &facts.attempts {
        match standing(attempt, &facts.head) {
            Standing::Counts(inclusion) => counted.push(inclusion),
            Standing::Contradicts => contradicted = true,
            Standing::Elsewhere => {}
        }
    }
    match (counted.pop(), counted.is_empty()) {
        (Some(inclusion), true) if inclusion.block.height <= facts.head.finalized.height => {
            Verdict::Final(inclusion)
        }
        (Some(inclusion), true) => Verdict::Included(inclusion),
        // Two attempts of one slot cannot both be in one chain.
        (Some(_), false) => Verdict::Unclear,
        (None, _) if contradicted => Verdict::Unclear,
        (None, _) => outside(facts),
    }
}

/// The verdict when no attempt is in the chain.
fn outside(facts: &Facts) -> Verdict {
    let pooled = facts.attempts.iter().rev();
    if let Some(attempt) = pooled.into_iter().find(|a| a.view == TransactionView::Pooled) {
        return Verdict::Pooled(attempt.txid.clone());
    }
    let gone = |read: &Option<SlotsRead>, block: &BlockRef| {
        read.as_ref()
            .is_some_and(|r| r.at == *block && r.consumed > facts.slot)
    };
    let head = &facts.head;
    if gone(&facts.at_finalized, &head.finalized) {
        return Verdict::SlotConsumedByOther(ProofOfDeath::SlotConsumed {
            block: head.finalized.clone(),
            slot: facts.slot,
        });
    }
    if gone(&facts.at_tip, &head.tip.at) {
        return Verdict::Contested(head.tip.at.clone());
    }
    Verdict::Unseen
}

#[cfg(test)]
mod tests;
