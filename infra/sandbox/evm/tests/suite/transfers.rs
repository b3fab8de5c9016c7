//! Transfers of ether: inclusion, fees, receipts, past balances, the pool's view of nonces.

use serde_json::{Value, json};

use crate::{
    rig::{hex0x, key, number, rig, rig_with},
    signer::{ETHER, GWEI, Plan},
};

#[tokio::test]
async fn transfer_should_move_value_and_charge_the_effective_price() {
    let rig = rig().await;
    let to = [0xaa; 20];
    for (kind, expected_price) in [(2u8, 2 * GWEI - GWEI / 8), (1, 3 * GWEI), (0, 3 * GWEI)] {
        let nonce = u64::try_from(rig.nonce(key(1).address(), "latest").await).expect("small");
        let before = rig.balance(key(1).address(), "latest").await;
        let cap = if kind == 2 { 10 * GWEI } else { 3 * GWEI };
        rig.control("sandbox_setBaseFee", json!([(GWEI - GWEI / 8) as u64]))
            .await;
        let plan = Plan {
            kind,
            cap,
            tip: GWEI,
            ..Plan::pay(nonce, to, ETHER)
        };
        let hash = rig.pay(1, plan).await;
        assert_eq!(rig.receipt(&hash).await, Value::Null, "waiting has no receipt");
        let waiting = rig.rpc("eth_getTransactionByHash", json!([hash])).await;
        assert_eq!(
            (&waiting["blockHash"], &waiting["from"]),
            (&Value::Null, &json!(hex0x(key(1).address())))
        );
        rig.mine(1).await;
        let receipt = rig.receipt(&hash).await;
        assert_eq!(receipt["status"], "0x1");
        assert_eq!(receipt["type"], format!("{kind:#x}"));
        assert_eq!(number(&receipt["gasUsed"]), 21_000);
        assert_eq!(
            number(&receipt["effectiveGasPrice"]),
            expected_price,
            "type {kind}"
        );
        let paid = before - rig.balance(key(1).address(), "latest").await;
        assert_eq!(paid, ETHER + 21_000 * expected_price);
    }
    assert_eq!(rig.balance(to, "latest").await, 3 * ETHER);
    let tips = 21_000 * (GWEI + 2 * (2 * GWEI + GWEI / 8));
    let miner = rig.block("latest").await["miner"]
        .as_str()
        .expect("an address")
        .to_owned();
    let earned = number(&rig.rpc("eth_getBalance", json!([miner, "latest"])).await);
    assert_eq!(earned, tips, "the tips and nothing else reach the producer");
}

#[tokio::test]
async fn past_balances_should_be_readable_until_they_are_pruned() {
    let rig = rig().await;
    let to = [0xbb; 20];
    for nonce in 0..5 {
        rig.pay(1, Plan::pay(nonce, to, 7)).await;
        rig.mine(1).await;
    }
    for height in 0..=5u128 {
        assert_eq!(rig.balance(to, &format!("{height:#x}")).await, 7 * height);
        assert_eq!(rig.nonce(key(1).address(), &format!("{height:#x}")).await, height);
    }
    assert_eq!(rig.balance(to, "safe").await, 7 * 3);
    assert_eq!(rig.balance(to, "finalized").await, 7);
    assert_eq!(rig.balance(to, "earliest").await, 0);
    let second = rig.block("0x2").await;
    let by_hash = json!([hex0x(to), {"blockHash": second["hash"], "requireCanonical": true}]);
    assert_eq!(number(&rig.rpc("eth_getBalance", by_hash).await), 14);
    assert_eq!(
        rig.refused("eth_getBalance", json!([hex0x(to), "0x6"]))
            .await
            .message,
        "header not found"
    );
    rig.mine(253).await;
    assert_eq!(rig.balance(to, "0x2").await, 14, "256 blocks back");
    let gone = rig.refused("eth_getBalance", json!([hex0x(to), "0x1"])).await;
    assert_eq!(gone.code, -32000);
    assert!(
        gone.message
            .starts_with("missing trie node: state of block 1 is pruned"),
        "{}",
        gone.message
    );
}

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
