//! The steps towards the chain: reserve, bind, sign, broadcast.

use vaultstream_chain_evm as evm;
use vaultstream_domain::execution::{
    AbandonExecution, BindSlot, ExecutionCommand, ExecutionState, ReserveFunds, Slots, spendable,
};
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_domain::ports::keys::SignRequest;
use vaultstream_domain::transfer::Transfer;
use vaultstream_domain::vault::Account;
use vaultstream_event_schemas::chain::{EvmPlan, Intent, Plan};
use vaultstream_event_schemas::execution::v1::{self, BroadcastOutcome, ProofOfDeath};
use vaultstream_event_schemas::mark::MarkedBind;
use vaultstream_event_schemas::{Amount, AssetId, ErrorCode};

use super::{Job, SettleError, SettleExecution, is_race};
use crate::services::CommandError;

/// How often a bind is drawn up again when another one took the slot value first.
const BIND_TRIES: usize = 8;

fn rules(error: impl std::fmt::Display) -> SettleError {
    SettleError::Rules(error.to_string())
}

fn intent_of(state: &ExecutionState) -> Result<&Intent, SettleError> {
    state
        .queued
        .as_ref()
        .map(|q| &q.intent)
        .ok_or_else(|| rules("the execution was never queued"))
}

fn evm_plan(state: &ExecutionState) -> Result<&EvmPlan, SettleError> {
    match &state.plan {
        Some(Plan::Evm(plan)) => Ok(plan),
        None => Err(rules("the execution has no plan")),
    }
}

/// A drawn-up transaction at a slot value, and its digest.
fn next_transaction(planned: &EvmPlan, nonce: u64) -> Result<(Plan, String), SettleError> {
    let plan = EvmPlan {
        nonce,
        ..planned.clone()
    };
    let digest = evm::digest(&plan).map_err(rules)?;
    Ok((Plan::Evm(plan), format!("{digest:#x}")))
}

impl SettleExecution {
    fn chain_id(&self) -> Result<u64, SettleError> {
        self.chain
            .settings
            .id
            .reference()
            .parse()
            .map_err(|_| rules("the chain's reference is no number"))
    }

    fn fee_asset(&self) -> Result<AssetId, SettleError> {
        self.chain
            .settings
            .native()
            .map(|a| a.id.clone())
            .ok_or_else(|| rules("the chain has no native asset"))
    }

    async fn fee_cap(&self, job: &Job) -> Result<Option<Amount>, SettleError> {
        match job.transfers.first() {
            Some(transfer) => {
                let state = self.services.load::<Transfer>(*transfer).await?;
                Ok(state.request.and_then(|r| r.fee_max))
            }
            None => Ok(None),
        }
    }

    /// Reads the network, draws the transaction up and commits its funds; ends the execution when that cannot be.
    pub(super) async fn reserve(&self, job: &Job, state: &ExecutionState) -> Result<(), SettleError> {
        let intent = intent_of(state)?;
        let slots = self.services.load::<Slots>(job.scope.account.slots()).await?;
        if let Some(lost) = slots.lost.get(&job.scope.execution) {
            // Drawn up and signed in a lost history: neither the network nor the balance is asked again.
            return self.reserve_for(job, lost.plan.clone()).await;
        }
        let gas = match self.chain.node.estimate_work(intent).await {
            Ok(gas) => gas,
            Err(NodeError::Refused(reason)) => return self.refused(job, intent, reason).await,
            Err(e) => return Err(e.into()),
        };
        let quote = self.chain.node.quote_fee().await?;
        let cap = self.fee_cap(job).await?;
        match evm::plan(intent, self.chain_id()?, slots.next, gas, &quote, cap) {
            Ok(plan) => self.reserve_for(job, Plan::Evm(plan)).await,
            Err(error) => self.abandon(job, error.code(), error.to_string()).await,
        }
    }

    async fn reserve_for(&self, job: &Job, plan: Plan) -> Result<(), SettleError> {
        let reserve = ReserveFunds {
            scope: job.scope,
            transfers: job.transfers.clone(),
            plan,
            fee_asset: self.fee_asset()?,
        };
        self.execute(job, reserve).await?;
        self.services.boundary.passed("reserved");
        Ok(())
    }

    /// The node says the transaction would fail: for want of funds, or because the destination refuses it.
    async fn refused(&self, job: &Job, intent: &Intent, reason: String) -> Result<(), SettleError> {
        let account = self.services.load::<Account>(job.scope.account).await?;
        let slots = self.services.load::<Slots>(job.scope.account.slots()).await?;
        let code = if spendable(&account, &slots, &intent.asset) <= intent.amount {
            ErrorCode::InsufficientFunds
        } else {
            ErrorCode::RejectedByNetwork
        };
        self.abandon(job, code, reason).await
    }

