//! Blocks, transactions, receipts and logs as the execution API shows them, field for field like geth.

use std::fmt::LowerHex;

use revm::primitives::{Address, B256, Log};
use serde_json::{Value, json};

use crate::{
    assemble::Block,
    hash::EMPTY_UNCLES,
    header::{COINBASE, Sealed},
    transaction::Transaction,
};

pub(crate) fn number(value: impl LowerHex) -> String {
    format!("{value:#x}")
}

pub(crate) fn data(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn maybe(address: Option<Address>) -> Value {
    address.map_or(Value::Null, |address| json!(data(address)))
}

/// Where a mined thing is.
pub(crate) struct Place<'a> {
    pub(crate) block: &'a Sealed,
    pub(crate) position: usize,
}

/// A whole block; transactions in full or by hash.
pub(crate) fn block(block: &Block, full: bool) -> Value {
    let mut shown = header(&block.sealed);
    let listed = block.transactions.iter().enumerate();
    let transactions: Vec<Value> = listed
        .map(|(position, tx)| {
            let place = Place {
                block: &block.sealed,
                position,
            };
            if full {
                transaction(tx, Some(&place))
            } else {
                json!(data(tx.hash))
            }
        })
        .collect();
    let withdrawals: Vec<Value> = block
        .credits
        .iter()
        .map(|credit| {
            json!({
                "index": number(credit.index), "validatorIndex": "0x0",
                "address": data(credit.address), "amount": number(credit.gwei()),
            })
        })
        .collect();
    shown["size"] = json!(number(size(block) as u64));
    shown["transactions"] = json!(transactions);
    shown["withdrawals"] = json!(withdrawals);
    shown["uncles"] = json!([]);
    shown
}

fn header(sealed: &Sealed) -> Value {
    let header = &sealed.header;
    json!({
        "hash": data(sealed.hash),
        "parentHash": data(header.parent_hash),
        "sha3Uncles": data(EMPTY_UNCLES),
        "miner": data(COINBASE),
        "stateRoot": data(header.state_root),
        "transactionsRoot": data(header.transactions_root),
        "receiptsRoot": data(header.receipts_root),
        "logsBloom": data(header.logs_bloom.as_bytes()),
        "difficulty": "0x0",
        "number": number(header.number),
        "gasLimit": number(header.gas_limit),
        "gasUsed": number(header.gas_used),
        "timestamp": number(header.timestamp),
        "extraData": "0x",
        "mixHash": data(header.mix_hash),
        "nonce": "0x0000000000000000",
        "baseFeePerGas": number(header.base_fee),
        "withdrawalsRoot": data(header.withdrawals_root),
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": data(B256::ZERO),
    })
}

/// Bytes of the block on the wire (EIP-4895 body), close to what a node would report: list prefixes counted as 3.
fn size(block: &Block) -> usize {
    let transactions: usize = block.transactions.iter().map(|tx| tx.raw.len() + 3).sum();
    let withdrawals: usize = block
        .credits
        .iter()
        .map(|credit| credit.withdrawal_rlp().len())
        .sum();
    block.sealed.header.rlp().len() + transactions + withdrawals + 4
}

/// A transaction, mined or waiting.
pub(crate) fn transaction(tx: &Transaction, place: Option<&Place<'_>>) -> Value {
    let payload = &tx.payload;
    let price = place.map_or(payload.max_fee, |place| tx.price_at(place.block.header.base_fee));
    let mut shown = json!({
        "hash": data(tx.hash),
        "type": number(payload.kind),
        "chainId": number(payload.chain_id),
        "nonce": number(payload.nonce),
        "from": data(tx.sender),
        "to": maybe(payload.to),
        "value": number(payload.value),
        "gas": number(payload.gas_limit),
        "gasPrice": number(price),
        "input": data(&payload.input),
        "v": number(tx.v()),
        "r": number(tx.r),
        "s": number(tx.s),
        "blockHash": place.map(|place| data(place.block.hash)),
        "blockNumber": place.map(|place| number(place.block.header.number)),
        "transactionIndex": place.map(|place| number(place.position as u64)),
    });
    if payload.kind > 0 {
        shown["yParity"] = json!(number(tx.v()));
        let list = payload.access_list.iter();
        shown["accessList"] = list
            .map(|(address, keys)| {
                json!({"address": data(address), "storageKeys": keys.iter().map(data).collect::<Vec<_>>()})
            })
            .collect();
    }
    if payload.kind == 2 {
        shown["maxFeePerGas"] = json!(number(payload.max_fee));
        shown["maxPriorityFeePerGas"] = json!(number(payload.max_tip));
    }
    shown
}

/// The receipt of the transaction at `position`, if the block has that many.
pub(crate) fn receipt(block: &Block, position: usize) -> Option<Value> {
    let (tx, receipt) = (block.transactions.get(position)?, block.receipts.get(position)?);
    Some(json!({
        "transactionHash": data(tx.hash),
        "transactionIndex": number(position as u64),
        "blockHash": data(block.sealed.hash),
        "blockNumber": number(block.sealed.header.number),
        "from": data(tx.sender),
        "to": maybe(tx.payload.to),
        "contractAddress": maybe(receipt.contract),
        "type": number(receipt.kind),
        "status": number(u8::from(receipt.success)),
        "gasUsed": number(receipt.gas_used),
        "cumulativeGasUsed": number(receipt.cumulative_gas),
        "effectiveGasPrice": number(receipt.price),
        "logsBloom": data(receipt.bloom().as_bytes()),
        "logs": logs(block, position).map(|(_, shown)| shown).collect::<Vec<_>>(),
    }))
}

/// The logs of the transaction at `position`, raw and shown; the log index counts through the block.
pub(crate) fn logs(block: &Block, position: usize) -> impl Iterator<Item = (&Log, Value)> {
    let before: usize = block
        .receipts
        .iter()
        .take(position)
        .map(|receipt| receipt.logs.len())
        .sum();
    let mine = block
        .receipts
        .get(position)
        .into_iter()
        .flat_map(|receipt| &receipt.logs);
    let hash = block
        .transactions
        .get(position)
        .map(|tx| tx.hash)
        .unwrap_or_default();
    mine.enumerate().map(move |(offset, log)| {
        let shown = json!({
            "address": data(log.address),
            "topics": log.data.topics().iter().map(data).collect::<Vec<_>>(),
            "data": data(&log.data.data),
            "blockHash": data(block.sealed.hash),
            "blockNumber": number(block.sealed.header.number),
            "blockTimestamp": number(block.sealed.header.timestamp),
            "transactionHash": data(hash),
            "transactionIndex": number(position as u64),
            "logIndex": number((before + offset) as u64),
            "removed": false,
        });
        (log, shown)
    })
}
