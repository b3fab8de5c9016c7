//! One question to the node and what can come of it: an answer, the node's refusal, or nothing clear.

use alloy_json_rpc::{RpcError, RpcRecv, RpcSend};
use alloy_primitives::{Bytes, hex};
use alloy_rpc_client::RpcClient;
use alloy_transport::TransportErrorKind;
use serde_json::Value;
use vaultstream_chain_evm::revert::reason;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::BlockRef;

use crate::classify::{is_refusal_of_call, is_state_gone};
use crate::redact::Redactor;
use crate::transport::Untrusted;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The node understood and refused.
    Refused {
        /// JSON-RPC error code.
        code: i64,
        /// The node's words, cleaned and cut.
        message: String,
        /// What a call reverted with.
        data: Option<Bytes>,
    },
    /// No answer, or none that can be understood.
    Unclear(String),
    /// The other end is not the node it should be. A certificate can lapse and be renewed: readings ask again.
    Untrusted(String),
}

/// JSON-RPC 2.0: invalid request, unknown method, invalid parameters.
const NEVER: [i64; 3] = [-32600, -32601, -32602];

impl Failure {
    pub(crate) fn is_unknown_method(&self) -> bool {
        matches!(self, Self::Refused { code: -32601, .. })
    }

    /// As the failure of a reading that is not about a block's state.
    pub(crate) fn reading(self) -> NodeError {
        match self {
            Self::Refused { code, message, .. } if NEVER.contains(&code) => NodeError::Refused(message),
            Self::Refused { message, .. } | Self::Unclear(message) | Self::Untrusted(message) => {
                NodeError::Unavailable(message)
            }
        }
    }

    /// As the failure of a reading of the state at a block.
    pub(crate) fn reading_at(self, at: &BlockRef) -> NodeError {
        match &self {
            Self::Refused { message, .. } if is_state_gone(message) => {
                NodeError::StateGone(format!("{} ({})", at.height, at.hash))
            }
            _ => self.reading(),
        }
    }

    /// As the failure of a trial of a call: what would fail on chain is refused, in the contract's own words.
    pub(crate) fn trial(self) -> NodeError {
        match self {
            Self::Refused { data: Some(data), .. } if !data.is_empty() => NodeError::Refused(reason(&data)),
            Self::Refused { code, message, .. } if code == 3 || is_refusal_of_call(&message) => {
                NodeError::Refused(message)
            }
            other => other.reading(),
        }
    }
}

/// A node's JSON-RPC with its address kept secret.
pub(crate) struct Rpc {
    pub(crate) client: RpcClient,
    pub(crate) redactor: Redactor,
}

impl Rpc {
    /// Asks one question.
    pub(crate) async fn call<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        params: P,
    ) -> Result<R, Failure> {
        let answer = self.client.request(method, params).await;
        answer.map_err(|error| {
            let failure = self.failure(error);
            tracing::debug!(method, ?failure, "the node gave no answer");
            failure
        })
    }

    fn failure(&self, error: RpcError<TransportErrorKind>) -> Failure {
        let clean = |text: &str| self.redactor.clean(text);
        match error {
            RpcError::ErrorResp(payload) => Failure::Refused {
                code: payload.code,
                message: clean(&payload.message),
                data: payload.data.and_then(|raw| revert_data(raw.get())),
            },
            RpcError::Transport(TransportErrorKind::Custom(error)) if error.is::<Untrusted>() => {
                Failure::Untrusted(clean(&error.to_string()))
            }
            RpcError::Transport(kind) => match kind.as_http_error() {
                Some(http) => Failure::Unclear(clean(&format!("HTTP status {}: {}", http.status, http.body))),
                None => Failure::Unclear(clean(&kind.to_string())),
            },
            RpcError::DeserError { err, text } => {
                Failure::Unclear(clean(&format!("the answer cannot be read ({err}): {text}")))
            }
            other => Failure::Unclear(clean(&other.to_string())),
        }
    }
}

/// The payload of a revert: geth and anvil give it as a hexadecimal text, some nodes inside an object.
fn revert_data(raw: &str) -> Option<Bytes> {
    let value: Value = serde_json::from_str(raw).ok()?;
    let text = value.as_str().or_else(|| value.get("data")?.as_str())?;
    hex::decode(text.strip_prefix("0x")?).ok().map(Bytes::from)
}
