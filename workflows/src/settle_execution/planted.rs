//! The planted double send: what the saga must never do, for the simulator to find.

use vaultstream_chain_evm as evm;
use vaultstream_domain::execution::ExecutionState;
use vaultstream_domain::ports::keys::SignRequest;
use vaultstream_event_schemas::chain::{EvmPlan, Plan};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_kernel::planted::{Bug, is_on};

use super::{Job, SettleError, SettleExecution};

impl SettleExecution {
    /// [`Bug::SendAnew`]: takes silence for a no, and pays again under the next slot value.
    pub(super) async fn send_anew_if_planted(
        &self,
        job: &Job,
        state: &ExecutionState,
        outcome: BroadcastOutcome,
    ) -> Result<(), SettleError> {
        let (Some(queued), Some(Plan::Evm(bound))) = (&state.queued, &state.plan) else {
            return Ok(());
        };
        if outcome != BroadcastOutcome::Ambiguous || !is_on(Bug::SendAnew) {
            return Ok(());
        }
        let plan = EvmPlan {
            nonce: bound.nonce + 1,
            ..bound.clone()
        };
        let request = SignRequest {
            account: job.scope.account,
            intent: queued.intent.clone(),
            plan: Plan::Evm(plan.clone()),
        };
        let signature = self.services.signing.sign(request).await?;
        let transaction = evm::assemble(&plan, &signature.bytes);
        let transaction = transaction.map_err(|error| SettleError::Rules(error.to_string()))?;
        self.chain.node.broadcast(&transaction).await;
        Ok(())
    }
}
