//! Each rule of the pool, by its words, and that a refusal changes nothing.

use serde_json::json;

use crate::{
    rig::{Rig, hex0x, key, rig},
    signer::{ETHER, GWEI, Plan},
};

const TO: [u8; 20] = [0x77; 20];

async fn refused(rig: &Rig, raw: &[u8], expected: &str) {
    let refusal = rig.send_refused(raw).await;
    assert_eq!(refusal.code, -32000, "{refusal:?}");
    assert!(
        refusal.message.contains(expected),
        "{:?} does not say {expected:?}",
        refusal.message
    );
}

#[tokio::test]
async fn malformed_and_foreign_transactions_should_be_refused() {
    let rig = rig().await;
    let plan = Plan::pay(0, TO, 1);
    let good = key(1).sign(&plan);
    refused(&rig, &[], "typed transaction too short").await;
    refused(&rig, &[0x02], "rlp").await;
    refused(&rig, &[0x7f, 1, 2], "transaction type not supported").await;
    refused(&rig, &[3, 0xc0], "transaction type not supported").await;
    refused(&rig, &good[..good.len() - 1], "rlp").await;
    refused(&rig, &[good.as_slice(), &[0]].concat(), "rlp").await;
    refused(
        &rig,
        &key(1).sign(&Plan {
            chain_id: 1,
            ..plan.clone()
        }),
        "invalid chain id for signer: have 1 want 31337",
    )
    .await;
    let legacy = Plan {
        kind: 0,
        ..plan.clone()
    };
    refused(
        &rig,
        &key(1).sign(&Plan {
            chain_id: 5,
            ..legacy.clone()
        }),
        "have 5 want 31337",
    )
    .await;
    refused(
        &rig,
        &key(1).sign_with(&legacy, |parts| parts.v = 27),
        "replay-protected",
    )
    .await;
    refused(
        &rig,
        &key(1).sign_with(&plan, crate::signer::Parts::make_high),
        "invalid transaction v, r, s",
    )
    .await;
    refused(
        &rig,
        &key(1).sign_with(&plan, |parts| parts.s = [0; 32]),
        "invalid transaction v, r, s",
    )
    .await;
    refused(
        &rig,
        &key(1).sign_with(&plan, |parts| parts.r = [0xff; 32]),
        "invalid transaction v, r, s",
    )
    .await;
    refused(
        &rig,
        &key(1).sign_with(&plan, |parts| parts.v = 2),
        "invalid transaction v, r, s",
    )
    .await;
    assert_eq!(
        rig.rpc("txpool_status", json!([])).await,
        json!({"pending": "0x0", "queued": "0x0"})
    );
}

#[tokio::test]
async fn signature_of_another_key_should_spend_from_that_key_only() {
    // recovery always yields some sender: a spoiled digest is refused because that sender has no money
    let rig = rig().await;
    let raw = key(1).sign_with(&Plan::pay(0, TO, 1), |parts| parts.v ^= 1);
    refused(&rig, &raw, "insufficient funds for gas * price + value").await;
}

#[tokio::test]
async fn static_rules_should_be_refused_with_their_numbers() {
    let rig = rig().await;
    let plan = Plan::pay(0, TO, 1);
    let sign = |change: &dyn Fn(&mut Plan)| {
        let mut changed = plan.clone();
        change(&mut changed);
        key(1).sign(&changed)
    };
    refused(
        &rig,
        &sign(&|p| p.gas = 20_999),
        "intrinsic gas too low: gas 20999, minimum needed 21000",
    )
    .await;
    refused(&rig, &sign(&|p| p.input = vec![1, 0]), "minimum needed 21020").await;
    refused(
        &rig,
        &sign(&|p| p.access = vec![([5; 20], vec![[1; 32]])]),
        "minimum needed 25300",
    )
    .await;
    refused(&rig, &sign(&|p| p.to = None), "minimum needed 53000").await;
    refused(&rig, &sign(&|p| p.gas = 30_000_001), "exceeds block gas limit").await;
    refused(
        &rig,
        &sign(&|p| p.tip = p.cap + 1),
        "max priority fee per gas higher than max fee per gas",
    )
    .await;
    let long = sign(&|p| {
        p.gas = 29_000_000;
        p.input = vec![0; 131_073];
    });
    refused(&rig, &long, "oversized data").await;
    let init = sign(&|p| {
        p.gas = 29_000_000;
        p.to = None;
        p.input = vec![0; 49_153];
    });
    refused(&rig, &init, "max initcode size exceeded").await;
}

