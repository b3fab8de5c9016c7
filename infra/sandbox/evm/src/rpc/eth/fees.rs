//! What gas costs: suggestions from the newest blocks, and the history they rest on.

use serde_json::{Value, json};

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
    error::Error,
    header::Sealed,
};

/// What geth suggests when the newest blocks say nothing: 1 gwei.
const DEFAULT_TIP: u128 = 1_000_000_000;
/// How many blocks a suggestion looks at.
const SAMPLE_BLOCKS: u64 = 20;
const MAX_HISTORY_BLOCKS: u64 = 1_024;
const MAX_PERCENTILES: usize = 100;

pub(super) fn gas_price(node: &Node) -> Answer {
    let chain = node.chain()?;
    let price = suggested_tip(&chain)?.saturating_add(u128::from(chain.head().header.base_fee));
    Ok(json!(render::number(price)))
}

pub(super) fn tip(node: &Node) -> Answer {
    Ok(json!(render::number(suggested_tip(&*node.chain()?)?)))
}

/// The median tip paid in the newest blocks.
fn suggested_tip(chain: &Chain) -> Result<u128, Error> {
    let head = chain.head().header.number;
    let mut tips = Vec::new();
    for number in head.saturating_sub(SAMPLE_BLOCKS - 1)..=head {
        tips.extend(rewards(chain, number)?.into_iter().map(|(tip, _)| tip));
    }
    tips.sort_unstable();
    Ok(tips.get(tips.len() / 2).copied().unwrap_or(DEFAULT_TIP))
}

/// Tip per gas and gas of each transaction of a block.
fn rewards(chain: &Chain, number: u64) -> Result<Vec<(u128, u64)>, Error> {
    let tip = |block: &Block, price: u128| price.saturating_sub(u128::from(block.sealed.header.base_fee));
    let block = chain.block(BlockRef::Number(number))?;
    Ok(block.map_or_else(Vec::new, |block| {
        block
            .receipts
            .iter()
            .map(|receipt| (tip(&block, receipt.price), receipt.gas_used))
            .collect()
    }))
}

pub(super) fn history(node: &Node, values: &[Value]) -> Answer {
    let params = Params::at_most(values, 3)?;
    let count = params.required(0, |value| {
        params::quantity64(value).or_else(|_| params::amount64(value))
    })?;
    let newest = params.required(1, params::block_number)?;
    let percentiles = params.optional(2, percentiles)?.unwrap_or_default();
    let chain = node.chain()?;
    let head = chain.head().header.number;
    let newest = chain.number_of(newest).unwrap_or(head);
    if newest > head {
        return Err(RpcError::server(format!(
            "request beyond head block: requested {newest}, head {head}"
        )));
    }
    let count = count.min(MAX_HISTORY_BLOCKS).min(newest + 1);
    if count == 0 {
        return Ok(json!({"oldestBlock": "0x0", "gasUsedRatio": []}));
    }
    let oldest = newest + 1 - count;
    let headers = chain.headers(oldest, newest)?;
    let base_fees = base_fees(&chain, &headers)?;
    let ratios: Vec<f64> = headers
        .iter()
        .map(|sealed| ratio(sealed.header.gas_used, sealed.header.gas_limit))
        .collect();
    let mut answer = json!({
        "oldestBlock": render::number(oldest),
        "baseFeePerBlobGas": vec!["0x1"; base_fees.len()],
        "blobGasUsedRatio": vec![0; headers.len()],
        "baseFeePerGas": base_fees,
        "gasUsedRatio": ratios,
    });
    if !percentiles.is_empty() {
        let rows = (oldest..=newest).map(|number| Ok(reward_row(rewards(&chain, number)?, &percentiles)));
        answer["reward"] = json!(rows.collect::<Result<Vec<_>, Error>>()?);
    }
    Ok(answer)
}

/// The base fees of `headers` and of the block after them.
fn base_fees(chain: &Chain, headers: &[Sealed]) -> Result<Vec<String>, Error> {
    let mut fees: Vec<u64> = headers.iter().map(|sealed| sealed.header.base_fee).collect();
    if let Some(last) = headers.last() {
        let next = last.header.number + 1;
        let known = chain.headers(next, next)?;
        fees.push(
            known
                .first()
                .map_or_else(|| chain.next_base_fee(), |sealed| sealed.header.base_fee),
        );
    }
    Ok(fees.into_iter().map(render::number).collect())
}

/// The tip at each percentile of the block's gas; zeros for an empty block.
fn reward_row(mut paid: Vec<(u128, u64)>, percentiles: &[u64]) -> Vec<String> {
    paid.sort_unstable();
    let total: u64 = paid.iter().map(|(_, gas)| gas).sum();
    let at = |millionths: &u64| {
        let threshold = u128::from(total) * u128::from(*millionths) / 100_000_000;
        let mut seen = 0u128;
        let reached = paid.iter().find(|(_, gas)| {
            seen += u128::from(*gas);
            seen >= threshold
        });
        render::number(reached.map_or(0u128, |(tip, _)| *tip))
    };
    percentiles.iter().map(at).collect()
}

#[expect(
    clippy::float_arithmetic,
    reason = "the API defines this field as a floating point ratio"
)]
fn ratio(used: u64, limit: u64) -> f64 {
    used as f64 / limit.max(1) as f64
}

/// Percentiles in millionths of a percent.
#[expect(
    clippy::float_arithmetic,
    reason = "the API takes floating point percentiles; they become integers here"
)]
fn percentiles(value: &Value) -> Read<Vec<u64>> {
    let list = value.as_array().ok_or("expected an array of percentiles")?;
    if list.len() > MAX_PERCENTILES {
        return Err(format!("over the query limit {MAX_PERCENTILES}"));
    }
    let mut read = Vec::with_capacity(list.len());
    for entry in list {
        let percent = entry.as_f64().filter(|percent| (0.0..=100.0).contains(percent));
        let percent = percent.ok_or_else(|| format!("invalid reward percentile: {entry}"))?;
        let millionths = (percent * 1_000_000.0) as u64;
        if read.last().is_some_and(|last| *last > millionths) {
            return Err(format!(
                "invalid reward percentile: {entry} comes after a higher one"
            ));
        }
        read.push(millionths);
    }
    Ok(read)
}
