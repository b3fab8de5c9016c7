//! Reorganisations: what leaves and what returns.

use serde_json::{Value, json};

use crate::{
    rig::{Rig, hex0x, key, rig},
    signer::Plan,
};

const TO: [u8; 20] = [0x55; 20];

async fn hashes(rig: &Rig, from: u64, to: u64) -> Vec<Value> {
    let mut hashes = Vec::new();
    for height in from..=to {
        hashes.push(rig.block(&format!("{height:#x}")).await["hash"].clone());
    }
    hashes
}

#[tokio::test]
async fn detached_transactions_should_return_to_the_pool() {
    let rig = rig().await;
    rig.mine(2).await;
    let first = rig.pay(1, Plan::pay(0, TO, 3)).await;
    rig.mine(1).await;
    let second = rig.pay(1, Plan::pay(1, TO, 4)).await;
    rig.mine(1).await;
    let old = hashes(&rig, 1, 4).await;
    let report = rig.control("sandbox_reorg", json!({"depth": 2})).await;
    assert_eq!(report["detached"], json!([old[3], old[2]]), "newest first");
    assert_eq!(report["returned"], json!([first, second]));
    assert_eq!(rig.head().await, 5, "the new branch is longer");
    let new = hashes(&rig, 1, 5).await;
    assert_eq!(new[..2], old[..2]);
    assert_ne!(
        new[2], old[2],
        "an empty block on the same parent is another block"
    );
    assert_eq!(report["attached"], json!(new[2..]));
    for (at, height) in (3..=5).enumerate() {
        let block = rig.block(&format!("{height:#x}")).await;
        assert_eq!(block["parentHash"], new[at + 1], "the new branch is linked");
    }
    assert_eq!(rig.receipt(&first).await, Value::Null);
    assert_eq!(rig.balance(TO, "latest").await, 0);
    assert_eq!(rig.nonce(key(1).address(), "pending").await, 2);
    let orphan = rig.rpc("eth_getBlockByHash", json!([old[2], false])).await;
    assert_eq!(
        orphan["transactions"],
        json!([first]),
        "a detached block still answers by its hash"
    );
    let refusal = rig
        .refused("eth_getBalance", json!([hex0x(TO), {"blockHash": old[2]}]))
        .await;
    assert!(refusal.message.contains("not canonical"), "{refusal:?}");
    rig.mine(1).await;
    assert_eq!(rig.receipt(&second).await["blockNumber"], "0x6");
    assert_eq!(rig.balance(TO, "latest").await, 7);
}

#[tokio::test]
async fn detached_transactions_should_vanish_when_dropped() {
    let rig = rig().await;
    let hash = rig.pay(1, Plan::pay(0, TO, 3)).await;
    rig.control(
        "sandbox_faucet",
        json!({"address": hex0x([8; 20]), "amountWei": "1000000000"}),
    )
    .await;
    rig.mine(1).await;
    assert_eq!(rig.balance([8; 20], "latest").await, 1_000_000_000);
    let report = rig
        .control("sandbox_reorg", json!({"depth": 1, "dropTransactions": true}))
        .await;
    assert_eq!(report["dropped"][0]["hash"], json!(hash));
    rig.mine(1).await;
    assert_eq!(
        rig.rpc("eth_getTransactionByHash", json!([hash])).await,
        Value::Null
    );
    assert_eq!(
        (
            rig.balance(TO, "latest").await,
            rig.balance([8; 20], "latest").await
        ),
        (0, 0)
    );
}
