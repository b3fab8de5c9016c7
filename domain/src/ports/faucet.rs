//! The faucet of a sandbox chain: money worth nothing, for trying things out. Never wired beside a live chain.

use async_trait::async_trait;
use vaultstream_event_schemas::Amount;

use super::chain_node::NodeError;

/// Gives native money of a sandbox chain.
#[async_trait]
pub trait Faucet: Send + Sync {
    /// Credits an address with minor units of the native asset; the credit is in a block soon after.
    async fn fund(&self, address: &str, minor: Amount) -> Result<(), NodeError>;
}
