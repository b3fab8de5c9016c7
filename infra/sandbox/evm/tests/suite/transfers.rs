//! Transfers of ether: inclusion, fees, receipts, past balances.

use serde_json::{Value, json};

use crate::{
    rig::{hex0x, key, number, rig},
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
