//! What may be wished of a reorganisation: a replacement, the same again, and what is final only by force.

use serde_json::{Value, json};

use crate::{
    rig::{hex0x, key, number, rig},
    signer::{ETHER, Plan},
};

const TO: [u8; 20] = [0x55; 20];

#[tokio::test]
async fn replacement_should_supersede_the_detached_transaction() {
    let rig = rig().await;
    let old = rig.pay(1, Plan::pay(0, TO, 3)).await;
    rig.mine(1).await;
    let other = key(1).sign(&Plan::pay(0, [0x66; 20], 9));
    let report = rig
        .control(
            "sandbox_reorg",
            json!({"depth": 1, "replacement": [hex0x(&other)]}),
        )
        .await;
    assert_eq!(report["returned"], json!([]));
    assert_eq!(
        report["dropped"][0],
        json!({"hash": old, "reason": "nonce too low: next nonce 1, tx nonce 0"})
    );
    assert_eq!(
        (
            rig.balance(TO, "latest").await,
            rig.balance([0x66; 20], "latest").await
        ),
        (0, 9)
    );
    assert_eq!(
        rig.rpc("eth_getTransactionByHash", json!([old])).await,
        Value::Null
    );
}

#[tokio::test]
async fn remine_should_bring_the_transaction_back_in_another_block() {
    let rig = rig().await;
    let hash = rig.pay(1, Plan::pay(0, TO, 3)).await;
    rig.control("sandbox_faucet", json!([hex0x([8; 20]), 7])).await;
    rig.mine(1).await;
    let before = rig.receipt(&hash).await["blockHash"].clone();
    rig.control("sandbox_reorg", json!({"depth": 1, "remine": true}))
        .await;
    let after = rig.receipt(&hash).await;
    assert_eq!(after["blockNumber"], "0x1");
    assert_ne!(after["blockHash"], before);
    assert_eq!(
        (
            rig.balance(TO, "latest").await,
            rig.balance([8; 20], "latest").await
        ),
        (3, 7)
    );
}

#[tokio::test]
async fn finalized_blocks_should_be_undone_only_by_force() {
    let rig = rig().await;
    rig.mine(6).await;
    assert_eq!(number(&rig.block("finalized").await["number"]), 2);
    assert_eq!(number(&rig.block("safe").await["number"]), 4);
    for (params, expected) in [
        (json!({"depth": 5}), "would detach finalized blocks; at most 4"),
        (json!({"depth": 0}), "at least 1"),
        (json!({"depth": 7, "force": true}), "6 blocks that can be undone"),
        (json!({}), "\"depth\" is missing"),
        (json!({"depth": 1, "hard": true}), "unknown argument \"hard\""),
        (json!({"depth": "x"}), "depth"),
        (json!({"depth": 1, "replacement": ["0x00"]}), "replacement"),
    ] {
        let refusal = rig
            .try_control("sandbox_reorg", params.clone())
            .await
            .expect_err("must be refused");
        assert!(
            refusal.code == -32602 && refusal.message.contains(expected),
            "{params}: {refusal:?}"
        );
    }
    let head = rig.block("latest").await["hash"].clone();
    let poor = key(9).sign(&Plan::pay(0, TO, ETHER));
    let refusal = rig
        .try_control("sandbox_reorg", json!({"depth": 2, "replacement": [hex0x(poor)]}))
        .await;
    assert!(
        refusal
            .expect_err("no funds")
            .message
            .contains("cannot be mined there")
    );
    assert_eq!(
        rig.block("latest").await["hash"],
        head,
        "a refused reorganisation changes nothing"
    );
    let finalized = rig.block("finalized").await["hash"].clone();
    rig.control("sandbox_reorg", json!({"depth": 5, "force": true}))
        .await;
    assert_ne!(
        rig.block("0x2").await["hash"],
        finalized,
        "finality was breached on purpose"
    );
    rig.mine(1).await;
}
