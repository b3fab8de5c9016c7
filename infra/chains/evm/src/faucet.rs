//! The faucets of sandbox chains: our own sandbox's control port, and anvil's. Money worth nothing; never wired beside
//! a live chain.

use alloy_primitives::{Address, U256};
use alloy_rpc_client::RpcClient;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use vaultstream_chain_evm::parse_destination;
use vaultstream_domain::ports::Faucet;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::Amount;

use crate::connect::{ConnectError, read_url};
use crate::options::Options;
use crate::redact::Redactor;
use crate::rpc::{Failure, Rpc};
use crate::transport::BoundedHttp;

fn rpc(options: &Options) -> Result<Rpc, ConnectError> {
    let url = read_url(&options.url)?;
    let redactor = Redactor::new(&url);
    Ok(Rpc {
        client: RpcClient::new(BoundedHttp::try_new(options, &url)?, true),
        redactor,
    })
}

fn to(address: &str) -> Result<Address, NodeError> {
    parse_destination(address).map_err(|e| NodeError::Refused(e.to_string()))
}

/// What a faucet refused stays refused; the rest may be tried again.
fn failed(failure: Failure) -> NodeError {
    failure.reading()
}

/// The faucet of our sandbox, reached at its control port.
pub struct SandboxFaucet {
    rpc: Rpc,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Credit {
    address: Address,
    amount_wei: String,
}

impl SandboxFaucet {
    /// `options.url` is the control port's address; nothing is asked yet.
    pub fn try_new(options: &Options) -> Result<Self, ConnectError> {
        Ok(Self { rpc: rpc(options)? })
    }
}

#[async_trait]
impl Faucet for SandboxFaucet {
    async fn fund(&self, address: &str, minor: Amount) -> Result<(), NodeError> {
        let credit = Credit {
            address: to(address)?,
            amount_wei: minor.to_string(),
        };
        let answer: Result<Value, _> = self.rpc.call("sandbox_faucet", (credit,)).await;
        answer.map(drop).map_err(failed)
    }
}

/// The faucet of an anvil node, reached at its only port. anvil changes the balance behind the newest block's back, so
/// a balance read at that block changes with it; from the block mined here on it is true.
pub struct AnvilFaucet {
    rpc: Rpc,
}

impl AnvilFaucet {
    /// `options.url` is the node's address; nothing is asked yet.
    pub fn try_new(options: &Options) -> Result<Self, ConnectError> {
        Ok(Self { rpc: rpc(options)? })
    }
}

#[async_trait]
impl Faucet for AnvilFaucet {
    async fn fund(&self, address: &str, minor: Amount) -> Result<(), NodeError> {
        let address = to(address)?;
        let held: Result<U256, _> = self.rpc.call("eth_getBalance", (address, "latest")).await;
        let held = held.map_err(failed)?;
        let sum = held.checked_add(U256::from_be_bytes(minor.to_be_bytes()));
        let sum = sum.ok_or_else(|| NodeError::Refused("the balance would not fit 256 bits".to_owned()))?;
        let answer: Result<Value, _> = self.rpc.call("anvil_setBalance", (address, sum)).await;
        answer.map_err(failed)?;
        // anvil sets balances between blocks: only a block makes the credit true at a block.
        let answer: Result<Value, _> = self.rpc.call("anvil_mine", ("0x1",)).await;
        answer.map(drop).map_err(failed)
    }
}
