//! Contracts: creation, calls, logs, reverts, estimates, code and storage.

use serde_json::{Value, json};

use crate::{
    rig::{Rig, hex0x, key, number, rig},
    signer::{ETHER, Plan, keccak},
    token,
};

/// Deploys the token with key 1 and returns its address.
async fn deploy(rig: &Rig) -> [u8; 20] {
    let plan = Plan {
        to: None,
        value: 0,
        gas: 500_000,
        input: token::creation(),
        ..Plan::pay(0, [0; 20], 0)
    };
    let hash = rig.pay(1, plan).await;
    rig.mine(1).await;
    let receipt = rig.receipt(&hash).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    assert_eq!(receipt["to"], Value::Null);
    let text = receipt["contractAddress"]
        .as_str()
        .expect("an address")
        .trim_start_matches("0x")
        .to_owned();
    hex::decode(text).expect("hex").try_into().expect("20 bytes")
}

fn call(token: [u8; 20], nonce: u64, input: Vec<u8>) -> Plan {
    Plan {
        gas: 100_000,
        input,
        ..Plan::pay(nonce, token, 0)
    }
}

async fn units(rig: &Rig, token: [u8; 20], owner: [u8; 20], block: &str) -> u128 {
    let question = json!([{"to": hex0x(token), "data": hex0x(token::balance_of(owner))}, block]);
    number(&rig.rpc("eth_call", question).await)
}

#[tokio::test]
async fn token_should_be_deployed_and_transferred() {
    let rig = rig().await;
    let token = deploy(&rig).await;
    assert_eq!(
        rig.rpc("eth_getCode", json!([hex0x(token), "latest"])).await,
        json!(hex0x(token::runtime()))
    );
    assert_eq!(rig.rpc("eth_getCode", json!([hex0x(token), "0x0"])).await, "0x");
    let (from, to) = (key(1).address(), [0x42; 20]);
    let hash = rig.pay(1, call(token, 1, token::transfer(to, 1_234))).await;
    rig.mine(1).await;
    let receipt = rig.receipt(&hash).await;
    assert_eq!(receipt["status"], "0x1");
    let log = &receipt["logs"][0];
    let event = hex0x(keccak(b"Transfer(address,address,uint256)"));
    assert_eq!(
        log["topics"],
        json!([event, token::topic(from), token::topic(to)])
    );
    assert_eq!(
        (&log["address"], number(&log["data"])),
        (&json!(hex0x(token)), 1_234)
    );
    assert_eq!(
        (&log["logIndex"], &log["removed"]),
        (&json!("0x0"), &json!(false))
    );
    assert_eq!(units(&rig, token, to, "latest").await, 1_234);
    assert_eq!(units(&rig, token, from, "latest").await, 1_000_000 - 1_234);
    assert_eq!(
        units(&rig, token, to, "0x1").await,
        0,
        "the past has the old storage"
    );
    let slot = rig
        .rpc(
            "eth_getStorageAt",
            json!([hex0x(token), token::topic(to), "latest"]),
        )
        .await;
    assert_eq!(number(&slot), 1_234);
    assert_eq!(
        slot.as_str().map(str::len),
        Some(66),
        "storage is shown at full width"
    );
}

#[tokio::test]
async fn logs_should_be_found_by_every_filter() {
    let rig = rig().await;
    let token = deploy(&rig).await;
    let (alice, bob) = ([0xa1; 20], [0xb0; 20]);
    for (nonce, to) in [(1, alice), (2, bob), (3, alice)] {
        rig.pay(1, call(token, nonce, token::transfer(to, u128::from(nonce))))
            .await;
        rig.mine(1).await;
    }
    rig.mine(3).await;
    let count = async |filter: Value| {
        rig.rpc("eth_getLogs", json!([filter]))
            .await
            .as_array()
            .map(Vec::len)
    };
    let event = hex0x(keccak(b"Transfer(address,address,uint256)"));
    let all = json!({"fromBlock": "earliest", "toBlock": "latest"});
    let with = |name: &str, value: Value| {
        let mut filter = all.clone();
        filter[name] = value;
        filter
    };
    assert_eq!(count(all.clone()).await, Some(3));
    assert_eq!(count(json!({})).await, Some(0), "the head alone by default");
    assert_eq!(count(with("address", json!(hex0x(token)))).await, Some(3));
    assert_eq!(
        count(with("address", json!([hex0x([1; 20]), hex0x(token)]))).await,
        Some(3)
    );
    assert_eq!(count(with("address", json!(hex0x([1; 20])))).await, Some(0));
    assert_eq!(count(with("topics", json!([event]))).await, Some(3));
    assert_eq!(
        count(with("topics", json!([null, null, token::topic(alice)]))).await,
        Some(2)
    );
    assert_eq!(
        count(with(
            "topics",
            json!([event, [], [token::topic(alice), token::topic(bob)]])
        ))
        .await,
        Some(3)
    );
    assert_eq!(count(with("topics", json!([token::topic(alice)]))).await, Some(0));
    assert_eq!(
        count(with("topics", json!([null, null, null, null]))).await,
        Some(0),
        "four topics are asked for"
    );
    let third = rig.block("0x3").await;
    assert_eq!(count(json!({"blockHash": third["hash"]})).await, Some(1));
    assert_eq!(
        count(json!({"fromBlock": "0x3", "toBlock": "0x3"})).await,
        Some(1)
    );
}

