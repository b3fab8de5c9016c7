//! The public port: `eth_*`, `net_*`, `web3_*` and `txpool_status`. Nothing here can steer the sandbox.

mod accounts;
mod blocks;
mod calls;
mod fees;
mod logs;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Failure, Methods, Node, RpcError,
    params::{self, Params},
    render,
};

/// The methods of the public port.
pub(crate) struct Eth(pub(crate) Arc<Node>);

type Answer = Result<Value, RpcError>;

impl Methods for Eth {
    fn call(&self, method: &str, values: &[Value]) -> Result<Value, Failure> {
        if method == "eth_sendRawTransaction" {
            return self.send(values);
        }
        Ok(self.read(method, values)?)
    }
}

impl Eth {
    fn read(&self, method: &str, values: &[Value]) -> Answer {
        let node = &self.0;
        match method {
            "web3_clientVersion" => Ok(json!(concat!(
                "vaultstream-sandbox-evm/",
                env!("CARGO_PKG_VERSION")
            ))),
            "net_version" => Ok(json!(node.chain()?.genesis.chain_id.to_string())),
            "net_listening" => Ok(json!(true)),
            "net_peerCount" => Ok(json!("0x0")),
            "eth_chainId" => Ok(json!(render::number(node.chain()?.genesis.chain_id))),
            "eth_syncing" => Ok(json!(false)),
            "eth_accounts" => Ok(json!([])),
            "eth_blockNumber" => blocks::head_number(node),
            "eth_getBlockByNumber" => blocks::by_number(node, values),
            "eth_getBlockByHash" => blocks::by_hash(node, values),
            "eth_getBlockReceipts" => blocks::receipts(node, values),
            "eth_getTransactionByHash" => blocks::transaction(node, values),
            "eth_getTransactionReceipt" => blocks::receipt(node, values),
            "eth_getLogs" => logs::get(node, values),
            "eth_getBalance" => accounts::balance(node, values),
            "eth_getTransactionCount" => accounts::nonce(node, values),
            "eth_getCode" => accounts::code(node, values),
            "eth_getStorageAt" => accounts::storage(node, values),
            "eth_call" => calls::call(node, values),
            "eth_estimateGas" => calls::estimate(node, values),
            "eth_gasPrice" => fees::gas_price(node),
            "eth_maxPriorityFeePerGas" => fees::tip(node),
            "eth_feeHistory" => fees::history(node, values),
            "txpool_status" => txpool_status(node),
            other => Err(RpcError::method(other)),
        }
    }

    fn send(&self, values: &[Value]) -> Result<Value, Failure> {
        let raw = Params::at_most(values, 1)?.required(0, params::data)?;
        let hash = self.0.chain()?.submit(&raw).map_err(RpcError::from)?;
        if self.0.faults.take_silence() {
            tracing::info!(%hash, "accepted, and the client will not hear of it");
            return Err(Failure::Silence);
        }
        Ok(json!(render::data(hash)))
    }
}

fn txpool_status(node: &Node) -> Answer {
    let (pending, queued) = node.chain()?.pool_status();
    Ok(json!({"pending": render::number(pending as u64), "queued": render::number(queued as u64)}))
}
