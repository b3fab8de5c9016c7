//! Handing signed bytes to the node. Once: whether and when to send again is the workflow's decision.

use alloy_primitives::B256;
use vaultstream_domain::ports::chain_node::BroadcastAnswer;
use vaultstream_event_schemas::chain::RawTransaction;
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;

use crate::classify::classify;
use crate::node::EvmNode;
use crate::rpc::Failure;

fn understand(answer: Result<B256, Failure>, txid: &str) -> (BroadcastOutcome, String) {
    match answer {
        Ok(hash) if format!("{hash:#x}") == txid => (BroadcastOutcome::Accepted, "accepted".to_owned()),
        Ok(other) => {
            let detail = format!("it took the bytes under another id, {other:#x}");
            (BroadcastOutcome::Ambiguous, detail)
        }
        Err(Failure::Refused { message, .. }) => (classify(&message), message),
        Err(Failure::Unclear(detail) | Failure::Untrusted(detail)) => (BroadcastOutcome::Ambiguous, detail),
    }
}

impl EvmNode {
    pub(crate) async fn send_raw(&self, transaction: &RawTransaction) -> BroadcastAnswer {
        let answer = self.rpc.call("eth_sendRawTransaction", (&transaction.raw,)).await;
        let (outcome, detail) = understand(answer, &transaction.txid);
        tracing::info!(
            node = self.name,
            txid = transaction.txid,
            ?outcome,
            detail,
            "broadcast"
        );
        BroadcastAnswer {
            outcome,
            detail,
            node: self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_id_should_be_accepted() {
        let hash = B256::repeat_byte(1);
        let txid = format!("{hash:#x}");
        assert_eq!(understand(Ok(hash), &txid).0, BroadcastOutcome::Accepted);
        assert_eq!(understand(Ok(B256::ZERO), &txid).0, BroadcastOutcome::Ambiguous);
        let lost = Failure::Unclear("no answer in time".to_owned());
        assert_eq!(understand(Err(lost), &txid).0, BroadcastOutcome::Ambiguous);
    }
}