#[tokio::test]
async fn nonce_rules_should_be_those_of_a_node() {
    let rig = rig().await;
    let first = key(1).sign(&Plan::pay(0, TO, 1));
    let hash = rig.send(&first).await;
    refused(&rig, &first, "already known").await;
    rig.mine(1).await;
    refused(&rig, &first, "nonce too low: next nonce 1, tx nonce 0").await;
    assert!(!rig.receipt(&hash).await.is_null());
    for nonce in 2..66 {
        rig.pay(1, Plan::pay(nonce, TO, 1)).await;
    }
    refused(
        &rig,
        &key(1).sign(&Plan::pay(66, TO, 1)),
        "account limit exceeded",
    )
    .await;
    rig.pay(1, Plan::pay(1, TO, 1)).await;
    rig.pay(1, Plan::pay(66, TO, 1)).await;
    assert_eq!(rig.nonce(key(1).address(), "pending").await, 67);
}

#[tokio::test]
async fn funds_should_be_checked_alone_and_together() {
    let rig = rig().await;
    refused(
        &rig,
        &key(9).sign(&Plan::pay(0, TO, 0)),
        "insufficient funds for gas * price + value: balance 0",
    )
    .await;
    let fee = 21_000 * 10 * GWEI;
    refused(
        &rig,
        &key(1).sign(&Plan::pay(0, TO, 100 * ETHER - fee + 1)),
        "overshot 1",
    )
    .await;
    rig.pay(1, Plan::pay(0, TO, 60 * ETHER)).await;
    let second = Plan::pay(1, TO, 60 * ETHER);
    refused(&rig, &key(1).sign(&second), "queued cost 60000210000000000000").await;
    // a replacement counts in place of what it replaces
    rig.pay(
        1,
        Plan {
            tip: 2 * GWEI,
            cap: 20 * GWEI,
            ..Plan::pay(0, TO, 30 * ETHER)
        },
    )
    .await;
    rig.pay(1, second).await;
    rig.mine(1).await;
    assert_eq!(rig.balance(TO, "latest").await, 90 * ETHER);
}

#[tokio::test]
async fn replacement_should_raise_both_fees_by_a_tenth() {
    let rig = rig().await;
    let plan = Plan {
        tip: 10 * GWEI,
        cap: 100 * GWEI,
        ..Plan::pay(0, TO, 1)
    };
    let old = rig.pay(1, plan.clone()).await;
    for (tip, cap) in [
        (11 * GWEI, 110 * GWEI - 1),
        (11 * GWEI - 1, 110 * GWEI),
        (10 * GWEI, 200 * GWEI),
    ] {
        let low = key(1).sign(&Plan {
            tip,
            cap,
            ..plan.clone()
        });
        refused(&rig, &low, "replacement transaction underpriced").await;
    }
    let new = rig
        .pay(
            1,
            Plan {
                tip: 11 * GWEI,
                cap: 110 * GWEI,
                value: 2,
                ..plan
            },
        )
        .await;
    assert!(
        rig.rpc("eth_getTransactionByHash", json!([old])).await.is_null(),
        "the replaced one is gone"
    );
    rig.mine(1).await;
    assert_eq!(rig.receipt(&new).await["status"], "0x1");
    assert_eq!(rig.balance(TO, "latest").await, 2);
}

#[tokio::test]
async fn reorganised_balance_should_throw_out_what_it_can_no_longer_pay() {
    let rig = rig().await;
    rig.pay(1, Plan::pay(0, TO, 10 * ETHER)).await;
    rig.mine(1).await;
    let doomed = rig.pay(1, Plan::pay(1, TO, 60 * ETHER)).await;
    let spend = key(1).sign(&Plan::pay(0, TO, 60 * ETHER));
    rig.control(
        "sandbox_reorg",
        json!({"depth": 1, "replacement": [hex0x(spend)]}),
    )
    .await;
    assert!(
        rig.rpc("eth_getTransactionByHash", json!([doomed]))
            .await
            .is_null()
    );
    assert_eq!(rig.nonce(key(1).address(), "pending").await, 1);
}

#[tokio::test]
async fn dropped_transaction_should_be_forgotten_and_leave_a_gap() {
    let rig = rig().await;
    let first = rig.pay(1, Plan::pay(0, TO, 1)).await;
    let second = rig.pay(1, Plan::pay(1, TO, 1)).await;
    assert_eq!(
        rig.control("sandbox_dropTransaction", json!([first])).await,
        json!(true)
    );
    assert_eq!(
        rig.control("sandbox_dropTransaction", json!([first])).await,
        json!(false)
    );
    rig.mine(1).await;
    assert!(rig.receipt(&second).await.is_null(), "it waits behind the gap");
    rig.pay(1, Plan::pay(0, TO, 1)).await;
    rig.mine(1).await;
    assert_eq!(rig.receipt(&second).await["status"], "0x1");
}
