//! Faults on demand, and the separation of the two ports.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    rig::{client, hex0x, key, number, rig},
    signer::Plan,
};

#[tokio::test]
async fn accepted_transaction_may_go_unanswered() {
    let rig = rig().await;
    rig.control("sandbox_timeoutAfterAccept", json!([1])).await;
    let raw = key(1).sign(&Plan::pay(0, [1; 20], 1));
    let body = |raw: &[u8]| json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [hex0x(raw)]});
    // a refusal is answered and does not use the fault up
    assert!(rig.send_refused(&[1]).await.message.contains("rlp"));
    let started = Instant::now();
    let outcome = rig
        .client
        .post(&rig.running.rpc_url)
        .json(&body(&raw))
        .send()
        .await;
    assert!(outcome.is_err(), "no HTTP answer may come: {outcome:?}");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "the connection is cut, not left hanging"
    );
    let hash = hex0x(crate::signer::keccak(&raw));
    assert!(
        !rig.rpc("eth_getTransactionByHash", json!([hash])).await.is_null(),
        "it is in the pool all the same"
    );
    assert_eq!(
        rig.send_refused(&raw).await.message,
        "already known",
        "the same bytes again are harmless"
    );
    rig.pay(1, Plan::pay(1, [1; 20], 1)).await;
    rig.mine(1).await;
    assert_eq!(rig.receipt(&hash).await["status"], "0x1");
}

#[tokio::test]
async fn latency_should_delay_answers_until_switched_off() {
    let rig = rig().await;
    rig.control("sandbox_setLatency", json!([300])).await;
    let started = Instant::now();
    rig.head().await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    let status = rig.control("sandbox_status", json!([])).await;
    assert_eq!(status["latencyMs"], 300);
    rig.control("sandbox_setLatency", json!([0])).await;
    rig.head().await;
    assert_eq!(rig.control("sandbox_status", json!([])).await["latencyMs"], 0);
    for bad in [json!([60_001]), json!([-1]), json!([]), json!([1, 2])] {
        assert_eq!(
            rig.try_control("sandbox_setLatency", bad)
                .await
                .expect_err("refused")
                .code,
            -32602
        );
    }
}

#[tokio::test]
async fn refused_connections_should_fail_and_come_back() {
    let rig = rig().await;
    rig.head().await;
    rig.control("sandbox_refuseConnections", json!([60_000])).await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber"});
    assert!(
        client()
            .post(&rig.running.rpc_url)
            .json(&body)
            .send()
            .await
            .is_err(),
        "new connections are reset"
    );
    rig.mine(1).await;
    rig.control("sandbox_refuseConnections", json!([0])).await;
    assert_eq!(
        rig.head().await,
        1,
        "the control port worked all the time, the public one works again"
    );
}

#[tokio::test]
async fn faucet_should_credit_in_a_block_as_a_withdrawal() {
    let rig = rig().await;
    let who = [0x99; 20];
    rig.control(
        "sandbox_faucet",
        json!({"address": hex0x(who), "amountWei": "1500000001"}),
    )
    .await;
    assert_eq!(rig.balance(who, "latest").await, 0, "not before a block holds it");
    rig.mine(1).await;
    assert_eq!(rig.balance(who, "latest").await, 1_500_000_001);
    assert_eq!(rig.balance(who, "0x0").await, 0);
    let block = rig.block("latest").await;
    assert_eq!(block["withdrawals"][0]["address"], json!(hex0x(who)));
    assert_eq!(
        number(&block["withdrawals"][0]["amount"]),
        1,
        "withdrawals count in gwei"
    );
    rig.mine(1).await;
    assert_eq!(rig.balance(who, "latest").await, 1_500_000_001, "once only");
    for bad in [
        json!({"address": hex0x(who), "amountWei": "0"}),
        json!({"address": hex0x(who), "amountWei": "-5"}),
        json!({"address": hex0x(who), "amountWei": "1.5"}),
        json!({"address": hex0x(who), "amountWei": format!("1{}", "0".repeat(77))}),
        json!({"address": "0x1", "amountWei": "1"}),
        json!({"address": hex0x(who)}),
    ] {
        let refusal = rig
            .try_control("sandbox_faucet", bad.clone())
            .await
            .expect_err("refused");
        assert_eq!(refusal.code, -32602, "{bad}: {refusal:?}");
    }
}

#[tokio::test]
async fn ports_should_not_share_methods() {
    let rig = rig().await;
    for method in [
        "sandbox_mine",
        "sandbox_faucet",
        "sandbox_reorg",
        "sandbox_status",
        "evm_mine",
        "anvil_mine",
    ] {
        assert_eq!(rig.refused(method, json!([])).await.code, -32601, "{method}");
    }
    for method in ["eth_blockNumber", "eth_sendRawTransaction"] {
        assert_eq!(
            rig.try_control(method, json!([])).await.expect_err("absent").code,
            -32601
        );
    }
    assert_eq!(rig.head().await, 0);
    let direct = rig
        .running
        .control("sandbox_mine", json!([2]))
        .await
        .expect("in-process control");
    assert_eq!(direct["number"], 2);
    assert_eq!(
        rig.running
            .control("eth_chainId", Value::Null)
            .await
            .expect_err("absent")
            .code,
        -32601
    );
}

#[tokio::test]
async fn base_fee_should_follow_demand_and_obey_the_control_port() {
    let rig = rig().await;
    let fee = async |tag: &str| number(&rig.block(tag).await["baseFeePerGas"]);
    assert_eq!(fee("earliest").await, 1_000_000_000);
    rig.mine(2).await;
    assert_eq!(
        (fee("0x1").await, fee("0x2").await),
        (875_000_000, 765_625_000),
        "empty blocks make it fall"
    );
    rig.control("sandbox_setBaseFee", json!(["1000000000"])).await;
    rig.mine(1).await;
    assert_eq!(fee("0x3").await, 1_000_000_000);
    let endless = crate::token::assemble("loop: @loop JUMP");
    let burn = Plan {
        to: None,
        gas: 29_000_000,
        input: endless,
        ..Plan::pay(0, [0; 20], 0)
    };
    rig.pay(1, burn).await;
    rig.mine(2).await;
    assert_eq!(number(&rig.block("0x4").await["gasUsed"]), 29_000_000);
    let (full, after) = (fee("0x4").await, fee("0x5").await);
    assert_eq!(
        after,
        full + full * 14_000_000 / 15_000_000 / 8,
        "a full block makes it rise"
    );
    let history = rig
        .rpc("eth_feeHistory", json!(["0x3", "latest", [0, 50, 100]]))
        .await;
    assert_eq!(history["oldestBlock"], "0x3");
    assert_eq!(history["baseFeePerGas"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        history["reward"],
        json!([
            ["0x0", "0x0", "0x0"],
            ["0x3b9aca00", "0x3b9aca00", "0x3b9aca00"],
            ["0x0", "0x0", "0x0"]
        ])
    );
    assert_eq!(
        number(&history["baseFeePerGas"][3]),
        number(&rig.block("pending").await["baseFeePerGas"])
    );
    assert_eq!(rig.rpc("eth_maxPriorityFeePerGas", json!([])).await, "0x3b9aca00");
    let price = number(&rig.rpc("eth_gasPrice", json!([])).await);
    assert_eq!(price, after + 1_000_000_000);
    for bad in [
        json!(["0x1", "latest", [101]]),
        json!(["0x1", "latest", [50, 10]]),
        json!(["0x1", "newest"]),
        json!([]),
    ] {
        assert_eq!(rig.refused("eth_feeHistory", bad).await.code, -32602);
    }
}
