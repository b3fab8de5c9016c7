//! What a call can end with besides a result. Codes and texts are geth's, because clients tell cases apart by them.

use serde_json::{Value, json};

use crate::{
    chain::{ReorgError, StateError, SubmitError},
    error::{self, Error},
};

/// A JSON-RPC error object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// JSON-RPC 2.0 code: -32700 to -32600 for malformed calls, -32000 for refusals, 3 for reverted executions.
    pub code: i64,
    /// For people and for clients that match on it.
    pub message: String,
    /// What the contract reverted with, as 0x-hex.
    pub data: Option<String>,
}

/// An error answer, or none at all.
#[derive(Debug)]
pub(crate) enum Failure {
    Error(RpcError),
    /// The control port asked that the client never hears back.
    Silence,
}

impl RpcError {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn parse(message: impl Into<String>) -> Self {
        Self::new(-32700, message)
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    pub(crate) fn method(name: &str) -> Self {
        Self::new(
            -32601,
            format!("the method {name} does not exist/is not available"),
        )
    }

    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(-32603, message)
    }

    pub(crate) fn server(message: impl Into<String>) -> Self {
        Self::new(-32000, message)
    }

    /// More than the node is willing to return.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(-32005, message)
    }

    pub(crate) fn reverted(message: String, output: &[u8]) -> Self {
        Self {
            code: 3,
            message,
            data: Some(format!("0x{}", hex::encode(output))),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            object["data"] = json!(data);
        }
        object
    }
}

impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        Self::Error(error)
    }
}

impl From<Error> for RpcError {
    fn from(error: Error) -> Self {
        let text = error::chain(&error);
        tracing::error!(error = text, "storage failed");
        Self::internal(text)
    }
}

impl From<StateError> for RpcError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Storage(error) => error.into(),
            other => Self::server(other.to_string()),
        }
    }
}

impl From<SubmitError> for RpcError {
    fn from(error: SubmitError) -> Self {
        Self::server(error.to_string())
    }
}

impl From<ReorgError> for RpcError {
    fn from(error: ReorgError) -> Self {
        match error {
            ReorgError::Storage(error) => error.into(),
            other => Self::params(other.to_string()),
        }
    }
}
