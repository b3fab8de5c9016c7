//! What clients parse: the library our clients use reads every answer, and recomputes every hash and root from it.

use alloy_consensus::proofs;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::keccak256;
use alloy_rpc_types_eth::{Block, BlockTransactions, FeeHistory, Log, Transaction, TransactionReceipt};
use serde_json::{Value, json};

use crate::{
    rig::{Rig, hex0x, key, rig},
    signer::Plan,
    token,
};

/// A chain with every kind of transaction, logs and a credit in one block.
async fn busy(rig: &Rig) -> Block {
    for (nonce, kind) in [(0, 0u8), (1, 1), (2, 2)] {
        rig.pay(
            1,
            Plan {
                kind,
                ..Plan::pay(nonce, [0x31; 20], 5)
            },
        )
        .await;
    }
    rig.pay(
        2,
        Plan {
            to: None,
            gas: 500_000,
            input: token::creation(),
            ..Plan::pay(0, [0; 20], 0)
        },
    )
    .await;
    rig.mine(1).await;
    let receipts = rig.rpc("eth_getBlockReceipts", json!(["latest"])).await;
    let created = receipts
        .as_array()
        .expect("a list")
        .iter()
        .find(|receipt| !receipt["contractAddress"].is_null());
    let text = created.expect("one creation")["contractAddress"]
        .as_str()
        .expect("hex")
        .to_owned();
    let token: [u8; 20] = hex::decode(&text[2..])
        .expect("hex")
        .try_into()
        .expect("20 bytes");
    for (nonce, amount) in [(1, 5), (2, 2_000_000)] {
        let input = token::transfer([0x42; 20], amount);
        rig.pay(
            2,
            Plan {
                gas: 100_000,
                input,
                ..Plan::pay(nonce, token, 0)
            },
        )
        .await;
    }
    rig.pay(
        1,
        Plan {
            kind: 1,
            gas: 21_000 + 2 * 2_400 + 3 * 1_900,
            access: vec![([5; 20], vec![[1; 32], [2; 32]]), ([6; 20], vec![[3; 32]])],
            ..Plan::pay(3, [0x31; 20], 5)
        },
    )
    .await;
    rig.control("sandbox_faucet", json!([hex0x([7; 20]), "3000000000"]))
        .await;
    rig.mine(1).await;
    serde_json::from_value(rig.block("latest").await).expect("a block as alloy knows it")
}

#[tokio::test]
async fn header_should_hash_to_its_hash() {
    let rig = rig().await;
    busy(&rig).await;
    for tag in ["earliest", "0x1", "latest", "pending"] {
        let block: Block = serde_json::from_value(rig.block(tag).await).expect("a block");
        assert_eq!(block.header.inner.hash_slow(), block.header.hash, "{tag}");
    }
}

#[tokio::test]
async fn roots_should_be_recomputable_from_the_answers() {
    let rig = rig().await;
    let block = busy(&rig).await;
    let BlockTransactions::Full(transactions) = &block.transactions else {
        panic!("full transactions were asked for")
    };
    assert_eq!(transactions.len(), 3);
    let envelopes: Vec<_> = transactions.iter().map(|tx| tx.inner.inner().clone()).collect();
    assert_eq!(
        proofs::calculate_transaction_root(&envelopes),
        block.header.inner.transactions_root
    );
    for (envelope, shown) in envelopes.iter().zip(
        rig.block("latest").await["transactions"]
            .as_array()
            .expect("a list"),
    ) {
        assert_eq!(
            hex0x(keccak256(envelope.encoded_2718())),
            shown["hash"].as_str().expect("a hash")
        );
    }
    let receipts = rig.rpc("eth_getBlockReceipts", json!(["latest"])).await;
    let receipts: Vec<TransactionReceipt> =
        serde_json::from_value(receipts).expect("receipts as alloy knows them");
    assert_eq!(
        receipts.iter().map(|receipt| receipt.logs().len()).sum::<usize>(),
        1
    );
    for receipt in &receipts {
        let logs: Vec<_> = receipt.logs().iter().map(|log| log.inner.clone()).collect();
        assert_eq!(*receipt.inner.logs_bloom(), alloy_primitives::logs_bloom(&logs));
    }
    let plain: Vec<_> = receipts
        .into_iter()
        .map(|receipt| receipt.into_primitives_receipt().inner)
        .collect();
    assert_eq!(
        proofs::calculate_receipt_root(&plain),
        block.header.inner.receipts_root
    );
    let withdrawals = block.withdrawals.expect("Shanghai has withdrawals");
    assert_eq!(
        Some(proofs::calculate_withdrawals_root(&withdrawals)),
        block.header.inner.withdrawals_root
    );
    assert_eq!(withdrawals[0].amount, 3);
}

#[tokio::test]
async fn transactions_logs_and_fees_should_be_read_by_the_client_library() {
    let rig = rig().await;
    busy(&rig).await;
    let hash = rig.pay(3, Plan::pay(0, [1; 20], 1)).await;
    let waiting: Transaction =
        serde_json::from_value(rig.rpc("eth_getTransactionByHash", json!([hash])).await)
            .expect("a waiting transaction");
    assert_eq!(
        (waiting.block_hash, waiting.inner.signer().0.0),
        (None, key(3).address())
    );
    let logs: Vec<Log> =
        serde_json::from_value(rig.rpc("eth_getLogs", json!([{"fromBlock": "0x0"}])).await).expect("logs");
    assert_eq!(logs.len(), 1);
    let history = rig.rpc("eth_feeHistory", json!(["0x2", "latest", [50.0]])).await;
    let history: FeeHistory = serde_json::from_value(history).expect("a fee history");
    assert_eq!(history.base_fee_per_gas.len(), 3);
}

#[tokio::test]
async fn small_answers_should_have_the_forms_of_a_node() {
    let rig = rig().await;
    let version = rig.rpc("web3_clientVersion", json!([])).await;
    assert!(
        version
            .as_str()
            .is_some_and(|version| version.starts_with("vaultstream-sandbox-evm/"))
    );
    assert_eq!(rig.rpc("net_version", json!([])).await, "31337");
    assert_eq!(rig.rpc("eth_chainId", json!([])).await, "0x7a69");
    assert_eq!(rig.rpc("eth_blockNumber", json!([])).await, "0x0");
    assert_eq!(rig.rpc("eth_syncing", json!([])).await, json!(false));
    let nothing = hex0x([9; 32]);
    for (method, params) in [
        ("eth_getBlockByNumber", json!(["0x99", false])),
        ("eth_getBlockByHash", json!([nothing, true])),
        ("eth_getTransactionByHash", json!([nothing])),
        ("eth_getTransactionReceipt", json!([nothing])),
        ("eth_getBlockReceipts", json!(["0x99"])),
    ] {
        assert_eq!(rig.rpc(method, params).await, Value::Null, "{method}");
    }
    assert_eq!(rig.rpc("eth_getBalance", json!([hex0x([9; 20])])).await, "0x0");
    assert_eq!(rig.rpc("eth_getCode", json!([hex0x([9; 20])])).await, "0x");
}
