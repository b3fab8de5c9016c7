//! The steps behind the broadcast: watch the chain, send the same bytes again, conclude.

use vaultstream_chain_evm::HeadRing;
use vaultstream_chain_evm::verdict::{Attempt, Facts, Inclusion, SlotsRead, Verdict, verdict};
use vaultstream_domain::execution::{AbandonExecution, ExecutionCommand, ExecutionState, FinalizeExecution};
use vaultstream_event_schemas::chain::{BlockRef, ChainHead, Plan, TransactionView};
use vaultstream_event_schemas::execution::v1::{self, ProofOfDeath};
use vaultstream_event_schemas::{ErrorCode, ExecutionStatus};

use super::{Job, SettleError, SettleExecution, Step, next_step};

/// What following found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// Still on its way.
    Open,
    /// Over, one way or another.
    Done,
}

impl SettleExecution {
    /// Looks at one execution under a head of the followed chain and records what is new.
    pub async fn follow(
        &self,
        job: &Job,
        head: &ChainHead,
        ring: &HeadRing,
    ) -> Result<Followed, SettleError> {
        let state = self.state(job).await?;
        match next_step(&state) {
            Step::Done => return Ok(Followed::Done),
            Step::Follow => {}
            _ => return Ok(Followed::Open),
        }
        let found = verdict(&self.facts(&state, head, ring).await?);
        if let Some(known) = &state.inclusion
            && !matches!(&found, Verdict::Included(i) | Verdict::Final(i) if i.block == known.block)
            && found != Verdict::Unclear
        {
            let detached = v1::Detached {
                block: known.block.clone(),
                txid: known.txid.clone(),
            };
            self.record(job, ExecutionCommand::RecordDetached(detached))
                .await?;
            self.services.boundary.passed("detached");
        }
        self.conclude(job, &state, found).await
    }

    async fn conclude(
        &self,
        job: &Job,
        state: &ExecutionState,
        found: Verdict,
    ) -> Result<Followed, SettleError> {
        match found {
            Verdict::Unclear | Verdict::Contested(_) => Ok(Followed::Open),
            Verdict::Unseen => {
                self.broadcast(job, state).await?;
                Ok(Followed::Open)
            }
            Verdict::Pooled(txid) => {
                if state.status != Some(ExecutionStatus::Seen) {
                    let node = self.chain.settings.slug.to_string();
                    self.record(job, ExecutionCommand::RecordSeen(v1::Seen { node, txid }))
                        .await?;
                    self.services.boundary.passed("seen");
                }
                Ok(Followed::Open)
            }
            Verdict::Included(inclusion) => {
                if state
                    .inclusion
                    .as_ref()
                    .is_none_or(|known| known.block != inclusion.block)
                {
                    self.include(job, inclusion).await?;
                }
                Ok(Followed::Open)
            }
            Verdict::Final(inclusion) => self.finalize(job, state, inclusion).await,
            Verdict::SlotConsumedByOther(proof) => {
                self.supersede(job, proof).await?;
                Ok(Followed::Done)
            }
        }
    }

    async fn include(&self, job: &Job, i: Inclusion) -> Result<(), SettleError> {
        let included = v1::Included {
            block: i.block,
            fee: i.fee,
            succeeded: i.succeeded,
            txid: i.txid,
        };
        self.record(job, ExecutionCommand::RecordIncluded(included))
            .await?;
        self.services.boundary.passed("included");
        Ok(())
    }

    async fn finalize(
        &self,
        job: &Job,
        state: &ExecutionState,
        i: Inclusion,
    ) -> Result<Followed, SettleError> {
        if state.inclusion.is_none() {
            self.include(job, i.clone()).await?;
        }
        let finalized = v1::Finalized {
            block: i.block,
            fee: i.fee,
            succeeded: i.succeeded,
            txid: i.txid,
        };
        let finalize = FinalizeExecution {
            scope: job.scope,
            transfers: job.transfers.clone(),
            finalized,
        };
        self.execute(job, finalize).await?;
        self.services.boundary.passed("finalized");
        Ok(Followed::Done)
    }

    /// Another transaction consumed the slot for good: nothing of ours can ever be included.
    async fn supersede(&self, job: &Job, proof: ProofOfDeath) -> Result<(), SettleError> {
        let detail = "another transaction used the account's nonce in a final block".to_owned();
        tracing::error!(execution = %job.scope.execution, "the account's slot was used by a transaction that is not ours");
        let dead = v1::Dead {
            code: ErrorCode::SlotTaken.to_string(),
            detail,
            proof,
        };
        self.execute(
            job,
            AbandonExecution {
                scope: job.scope,
                transfers: job.transfers.clone(),
                dead,
            },
        )
        .await
    }

    /// Reads what a verdict rests on. Slots are read only when no attempt is found, and then before the attempts are
    /// read once more: an attempt seen before its slot was seen consumed might have been included in between.
    async fn facts(
        &self,
        state: &ExecutionState,
        head: &ChainHead,
        ring: &HeadRing,
    ) -> Result<Facts, SettleError> {
        let Some(Plan::Evm(plan)) = &state.plan else {
            return Err(SettleError::Rules("the execution has no plan".to_owned()));
        };
        let mut facts = Facts {
            head: head.clone(),
            slot: plan.nonce,
            attempts: self.attempts(state, ring).await?,
            at_finalized: None,
            at_tip: None,
        };
        if facts.attempts.iter().all(|a| a.view == TransactionView::Absent) {
            facts.at_tip = Some(self.slots_at(&plan.from, &head.tip.at).await?);
            if facts
                .at_tip
                .as_ref()
                .is_some_and(|read| read.consumed > plan.nonce)
            {
                facts.at_finalized = Some(self.slots_at(&plan.from, &head.finalized).await?);
            }
            facts.attempts = self.attempts(state, ring).await?;
        }
        Ok(facts)
    }

    async fn slots_at(&self, address: &str, at: &BlockRef) -> Result<SlotsRead, SettleError> {
        let consumed = self.chain.node.slots_consumed(address, at).await?;
        Ok(SlotsRead {
            at: at.clone(),
            consumed,
        })
    }

    async fn attempts(&self, state: &ExecutionState, ring: &HeadRing) -> Result<Vec<Attempt>, SettleError> {
        let mut attempts = Vec::with_capacity(state.attempts.len());
        for attempt in &state.attempts {
            let txid = attempt.transaction.txid.clone();
            let view = self.chain.node.transaction(&txid).await?;
            let followed = match &view {
                TransactionView::Included { block, .. } => self.followed(block.height, ring).await?,
                _ => None,
            };
            attempts.push(Attempt { txid, view, followed });
        }
        Ok(attempts)
    }

    /// The followed chain's block at a height; below what the ring remembers, the node's canonical one.
    async fn followed(&self, height: u64, ring: &HeadRing) -> Result<Option<BlockRef>, SettleError> {
        if let Some(block) = ring.at(height) {
            return Ok(Some(block));
        }
        match ring.tip() {
            Some(tip) if height < tip.height => {
                Ok(self.chain.node.block_at(height).await?.map(|block| block.at))
            }
            _ => Ok(None),
        }
    }
}
