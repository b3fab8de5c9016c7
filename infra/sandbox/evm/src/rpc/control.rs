//! The control port: `sandbox_*` steers time, forks, money and faults. It never shares a port with the public methods.
//!
//! Arguments come by position or as one object. Numbers are JSON numbers, decimal text or 0x-quantities.

use std::{sync::Arc, time::Duration};

use revm::primitives::{Address, U256};
use serde_json::{Map, Value, json};

use super::{
    Failure, Methods, Node, RpcError,
    params::{self, Read},
    render,
};
use crate::{chain::ReorgRequest, options::check_block_time, transaction::Transaction};

/// Blocks that one `sandbox_mine` adds at most.
const MAX_MINE: u64 = 10_000;
/// Faults end by themselves: no latency or refusal is longer.
const MAX_FAULT: Duration = Duration::from_secs(60);
const MAX_SILENCES: u64 = 10_000;
const MAX_REPLACEMENTS: usize = 1_000;

/// The methods of the control port.
pub(crate) struct Control(pub(crate) Arc<Node>);

type Answer = Result<Value, RpcError>;

/// Arguments by name.
struct Named(Map<String, Value>);

impl Named {
    /// Reads `[object]` or positional values in the order of `names`; refuses unknown names.
    fn read(values: &[Value], names: &[&str]) -> Result<Self, RpcError> {
        let fields = match values {
            [Value::Object(fields)] => fields.clone(),
            values if values.len() <= names.len() => names
                .iter()
                .zip(values)
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            _ => {
                return Err(RpcError::params(format!(
                    "too many arguments, want at most {}",
                    names.len()
                )));
            }
        };
        match fields.keys().find(|name| !names.contains(&name.as_str())) {
            Some(unknown) => Err(RpcError::params(format!(
                "unknown argument {unknown:?}; known: {}",
                names.join(", ")
            ))),
            None => Ok(Self(fields)),
        }
    }

    fn get<T>(&self, name: &str, read: impl FnOnce(&Value) -> Read<T>) -> Result<Option<T>, RpcError> {
        let value = self.0.get(name).filter(|value| !value.is_null());
        value
            .map(|value| read(value).map_err(|why| RpcError::params(format!("{name}: {why}"))))
            .transpose()
    }

    fn need<T>(&self, name: &str, read: impl FnOnce(&Value) -> Read<T>) -> Result<T, RpcError> {
        self.get(name, read)?
            .ok_or_else(|| RpcError::params(format!("argument {name:?} is missing")))
    }
}

impl Methods for Control {
    fn call(&self, method: &str, values: &[Value]) -> Result<Value, Failure> {
        Ok(self.steer(method, values)?)
    }
}

impl Control {
    fn steer(&self, method: &str, values: &[Value]) -> Answer {
        match method {
            "sandbox_status" => self.status(),
            "sandbox_mine" => self.mine(&Named::read(values, &["blocks"])?),
            "sandbox_setAutomine" => self.set_automine(&Named::read(values, &["on"])?),
            "sandbox_setBlockTime" => self.set_block_time(&Named::read(values, &["ms"])?),
            "sandbox_setBaseFee" => self.set_base_fee(&Named::read(values, &["wei"])?),
            "sandbox_faucet" => self.faucet(&Named::read(values, &["address", "amountWei"])?),
            "sandbox_reorg" => {
                let names = ["depth", "dropTransactions", "replacement", "force", "remine"];
                self.reorg(&Named::read(values, &names)?)
            }
            "sandbox_dropTransaction" => self.drop_transaction(&Named::read(values, &["hash"])?),
            "sandbox_setLatency" => self.set_latency(&Named::read(values, &["ms"])?),
            "sandbox_timeoutAfterAccept" => self.timeout_after_accept(&Named::read(values, &["count"])?),
            "sandbox_refuseConnections" => self.refuse_connections(&Named::read(values, &["ms"])?),
            other => Err(RpcError::method(other)),
        }
    }

    fn status(&self) -> Answer {
        let chain = self.0.chain()?;
        let (pending, queued) = chain.pool_status();
        let faults = self.0.faults.show();
        Ok(json!({
            "chainId": chain.genesis.chain_id,
            "head": chain.head().header.number,
            "headHash": render::data(chain.head().hash),
            "safe": chain.safe_number(),
            "finalized": chain.finalized_number(),
            "baseFee": chain.next_base_fee().to_string(),
            "automine": chain.control.automine,
            "blockTimeMs": chain.control.block_time_ms,
            "pending": pending,
            "queued": queued,
            "waitingCredits": chain.waiting_credits()?,
            "accounts": chain.state().accounts_len(),
            "latencyMs": faults.latency_ms,
            "timeoutsAfterAccept": faults.silences,
            "refusingMs": faults.refusing_ms,
        }))
    }

