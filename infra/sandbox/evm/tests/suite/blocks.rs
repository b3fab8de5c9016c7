//! Blocks: how many transfers one takes, and how they come by themselves.

use serde_json::json;

use crate::{
    rig::{number, rig, rig_with},
    signer::Plan,
};

#[tokio::test]
async fn hundred_transfers_of_one_account_should_be_in_flight_at_once() {
    let rig = rig().await;
    let hashes = futures_in_order(&rig, 100).await;
    rig.mine(1).await;
    let block = rig.block("latest").await;
    assert_eq!(block["transactions"].as_array().map(Vec::len), Some(100));
    assert_eq!(
        number(&rig.receipt(&hashes[99]).await["cumulativeGasUsed"]),
        2_100_000
    );
}

async fn futures_in_order(rig: &crate::rig::Rig, count: u64) -> Vec<String> {
    let mut hashes = Vec::new();
    for nonce in 0..count {
        hashes.push(rig.pay(1, Plan::pay(nonce, [9; 20], 1)).await);
    }
    hashes
}

#[tokio::test]
async fn blocks_should_come_by_themselves_and_stop_on_request() {
    let rig = rig_with(|options| options.block_time_ms = 50).await;
    let hash = rig.pay(1, Plan::pay(0, [1; 20], 5)).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while rig.receipt(&hash).await.is_null() {
        assert!(std::time::Instant::now() < deadline, "no block came");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    rig.control("sandbox_setAutomine", json!([false])).await;
    let stopped = rig.head().await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    // the producer may have been in the middle of one block when it was told
    let head = rig.head().await;
    assert!(head <= stopped + 1, "{stopped} → {head}");
    rig.mine(2).await;
    assert_eq!(rig.head().await, head + 2);
    rig.control("sandbox_setAutomine", json!([true])).await;
    rig.control("sandbox_setBlockTime", json!([20])).await;
    while rig.head().await <= head + 5 {
        assert!(std::time::Instant::now() < deadline, "no blocks at the new pace");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
