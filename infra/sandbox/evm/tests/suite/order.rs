//! Which transfer comes first: the pool's view of nonces, tips and caps.

use serde_json::{Value, json};

use crate::{
    rig::{key, number, rig},
    signer::{GWEI, Plan},
};

#[tokio::test]
async fn gap_should_wait_and_then_be_mined_in_order() {
    let rig = rig().await;
    let to = [0xcc; 20];
    let later: Vec<String> = [
        rig.pay(1, Plan::pay(2, to, 1)).await,
        rig.pay(
            1,
            Plan {
                tip: 5 * GWEI,
                ..Plan::pay(3, to, 1)
            },
        )
        .await,
    ]
    .into();
    rig.mine(1).await;
    assert_eq!(
        rig.rpc("txpool_status", json!([])).await,
        json!({"pending": "0x0", "queued": "0x2"})
    );
    assert_eq!(rig.nonce(key(1).address(), "pending").await, 0);
    let first = rig.pay(1, Plan::pay(0, to, 1)).await;
    assert_eq!(rig.nonce(key(1).address(), "pending").await, 1);
    let second = rig.pay(1, Plan::pay(1, to, 1)).await;
    assert_eq!(rig.nonce(key(1).address(), "pending").await, 4);
    assert_eq!(rig.nonce(key(1).address(), "latest").await, 0);
    let pending = rig.block("pending").await;
    assert_eq!(pending["transactions"].as_array().map(Vec::len), Some(4));
    rig.mine(1).await;
    let mined: Vec<Value> = rig.rpc("eth_getBlockByNumber", json!(["latest", false])).await["transactions"]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(
        mined,
        [&first, &second, &later[0], &later[1]].map(|hash| json!(hash)),
        "nonce order despite tips"
    );
    assert_eq!(
        pending["transactionsRoot"],
        rig.block("latest").await["transactionsRoot"]
    );
}

#[tokio::test]
async fn block_should_prefer_the_better_tip() {
    let rig = rig().await;
    let to = [0xdd; 20];
    let low = rig
        .pay(
            1,
            Plan {
                tip: 1,
                ..Plan::pay(0, to, 1)
            },
        )
        .await;
    let high = rig
        .pay(
            2,
            Plan {
                tip: 2 * GWEI,
                ..Plan::pay(0, to, 1)
            },
        )
        .await;
    let middle = rig
        .pay(
            3,
            Plan {
                tip: GWEI,
                ..Plan::pay(0, to, 1)
            },
        )
        .await;
    rig.mine(1).await;
    let mined = rig.rpc("eth_getBlockByNumber", json!(["latest", false])).await["transactions"].clone();
    assert_eq!(mined, json!([high, middle, low]));
}

#[tokio::test]
async fn fee_cap_below_the_base_fee_should_wait_until_it_falls() {
    let rig = rig().await;
    rig.control("sandbox_setBaseFee", json!([20_000_000_000u64]))
        .await;
    rig.mine(1).await;
    let hash = rig.pay(1, Plan::pay(0, [1; 20], 1)).await;
    rig.mine(1).await;
    assert_eq!(
        rig.receipt(&hash).await,
        Value::Null,
        "17.5 gwei asked, 10 offered"
    );
    rig.mine(6).await;
    let receipt = rig.receipt(&hash).await;
    assert_eq!(receipt["status"], "0x1");
    let price = number(&receipt["effectiveGasPrice"]);
    assert!(price <= 10 * GWEI, "never more than the cap: {price}");
}