    /// Ends an execution for which nothing was signed.
    pub(super) async fn abandon(
        &self,
        job: &Job,
        code: ErrorCode,
        detail: String,
    ) -> Result<(), SettleError> {
        let dead = v1::Dead {
            code: code.to_string(),
            detail,
            proof: ProofOfDeath::NeverSigned,
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

    /// Fixes the next slot value and the digest. The floor is what the chain has consumed at its tip.
    pub(super) async fn bind(&self, job: &Job, state: &ExecutionState) -> Result<(), SettleError> {
        let planned = evm_plan(state)?;
        let head = self.chain.node.head().await?;
        let floor = self
            .chain
            .node
            .slots_consumed(&planned.from, &head.tip.at)
            .await?;
        for _ in 0..BIND_TRIES {
            let slots = self.services.load::<Slots>(job.scope.account.slots()).await?;
            let (plan, digest) = match slots.lost.get(&job.scope.execution) {
                Some(lost) => (lost.plan.clone(), lost.digest.clone()),
                None => next_transaction(planned, slots.next_slot(floor))?,
            };
            let bind = BindSlot {
                scope: job.scope,
                plan,
                digest,
                floor,
            };
            match self.execute(job, bind).await {
                Err(e) if is_race(&e) => {}
                Ok(()) => {
                    self.services.boundary.passed("bound");
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        Err(CommandError::Unavailable("the account's slots keep moving".into()).into())
    }

    /// Asks for the signature over the bound plan, checks that the signer derived the bound digest, and keeps the bytes
    /// before anything leaves the process.
    pub(super) async fn sign(&self, job: &Job, state: &ExecutionState) -> Result<(), SettleError> {
        let (plan, intent) = (evm_plan(state)?, intent_of(state)?);
        self.cover(job, state).await?;
        let request = SignRequest {
            account: job.scope.account,
            intent: intent.clone(),
            plan: Plan::Evm(plan.clone()),
        };
        let signature = self.services.signing.sign(request).await?;
        self.services.boundary.passed("signature-made");
        if state.digest.as_ref() != Some(&signature.digest) {
            return Err(rules("the signer derived another digest than the bound one"));
        }
        let transaction = evm::assemble(plan, &signature.bytes).map_err(rules)?;
        self.record(
            job,
            ExecutionCommand::AttachSigned(v1::Signed {
                attempt: 1,
                transaction,
            }),
        )
        .await?;
        self.services.boundary.passed("signed");
        Ok(())
    }

    /// Returns when the bind is marked where the log is not.
    async fn cover(&self, job: &Job, state: &ExecutionState) -> Result<(), SettleError> {
        let (Some(digest), Some(plan)) = (state.digest.clone(), state.plan.clone()) else {
            return Err(rules("nothing is bound"));
        };
        #[cfg(feature = "planted")]
        if vaultstream_kernel::planted::is_on(vaultstream_kernel::planted::Bug::SignUnmarked) {
            return Ok(());
        }
        let scope = job.scope;
        let bind = MarkedBind {
            execution: scope.execution,
            organization: scope.organization,
            vault: scope.vault,
            account: scope.account,
            digest,
            plan,
        };
        self.services.barrier.cover(bind).await?;
        self.services.boundary.passed("marked");
        Ok(())
    }

    /// Hands the node the bytes that are in the log, and records how it answered.
    pub(super) async fn broadcast(&self, job: &Job, state: &ExecutionState) -> Result<(), SettleError> {
        if !self.services.barrier.is_open() {
            return Err(SettleError::Barred);
        }
        let attempt = state.attempts.last().ok_or_else(|| rules("nothing was signed"))?;
        let answer = self.chain.node.broadcast(&attempt.transaction).await;
        self.services.boundary.passed("sent");
        #[cfg(feature = "planted")]
        self.send_anew_if_planted(job, state, answer.outcome).await?;
        if !matches!(
            answer.outcome,
            BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown
        ) {
            tracing::warn!(execution = %job.scope.execution, outcome = ?answer.outcome, detail = %answer.detail, "broadcast without a clear yes; the same bytes are sent again");
        }
        self.record(
            job,
            ExecutionCommand::RecordBroadcast(v1::BroadcastTried {
                attempt: attempt.number,
                detail: answer.detail,
                node: answer.node,
                outcome: answer.outcome,
            }),
        )
        .await?;
        self.services.boundary.passed("broadcast");
        Ok(())
    }
}
