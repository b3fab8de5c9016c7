//! Building a block: credits first, then transactions while they fit, then the roots. Nothing is changed here but the
//! overlay; the caller applies the result.

use std::sync::Arc;

use revm::{
    context::result::ExecutionResult,
    primitives::{B256, U256},
};

use crate::{
    execute::{self, BlockFacts, Mode},
    fee::BLOCK_GAS_LIMIT,
    hash::{contract_address, keccak},
    header::{Credit, Header, Sealed, mix_hash},
    pool::Feed,
    receipt::{Bloom, Receipt},
    state::{Changes, Overlay, View},
    transaction::Transaction,
    trie::ordered_root,
};

/// A block with all it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) sealed: Sealed,
    pub(crate) transactions: Vec<Arc<Transaction>>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) credits: Vec<Credit>,
}

/// What the next block is to be.
pub(crate) struct Brief<'a> {
    pub(crate) chain_id: u64,
    pub(crate) parent: &'a Sealed,
    pub(crate) base_fee: u64,
    /// Seconds; raised to the parent's if below it.
    pub(crate) now: u64,
    pub(crate) fork: u64,
    pub(crate) credits: Vec<Credit>,
}

/// A block whose state root is still missing, and what it does to the state.
pub(crate) struct Draft {
    pub(crate) header: Header,
    pub(crate) transactions: Vec<Arc<Transaction>>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) credits: Vec<Credit>,
    pub(crate) changes: Changes,
    /// Candidates that the protocol does not allow on this state, with the reason.
    pub(crate) refused: Vec<(B256, String)>,
}

impl Draft {
    pub(crate) fn with_state_root(self, state_root: B256) -> Block {
        let header = Header {
            state_root,
            ..self.header
        };
        Block {
            sealed: header.seal(),
            transactions: self.transactions,
            receipts: self.receipts,
            credits: self.credits,
        }
    }
}

struct Body {
    facts: BlockFacts,
    chain_id: u64,
    gas_used: u64,
    transactions: Vec<Arc<Transaction>>,
    receipts: Vec<Receipt>,
    refused: Vec<(B256, String)>,
}

pub(crate) fn assemble(view: View<'_>, brief: Brief<'_>, mut feed: Feed) -> Draft {
    let parent = &brief.parent.header;
    let facts = BlockFacts {
        number: parent.number + 1,
        timestamp: brief.now.max(parent.timestamp),
        base_fee: brief.base_fee,
        gas_limit: BLOCK_GAS_LIMIT,
        mix_hash: mix_hash(brief.parent.hash, brief.fork),
    };
    let mut overlay = Overlay::new(view);
    let mut body = Body {
        facts,
        chain_id: brief.chain_id,
        gas_used: 0,
        transactions: Vec::new(),
        receipts: Vec::new(),
        refused: Vec::new(),
    };
    while let Some(tx) = feed.next() {
        if tx.payload.gas_limit <= BLOCK_GAS_LIMIT - body.gas_used {
            if body.include(&mut overlay, &tx) {
                feed.taken(&tx);
            }
        } else if matches!(feed, Feed::Listed(_)) {
            body.refused.push((tx.hash, "gas limit reached".to_owned()));
        }
    }
    // EIP-4895: after the transactions
    for credit in &brief.credits {
        overlay.credit(credit.address, credit.wei);
    }
    body.draft(brief.parent.hash, brief.credits, overlay.finish())
}

impl Body {
    fn include(&mut self, overlay: &mut Overlay<'_>, tx: &Arc<Transaction>) -> bool {
        match execute::run(overlay, &self.facts, self.chain_id, tx.env(), Mode::Transaction) {
            Err(reason) => {
                self.refused.push((tx.hash, reason.to_string()));
                false
            }
            Ok((result, touched)) => {
                overlay.absorb(touched);
                self.record(tx, result);
                true
            }
        }
    }

    fn record(&mut self, tx: &Arc<Transaction>, result: ExecutionResult) {
        let gas_used = result.tx_gas_used();
        self.gas_used += gas_used;
        // as geth: the address is named even when the creation failed
        let contract = tx
            .payload
            .to
            .is_none()
            .then(|| contract_address(tx.sender, tx.payload.nonce));
        let success = result.is_success();
        self.receipts.push(Receipt {
            kind: tx.payload.kind,
            success,
            cumulative_gas: self.gas_used,
            gas_used,
            price: tx.price_at(self.facts.base_fee),
            contract,
            logs: if success { result.into_logs() } else { Vec::new() },
        });
        self.transactions.push(tx.clone());
    }

    fn draft(self, parent_hash: B256, credits: Vec<Credit>, changes: Changes) -> Draft {
        let mut logs_bloom = Bloom::default();
        self.receipts
            .iter()
            .for_each(|receipt| logs_bloom.merge(&receipt.bloom()));
        let header = Header {
            parent_hash,
            state_root: B256::ZERO,
            transactions_root: ordered_root(self.transactions.iter().map(|tx| tx.raw.to_vec())),
            receipts_root: ordered_root(self.receipts.iter().map(Receipt::consensus)),
            logs_bloom,
            number: self.facts.number,
            gas_limit: self.facts.gas_limit,
            gas_used: self.gas_used,
            timestamp: self.facts.timestamp,
            mix_hash: self.facts.mix_hash,
            base_fee: self.facts.base_fee,
            withdrawals_root: ordered_root(credits.iter().map(Credit::withdrawal_rlp)),
        };
        Draft {
            header,
            transactions: self.transactions,
            receipts: self.receipts,
            credits,
            changes,
            refused: self.refused,
        }
    }
}

/// The first block: no parent, no transactions, the prefunded accounts in its state.
pub(crate) fn genesis_block(timestamp: u64, base_fee: u64, chain_id: u64, state_root: B256) -> Block {
    let header = Header {
        parent_hash: B256::ZERO,
        state_root,
        transactions_root: ordered_root([]),
        receipts_root: ordered_root([]),
        logs_bloom: Bloom::default(),
        number: 0,
        gas_limit: BLOCK_GAS_LIMIT,
        gas_used: 0,
        timestamp,
        mix_hash: keccak(&U256::from(chain_id).to_be_bytes::<32>()),
        base_fee,
        withdrawals_root: ordered_root([]),
    };
    Block {
        sealed: header.seal(),
        transactions: Vec::new(),
        receipts: Vec::new(),
        credits: Vec::new(),
    }
}
