//! Version 1 of the execution context: the on-chain life of intents, and the slots they occupy.

use serde::{Deserialize, Serialize};

use crate::caip::{AssetId, ChainId};
use crate::chain::{BlockRef, Intent, Plan, RawTransaction};
use crate::id::{AccountId, ExecutionId, TransferId};
use crate::money::Amount;
use crate::payloads;

/// What a node answered to a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BroadcastOutcome {
    /// It took the bytes.
    Accepted,
    /// It has them already.
    AlreadyKnown,
    /// It will never take these bytes; by itself no proof that nobody did.
    Rejected,
    /// The slot is consumed or held by another transaction.
    Contested,
    /// The bid is below what it takes now.
    FeeTooLow,
    /// An earlier slot is missing.
    TooEarly,
    /// No clear answer: a time-out, a lost connection, a server error.
    Ambiguous,
}

/// Why an execution can never be included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ProofOfDeath {
    /// Nothing was ever signed for it.
    NeverSigned,
    /// Another transaction consumed the slot in a final block.
    SlotConsumed {
        /// The final block at which the slot was read as consumed while none of our attempts was in the chain.
        block: BlockRef,
        /// The slot value.
        slot: u64,
    },
}

payloads! { 1;
    /// An execution was queued for a paying account.
    Queued = "execution.queued" {
        /// The paying account.
        account: AccountId,
        /// Its chain.
        chain: ChainId,
        /// What it must achieve.
        intent: Intent,
        /// The transfers it carries out.
        transfers: Vec<TransferId>,
    }
    /// Funds are reserved and the transaction is drawn up.
    Planned = "execution.planned" {
        /// The transaction.
        plan: Plan,
    }
    /// The slot and the digest are fixed.
    Bound = "execution.bound" {
        /// What is to be signed, lower-case hex with 0x.
        digest: String,
        /// The transaction.
        plan: Plan,
    }
    /// The signed bytes, written before any node sees them.
    Signed = "execution.signed" {
        /// Counts the attempts on the slot, from 1.
        attempt: u32,
        /// The bytes and their id.
        transaction: RawTransaction,
    }
    /// A node was given the bytes and answered.
    BroadcastTried = "execution.broadcast_tried" {
        /// Which attempt's bytes.
        attempt: u32,
        /// The node's own words, cut to 512 characters.
        detail: String,
        /// Which node.
        node: String,
        /// How its answer is understood.
        outcome: BroadcastOutcome,
    }
    /// A node has it in its pool.
    Seen = "execution.seen" {
        /// Which node.
        node: String,
        /// The transaction.
        txid: String,
    }
    /// It is in a block.
    Included = "execution.included" {
        /// The block.
        block: BlockRef,
        /// What the network charged.
        fee: Amount,
        /// Whether it did what it was meant to.
        succeeded: bool,
        /// The transaction, one of the attempts.
        txid: String,
    }
    /// Its block was detached; the same bytes are sent again.
    Detached = "execution.detached" {
        /// The block it was in.
        block: BlockRef,
        /// The transaction.
        txid: String,
    }
    /// Its block is final.
    Finalized = "execution.finalized" {
        /// The block.
        block: BlockRef,
        /// What the network charged.
        fee: Amount,
        /// Whether it did what it was meant to.
        succeeded: bool,
        /// The transaction.
        txid: String,
    }
    /// No progress for too long; a person should look.
    Stuck = "execution.stuck" {
        /// What was seen last.
        detail: String,
    }
    /// It can never be included, with the proof.
    Dead = "execution.dead" {
        /// The error code that its transfers end with.
        code: String,
        /// What happened, in a sentence.
        detail: String,
        /// Why it is certain.
        proof: ProofOfDeath,
    }
    /// Its final block was detached: a breach of finality.
    Reversed = "execution.reversed" {
        /// The block.
        block: BlockRef,
        /// The transaction.
        txid: String,
    }
    /// Funds of an account were committed to an execution.
    SlotReserved = "slots.reserved" {
        /// Minor units of `asset` committed.
        amount: Amount,
        /// The asset that is paid.
        asset: AssetId,
        /// The height of the balance the decision rested on; entries consumed at or below it are forgotten.
        balance_height: u64,
        /// For which execution.
        execution: ExecutionId,
        /// The native asset, which pays the fee.
        fee_asset: AssetId,
        /// The most the network may charge.
        fee_max: Amount,
    }
    /// A slot value was bound to an execution.
    SlotBound = "slots.bound" {
        /// What is to be signed, lower-case hex with 0x.
        digest: String,
        /// The execution.
        execution: ExecutionId,
        /// The slot value (the nonce).
        slot: u64,
    }
    /// A slot was consumed in a block.
    SlotConsumed = "slots.consumed" {
        /// The execution.
        execution: ExecutionId,
        /// The height of the final block that consumed it.
        height: u64,
        /// The slot value.
        slot: u64,
    }
    /// A commitment was given up, before it was bound or with proof of death.
    SlotReleased = "slots.released" {
        /// The execution.
        execution: ExecutionId,
        /// Why that is safe.
        proof: ProofOfDeath,
    }
    /// A slot value was bound to an execution, and a signature asked for, in a history that is lost.
    SlotLost = "slots.lost" {
        /// What was signed, lower-case hex with 0x.
        digest: String,
        /// The execution; it may be unknown here.
        execution: ExecutionId,
        /// The transaction, with its slot value.
        plan: Plan,
    }
}
