//! In which order a block takes transactions: the best tip first, each sender's in the order of their nonces.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use revm::primitives::Address;

use super::{Entry, Pool};
use crate::transaction::Transaction;

/// Candidates for one block, handed out one at a time.
pub(crate) enum Feed {
    /// The pool's, by tip; a sender whose transaction is skipped is out for this block.
    Ranked {
        heads: BinaryHeap<Head>,
        queues: HashMap<Address, VecDeque<Entry>>,
        base_fee: u64,
    },
    /// Given ones, in the given order.
    Listed(VecDeque<Arc<Transaction>>),
}

/// The next transaction of a sender; ordered by tip, then by arrival.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head {
    tip: u128,
    arrival: Reverse<u64>,
    sender: Address,
}

impl Pool {
    /// All that could be mined at `base_fee`, given the senders' next nonces.
    pub(crate) fn feed(&self, base_fee: u64, nonce: impl Fn(&Address) -> u64) -> Feed {
        let mut queues = HashMap::new();
        for sender in self.senders.keys() {
            let run: VecDeque<Entry> = self.run_from(sender, nonce(sender)).cloned().collect();
            queues.insert(*sender, run);
        }
        let heads = queues
            .iter()
            .filter_map(|(sender, queue)| head(*sender, queue, base_fee))
            .collect();
        Feed::Ranked {
            heads,
            queues,
            base_fee,
        }
    }
}

fn head(sender: Address, queue: &VecDeque<Entry>, base_fee: u64) -> Option<Head> {
    let entry = queue.front()?;
    Some(Head {
        tip: entry.tx.tip_at(base_fee)?,
        arrival: Reverse(entry.arrival),
        sender,
    })
}

impl Feed {
    /// The next candidate. Call [`Feed::taken`] when it was included; without that its sender is passed over.
    pub(crate) fn next(&mut self) -> Option<Arc<Transaction>> {
        match self {
            Self::Listed(list) => list.pop_front(),
            Self::Ranked { heads, queues, .. } => {
                let sender = heads.pop()?.sender;
                queues.get_mut(&sender)?.pop_front().map(|entry| entry.tx)
            }
        }
    }

    /// The last candidate went into the block: its sender's next one becomes available.
    pub(crate) fn taken(&mut self, tx: &Transaction) {
        if let Self::Ranked {
            heads,
            queues,
            base_fee,
        } = self
        {
            let next = queues
                .get(&tx.sender)
                .and_then(|queue| head(tx.sender, queue, *base_fee));
            heads.extend(next);
        }
    }
}
