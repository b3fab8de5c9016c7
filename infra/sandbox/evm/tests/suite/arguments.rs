//! Arguments that do not belong in a call, refused by their position.

use serde_json::{Value, json};

use crate::rig::{Rig, hex0x, rig};

async fn refused_with(rig: &Rig, method: &str, params: Value, expected: &str) {
    let refusal = rig.refused(method, params.clone()).await;
    assert_eq!(refusal.code, -32602, "{method} {params}: {refusal:?}");
    assert!(
        refusal.message.contains(expected),
        "{method} {params}: {:?}",
        refusal.message
    );
}

#[tokio::test]
async fn accounts_and_blocks_should_be_refused_by_position() {
    let rig = rig().await;
    let who = hex0x([1; 20]);
    for (params, expected) in [
        (json!([]), "missing value for required argument 0"),
        (
            json!(["0x12"]),
            "invalid argument 0: hex string has length 2, want 40",
        ),
        (json!([1]), "invalid argument 0: expected a string, got a number"),
        (json!([who, "newest"]), "invalid argument 1"),
        (
            json!([who, "0x01"]),
            "invalid argument 1: hex number with leading zero digits",
        ),
        (json!([who, {}]), "invalid argument 1: specify either"),
        (json!([who, "latest", 1]), "too many arguments, want at most 2"),
    ] {
        refused_with(&rig, "eth_getBalance", params, expected).await;
    }
}

#[tokio::test]
async fn other_arguments_should_be_refused_by_position() {
    let rig = rig().await;
    for (method, params, expected) in [
        ("eth_getBlockByNumber", json!([5, true]), "invalid argument 0"),
        (
            "eth_getBlockByNumber",
            json!(["latest", "yes"]),
            "invalid argument 1: expected a boolean",
        ),
        ("eth_getTransactionReceipt", json!(["0x1"]), "invalid argument 0"),
        (
            "eth_getStorageAt",
            json!([hex0x([1; 20]), "0x"]),
            "invalid argument 1",
        ),
        (
            "eth_sendRawTransaction",
            json!(["f86b"]),
            "invalid argument 0: hex string without 0x prefix",
        ),
        (
            "eth_sendRawTransaction",
            json!(["0x0"]),
            "invalid argument 0: invalid hex string",
        ),
        ("eth_call", json!(["x"]), "invalid argument 0: expected an object"),
        (
            "eth_call",
            json!([{"value": "1"}]),
            "invalid argument 0: value: hex string without 0x prefix",
        ),
        ("eth_call", json!([{}, "latest", {}]), "no state overrides"),
        ("eth_chainId", json!(7), "non-array args"),
    ] {
        refused_with(&rig, method, params, expected).await;
    }
    assert_eq!(rig.refused("eth_sign", json!([])).await.code, -32601);
}