    /// One lock per block, so that readers come in between.
    fn mine(&self, named: &Named) -> Answer {
        let blocks = named.get("blocks", params::amount64)?.unwrap_or(1);
        if !(1..=MAX_MINE).contains(&blocks) {
            return Err(RpcError::params(format!(
                "blocks: {blocks} is not between 1 and {MAX_MINE}"
            )));
        }
        let mut head = Value::Null;
        for _ in 0..blocks {
            let sealed = self.0.chain()?.mine(self.0.now())?;
            head = json!({"number": sealed.header.number, "hash": render::data(sealed.hash)});
        }
        Ok(head)
    }

    fn set_automine(&self, named: &Named) -> Answer {
        let on = named.need("on", params::boolean)?;
        self.0.chain()?.set_control(|control| control.automine = on)?;
        self.0.pace.notify_one();
        Ok(json!(on))
    }

    fn set_block_time(&self, named: &Named) -> Answer {
        let checked =
            |value: &Value| params::amount64(value).and_then(|ms| check_block_time(ms).map(|()| ms));
        let ms = named.need("ms", checked)?;
        self.0
            .chain()?
            .set_control(|control| control.block_time_ms = ms)?;
        self.0.pace.notify_one();
        Ok(json!(ms))
    }

    fn set_base_fee(&self, named: &Named) -> Answer {
        let wei = named.need("wei", params::amount64)?;
        self.0
            .chain()?
            .set_control(|control| control.forced_base_fee = Some(wei))?;
        Ok(json!(wei.to_string()))
    }

    fn faucet(&self, named: &Named) -> Answer {
        let address: Address = named.need("address", params::address)?;
        let wei: U256 = named.need("amountWei", params::amount)?;
        // a withdrawal counts gwei in 64 bits
        let limit = U256::from(u64::MAX) * U256::from(1_000_000_000u64);
        if wei.is_zero() || wei > limit {
            return Err(RpcError::params(format!(
                "amountWei: {wei} is not between 1 and {limit}"
            )));
        }
        let mut chain = self.0.chain()?;
        let next = chain.head().header.number + 1;
        match chain.credit(address, wei)? {
            Some(credit) => Ok(json!({"credit": credit.index, "earliestBlock": next})),
            None => Err(RpcError::limit(
                "too many credits wait for a block; mine one first",
            )),
        }
    }

    fn reorg(&self, named: &Named) -> Answer {
        let mut chain = self.0.chain()?;
        let chain_id = chain.genesis.chain_id;
        let replacement = |value: &Value| {
            let list = value.as_array().filter(|list| list.len() <= MAX_REPLACEMENTS);
            let list = list
                .ok_or_else(|| format!("expected an array of at most {MAX_REPLACEMENTS} raw transactions"))?;
            let decode = |raw: &Value| {
                let tx =
                    Transaction::decode(&params::data(raw)?, chain_id).map_err(|error| error.to_string())?;
                Ok(Arc::new(tx))
            };
            list.iter().map(decode).collect::<Read<Vec<_>>>()
        };
        let request = ReorgRequest {
            depth: named.need("depth", params::amount64)?,
            drop: named.get("dropTransactions", params::boolean)?.unwrap_or(false),
            force: named.get("force", params::boolean)?.unwrap_or(false),
            remine: named.get("remine", params::boolean)?.unwrap_or(false),
            replacement: named.get("replacement", replacement)?.unwrap_or_default(),
        };
        let report = chain.reorg(request, self.0.now())?;
        let hashes = |list: &[_]| list.iter().map(render::data).collect::<Vec<_>>();
        Ok(json!({
            "detached": hashes(&report.detached),
            "attached": hashes(&report.attached),
            "returned": hashes(&report.returned),
            "dropped": report.dropped.iter().map(|(hash, reason)| json!({"hash": render::data(hash), "reason": reason}))
                .collect::<Vec<_>>(),
        }))
    }

    fn drop_transaction(&self, named: &Named) -> Answer {
        let hash = named.need("hash", params::hash)?;
        Ok(json!(self.0.chain()?.pool.remove(&hash).is_some()))
    }

    fn set_latency(&self, named: &Named) -> Answer {
        let latency = named.need("ms", duration)?;
        self.0.faults.set_latency(latency);
        Ok(json!(latency.as_millis() as u64))
    }

    fn timeout_after_accept(&self, named: &Named) -> Answer {
        let count = named.need("count", params::amount64)?;
        if count > MAX_SILENCES {
            return Err(RpcError::params(format!(
                "count: {count} is more than {MAX_SILENCES}"
            )));
        }
        self.0.faults.set_silences(count);
        Ok(json!(count))
    }

    fn refuse_connections(&self, named: &Named) -> Answer {
        let period = named.need("ms", duration)?;
        self.0.faults.refuse_for(period);
        Ok(json!(period.as_millis() as u64))
    }
}

fn duration(value: &Value) -> Read<Duration> {
    let period = Duration::from_millis(params::amount64(value)?);
    if period > MAX_FAULT {
        Err(format!("at most {} ms", MAX_FAULT.as_millis()))
    } else {
        Ok(period)
    }
}