#[tokio::test]
async fn log_filters_that_make_no_sense_should_be_refused() {
    let rig = rig().await;
    rig.mine(6).await;
    let third = rig.block("0x3").await;
    for (filter, expected) in [
        (
            json!({"fromBlock": "0x5", "toBlock": "0x3"}),
            "invalid block range",
        ),
        (
            json!({"blockHash": third["hash"], "fromBlock": "0x1"}),
            "cannot specify both",
        ),
        (json!({"topics": [1]}), "expected a string"),
        (json!({"topics": [null, null, null, null, null]}), "at most 4"),
        (json!({"address": "0x12"}), "want 40"),
    ] {
        let refusal = rig.refused("eth_getLogs", json!([filter])).await;
        assert!(
            refusal.code == -32602 && refusal.message.contains(expected),
            "{refusal:?}"
        );
    }
}

#[tokio::test]
async fn revert_should_be_reported_in_calls_and_receipts() {
    let rig = rig().await;
    let token = deploy(&rig).await;
    let too_much = token::transfer([1; 20], 2_000_000);
    let question =
        json!([{"from": hex0x(key(1).address()), "to": hex0x(token), "input": hex0x(&too_much)}, "latest"]);
    for method in ["eth_call", "eth_estimateGas"] {
        let refusal = rig.refused(method, question.clone()).await;
        assert_eq!(
            (refusal.code, refusal.message.as_str()),
            (3, "execution reverted: balance too low"),
            "{method}"
        );
        assert!(refusal.data.is_some_and(|data| data.starts_with("0x08c379a0")));
    }
    let hash = rig.pay(1, call(token, 1, too_much)).await;
    rig.mine(1).await;
    let receipt = rig.receipt(&hash).await;
    assert_eq!(
        (&receipt["status"], &receipt["logs"]),
        (&json!("0x0"), &json!([]))
    );
    assert!(
        number(&receipt["gasUsed"]) < 100_000,
        "a revert gives the rest back"
    );
    assert_eq!(units(&rig, token, [1; 20], "latest").await, 0);
    assert_eq!(
        rig.nonce(key(1).address(), "latest").await,
        2,
        "a failed transaction uses its nonce"
    );
}

#[tokio::test]
async fn estimate_should_be_enough_and_not_too_much() {
    let rig = rig().await;
    let token = deploy(&rig).await;
    let from = hex0x(key(1).address());
    let plain = json!([{"from": from, "to": hex0x([1; 20]), "value": "0x1"}]);
    assert_eq!(number(&rig.rpc("eth_estimateGas", plain).await), 21_000);
    let input = token::transfer([2; 20], 10);
    let estimate = number(
        &rig.rpc(
            "eth_estimateGas",
            json!([{"from": from, "to": hex0x(token), "data": hex0x(&input)}]),
        )
        .await,
    );
    let plan = Plan {
        gas: u64::try_from(estimate).expect("small"),
        input,
        ..Plan::pay(1, token, 0)
    };
    let hash = rig.pay(1, plan).await;
    rig.mine(1).await;
    let receipt = rig.receipt(&hash).await;
    assert_eq!(receipt["status"], "0x1");
    let used = number(&receipt["gasUsed"]);
    assert!(
        estimate >= used && estimate * 100 <= used * 102,
        "estimated {estimate}, used {used}"
    );
    let creation = json!([{"from": from, "data": hex0x(token::creation())}]);
    assert!(number(&rig.rpc("eth_estimateGas", creation).await) > 53_000);
    let poor = json!([{"from": hex0x([9; 20]), "to": hex0x([1; 20]), "value": "0x1"}]);
    assert_eq!(
        rig.refused("eth_estimateGas", poor).await.message,
        "insufficient funds for transfer"
    );
    let endless = json!([{"from": from, "data": hex0x(token::assemble("loop: @loop JUMP"))}]);
    let refusal = rig.refused("eth_estimateGas", endless).await;
    assert_eq!(refusal.message, "gas required exceeds allowance (30000000)");
}

