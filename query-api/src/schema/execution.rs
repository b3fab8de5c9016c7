//! Executions: the on-chain life of transfers.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use vaultstream_projectors::rows::ExecutionRow;

use super::asset::{Block, Money};
use super::moment::Moment;
use super::scalar::{Long, Timestamp, int};
use super::services;
use super::transfer::Failure;
use crate::refusal::Refusal;

/// The life of an execution.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::status::ExecutionStatus",
    rename_items = "snake_case"
)]
pub enum ExecutionStatus {
    /// Waits for a slot.
    Queued,
    /// Funds are reserved and the transaction is drawn up.
    Planned,
    /// The slot and the digest are fixed; from here on only a proof of death frees them.
    Bound,
    /// The signed bytes are in the log.
    Signed,
    /// Bytes are being handed to nodes.
    Broadcasting,
    /// A node has it in its pool.
    Seen,
    /// No node gave a clear answer; the same bytes are sent again.
    Unknown,
    /// In a block that can still be detached.
    Included,
    /// No progress for too long; a person should look.
    Stuck,
    /// A replacement is on its way.
    Replacing,
    /// A cancellation is on its way.
    Cancelling,
    /// In a final block, succeeded or failed there.
    Finalized,
    /// Another final transaction consumed the slot.
    Superseded,
    /// Proven never to be included.
    Dead,
    /// Was final and then undone by its chain.
    Reversed,
}

/// How a node's answer to a broadcast is understood.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::execution::v1::BroadcastOutcome",
    rename_items = "snake_case"
)]
pub enum BroadcastOutcome {
    /// It took the bytes.
    Accepted,
    /// It has them already.
    AlreadyKnown,
    /// It will never take these bytes.
    Rejected,
    /// The slot is consumed or held by another transaction.
    Contested,
    /// The bid is below what it takes now.
    FeeTooLow,
    /// An earlier slot is missing.
    TooEarly,
    /// No clear answer.
    Ambiguous,
}

/// An execution: the on-chain life of one or more transfers.
#[derive(Debug, Clone)]
pub struct Execution(Arc<ExecutionRow>, Moment);

#[Object]
impl Execution {
    /// The execution.
    pub async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// The transfer it carries out; the first one when there are several.
    async fn transfer_id(&self) -> Result<ID> {
        let first = self
            .0
            .transfers
            .first()
            .ok_or_else(|| Refusal::not_found("transferId"))?;
        Ok(ID::from(first))
    }

    /// The transfers it carries out.
    async fn transfer_ids(&self) -> Vec<ID> {
        self.0.transfers.iter().map(ID::from).collect()
    }

    /// The paying account.
    async fn account_id(&self) -> ID {
        ID::from(self.0.account_id)
    }

    /// Its state.
    async fn status(&self) -> ExecutionStatus {
        self.0.status.into()
    }

    /// The slot (nonce) it occupies, once it has one.
    async fn slot(&self) -> Option<Long> {
        self.0.slot.map(Long)
    }

    /// What was signed, lower-case hex with 0x.
    async fn digest(&self) -> Option<&str> {
        self.0.digest.as_deref()
    }

    /// The transaction: the one in a block, else the newest signed one.
    async fn txid(&self) -> Option<&str> {
        self.0.txid.as_deref()
    }

    /// How many times bytes were signed for its slot.
    async fn attempts(&self) -> i32 {
        int(self.0.attempts)
    }

    /// How many times bytes were handed to a node.
    async fn broadcasts(&self) -> i32 {
        int(self.0.broadcasts)
    }

    /// Blocks on top of its own, that one included, counted from block hashes; 0 while it is in none, and 1 where `asOf` is
    /// given: no event says where a chain stood.
    async fn confirmations(&self, ctx: &Context<'_>) -> Long {
        let Some(block) = &self.0.block else {
            return Long(0);
        };
        let head = match self.1 {
            Moment::Now => services(ctx).head(&self.0.chain),
            Moment::Then(_) => None,
        };
        let tip = head.map_or(block.height, |seen| seen.head.tip.at.height);
        Long(tip.saturating_sub(block.height) + 1)
    }

    /// The block it is in.
    async fn block(&self) -> Option<Block> {
        self.0.block.as_ref().map(Block::from)
    }

    /// Whether the transaction did what it was meant to, once it is in a block.
    async fn succeeded(&self) -> Option<bool> {
        self.0.succeeded
    }

    /// What the network charged, once it is in a block.
    async fn fee(&self, ctx: &Context<'_>) -> Option<Money> {
        Money::fee(services(ctx), &self.0.chain, self.0.fee?)
    }

    /// The most the network may charge, once it is planned.
    async fn fee_max(&self, ctx: &Context<'_>) -> Option<Money> {
        Money::fee(services(ctx), &self.0.chain, self.0.fee_max?)
    }

    /// What the last node said, when it did not take the bytes.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// How the last node's answer is understood.
    async fn last_outcome(&self) -> Option<BroadcastOutcome> {
        self.0.last_outcome.map(Into::into)
    }

    /// Why it is dead, or what was seen last when it is stuck.
    async fn failure(&self) -> Option<Failure> {
        self.0.failure.as_ref().map(Failure::from)
    }

    /// When it was queued.
    async fn created_at(&self) -> Timestamp {
        Timestamp(self.0.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> Timestamp {
        Timestamp(self.0.updated_at)
    }

    /// Counts its own events.
    async fn version(&self) -> i32 {
        int(self.0.version)
    }
}

impl Execution {
    /// An execution as its row says.
    pub fn new(row: ExecutionRow, moment: &Moment) -> Self {
        Self(Arc::new(row), moment.clone())
    }
}
