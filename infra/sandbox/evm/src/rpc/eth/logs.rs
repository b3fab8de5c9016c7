//! `eth_getLogs`: block by block over the headers' bloom filters, within limits.

use revm::primitives::{Address, B256, Log};
use serde_json::{Map, Value};

use super::{
    super::{
        Node, RpcError,
        params::{self, Params, Read},
        render,
    },
    Answer,
};
use crate::{
    assemble::Block,
    chain::{BlockRef, Chain},
    receipt::Bloom,
};

/// Blocks that one query may span.
const MAX_BLOCKS: u64 = 10_000;
/// Logs that one query may return.
const MAX_LOGS: usize = 10_000;
/// Addresses, and alternatives per topic, that one query may name.
const MAX_ALTERNATIVES: usize = 1_000;

struct Filter {
    blocks: Span,
    /// Any of these; empty is any address.
    addresses: Vec<Address>,
    /// Per position any of these; empty is any topic.
    topics: Vec<Vec<B256>>,
}

enum Span {
    One(B256),
    Range(BlockRef, BlockRef),
}

pub(super) fn get(node: &Node, values: &[Value]) -> Answer {
    let filter = Params::at_most(values, 1)?.required(0, |value| filter(params::object(value)?))?;
    let chain = node.chain()?;
    let mut found = Vec::new();
    match filter.blocks {
        Span::One(hash) => {
            let block = chain
                .block(BlockRef::Hash(hash))?
                .ok_or_else(|| RpcError::server("unknown block"))?;
            filter.collect(&block, &mut found)?;
        }
        Span::Range(from, to) => filter.search(&chain, from, to, &mut found)?,
    }
    Ok(Value::Array(found))
}

impl Filter {
    fn search(
        &self,
        chain: &Chain,
        from: BlockRef,
        to: BlockRef,
        found: &mut Vec<Value>,
    ) -> Result<(), RpcError> {
        let number = |block| {
            chain
                .number_of(block)
                .ok_or_else(|| RpcError::params("invalid block range params"))
        };
        let (from, to) = (number(from)?, number(to)?);
        if from > to {
            return Err(RpcError::params("invalid block range params"));
        }
        let to = to.min(chain.head().header.number);
        if to.saturating_sub(from) >= MAX_BLOCKS {
            return Err(RpcError::params(format!(
                "exceed maximum block range: {MAX_BLOCKS}"
            )));
        }
        for sealed in chain.headers(from, to)? {
            if self.may_match(&sealed.header.logs_bloom)
                && let Some(block) = chain.block(BlockRef::Number(sealed.header.number))?
            {
                self.collect(&block, found)?;
            }
        }
        Ok(())
    }

    fn may_match(&self, bloom: &Bloom) -> bool {
        let any =
            |mut entries: &mut dyn Iterator<Item = &[u8]>| (&mut entries).any(|entry| bloom.may_hold(entry));
        let address =
            self.addresses.is_empty() || any(&mut self.addresses.iter().map(|address| address.as_slice()));
        let topic =
            |wanted: &Vec<B256>| wanted.is_empty() || any(&mut wanted.iter().map(|topic| topic.as_slice()));
        !bloom.is_empty() && address && self.topics.iter().all(topic)
    }

    fn matches(&self, log: &Log) -> bool {
        let topics = log.data.topics();
        let address = self.addresses.is_empty() || self.addresses.contains(&log.address);
        address
            && topics.len() >= self.topics.len()
            && self
                .topics
                .iter()
                .zip(topics)
                .all(|(wanted, topic)| wanted.is_empty() || wanted.contains(topic))
    }

    fn collect(&self, block: &Block, found: &mut Vec<Value>) -> Result<(), RpcError> {
        for position in 0..block.receipts.len() {
            let matching = render::logs(block, position).filter(|(log, _)| self.matches(log));
            found.extend(matching.map(|(_, shown)| shown));
        }
        if found.len() > MAX_LOGS {
            return Err(RpcError::limit(format!(
                "query returned more than {MAX_LOGS} results"
            )));
        }
        Ok(())
    }
}

fn filter(fields: &Map<String, Value>) -> Read<Filter> {
    let get = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let edge = |name: &str| get(name).map(params::block_number).transpose();
    let (from, to) = (edge("fromBlock")?, edge("toBlock")?);
    let blocks = match get("blockHash") {
        Some(_) if from.is_some() || to.is_some() => {
            return Err(
                "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other".to_owned(),
            );
        }
        Some(hash) => Span::One(params::hash(hash)?),
        None => Span::Range(from.unwrap_or(BlockRef::Latest), to.unwrap_or(BlockRef::Latest)),
    };
    let addresses = get("address").map_or(Ok(Vec::new()), |value| alternatives(value, params::address))?;
    let topics = match get("topics") {
        None => Vec::new(),
        Some(Value::Array(topics)) if topics.len() <= 4 => topics.iter().map(topic).collect::<Read<_>>()?,
        Some(_) => return Err("topics must be an array of at most 4".to_owned()),
    };
    Ok(Filter {
        blocks,
        addresses,
        topics,
    })
}

fn topic(value: &Value) -> Read<Vec<B256>> {
    if value.is_null() {
        Ok(Vec::new())
    } else {
        alternatives(value, params::hash)
    }
}

fn alternatives<T>(value: &Value, read: fn(&Value) -> Read<T>) -> Read<Vec<T>> {
    match value {
        Value::Array(values) if values.len() > MAX_ALTERNATIVES => {
            Err(format!("at most {MAX_ALTERNATIVES} addresses or topics"))
        }
        // a null among alternatives matches anything, so the whole position does
        Value::Array(values) if values.iter().any(Value::is_null) => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(read).collect(),
        single => read(single).map(|value| vec![value]),
    }
}