#[tokio::test]
async fn call_should_check_fees_only_when_it_names_some() {
    let rig = rig().await;
    let free = json!([{"from": hex0x([9; 20]), "to": hex0x([1; 20])}, "latest"]);
    assert_eq!(rig.rpc("eth_call", free).await, "0x");
    let priced = json!([{"from": hex0x([9; 20]), "to": hex0x([1; 20]), "gasPrice": "0x77359400"}, "latest"]);
    assert!(
        rig.refused("eth_call", priced)
            .await
            .message
            .starts_with("insufficient funds for gas * price + value")
    );
    let low =
        json!([{"from": hex0x(key(1).address()), "to": hex0x([1; 20]), "maxFeePerGas": "0x1"}, "latest"]);
    assert!(
        rig.refused("eth_call", low)
            .await
            .message
            .contains("less than block base fee")
    );
    let both = json!([{"gasPrice": "0x1", "maxFeePerGas": "0x1"}, "latest"]);
    assert!(
        rig.refused("eth_call", both)
            .await
            .message
            .contains("both gasPrice and")
    );
    let token = deploy(&rig).await;
    let as_contract = json!([{"from": hex0x(token), "to": hex0x([1; 20])}, "latest"]);
    assert_eq!(
        rig.rpc("eth_call", as_contract).await,
        "0x",
        "a contract may be named as the sender of a question"
    );
    assert_eq!(
        rig.balance(key(1).address(), "0x0").await,
        100 * ETHER,
        "questions cost nothing"
    );
}

#[tokio::test]
async fn failed_creation_should_charge_and_leave_no_code() {
    let rig = rig().await;
    let code = token::assemble("INVALID");
    let plan = Plan {
        to: None,
        gas: 100_000,
        input: code,
        ..Plan::pay(0, [0; 20], 0)
    };
    let hash = rig.pay(1, plan).await;
    rig.mine(1).await;
    let receipt = rig.receipt(&hash).await;
    assert_eq!(
        (&receipt["status"], number(&receipt["gasUsed"])),
        (&json!("0x0"), 100_000)
    );
    let address = receipt["contractAddress"].clone();
    assert_eq!(rig.rpc("eth_getCode", json!([address, "latest"])).await, "0x");
}

#[tokio::test]
async fn destroyed_contract_should_follow_cancun() {
    let rig = rig().await;
    // EIP-6780: destroying oneself moves the balance, and removes the code only in the transaction of the creation
    let runtime = token::assemble("CALLER SELFDESTRUCT");
    let creation = [
        token::assemble("0x02 DUP1 0x0b 0x00 CODECOPY 0x00 RETURN"),
        runtime.clone(),
    ]
    .concat();
    let plan = Plan {
        to: None,
        gas: 200_000,
        input: creation,
        ..Plan::pay(0, [0; 20], 5)
    };
    let hash = rig.pay(1, plan).await;
    let fleeting = Plan {
        to: None,
        gas: 200_000,
        input: runtime.clone(),
        ..Plan::pay(1, [0; 20], 7)
    };
    let gone = rig.pay(1, fleeting).await;
    rig.mine(1).await;
    let address = |receipt: &Value| receipt["contractAddress"].clone();
    let (kept, gone) = (
        address(&rig.receipt(&hash).await),
        address(&rig.receipt(&gone).await),
    );
    for (who, code, wei) in [(&kept, hex0x(&runtime), "0x5"), (&gone, "0x".to_owned(), "0x0")] {
        assert_eq!(rig.rpc("eth_getCode", json!([who, "latest"])).await, code);
        assert_eq!(rig.rpc("eth_getBalance", json!([who, "latest"])).await, wei);
    }
    assert_eq!(
        rig.rpc("eth_getTransactionCount", json!([gone, "latest"])).await,
        "0x0"
    );
    let target = hex::decode(&kept.as_str().expect("hex")[2..]).expect("hex");
    let call = Plan {
        gas: 100_000,
        ..Plan::pay(0, target.try_into().expect("20 bytes"), 0)
    };
    let before = rig.balance(key(2).address(), "latest").await;
    let hash = rig.pay(2, call).await;
    rig.mine(1).await;
    let receipt = rig.receipt(&hash).await;
    let fee = number(&receipt["gasUsed"]) * number(&receipt["effectiveGasPrice"]);
    assert_eq!(rig.balance(key(2).address(), "latest").await, before - fee + 5);
    assert_eq!(
        rig.rpc("eth_getCode", json!([kept, "latest"])).await,
        hex0x(&runtime)
    );
    assert_eq!(rig.rpc("eth_getBalance", json!([kept, "latest"])).await, "0x0");
}
