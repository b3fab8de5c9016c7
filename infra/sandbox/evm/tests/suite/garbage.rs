//! What does not belong on the wire: bodies, media types, hosts, sizes.

use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::rig::rig;

#[tokio::test]
async fn bodies_that_are_no_calls_should_get_a_code_and_change_nothing() {
    let rig = rig().await;
    for url in [&rig.running.rpc_url, &rig.running.control_url] {
        let deep = "[".repeat(10_000);
        let cases: [(&[u8], i64); 7] = [
            (b"", -32700),
            (b"\xff\xfe\x00", -32700),
            (b"{\"jsonrpc\":", -32700),
            (deep.as_bytes(), -32700),
            (b"[]", -32600),
            (b"\"eth_chainId\"", -32600),
            (
                b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"eth_chainId\"}",
                -32600,
            ),
        ];
        for (body, code) in cases {
            let post = rig
                .client
                .post(url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_vec());
            let answer: Value = post.send().await.expect("an answer").json().await.expect("json");
            assert_eq!(
                answer["error"]["code"],
                code,
                "{:?}",
                String::from_utf8_lossy(&body[..body.len().min(40)])
            );
        }
    }
    assert_eq!(rig.head().await, 0);
}

#[tokio::test]
async fn requests_should_be_json_from_this_machine_and_small() {
    let rig = rig().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"sandbox_mine"}"#;
    for url in [&rig.running.rpc_url, &rig.running.control_url] {
        let post = |media: &'static str, host: &'static str, body: String| {
            let request = rig
                .client
                .post(url)
                .header(header::CONTENT_TYPE, media)
                .body(body);
            let request = if host.is_empty() {
                request
            } else {
                request.header(header::HOST, host)
            };
            async { request.send().await.expect("an answer").status() }
        };
        assert_eq!(
            post("text/plain", "", call.to_owned()).await,
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
        assert_eq!(
            post("application/json", "evil.example", call.to_owned()).await,
            StatusCode::FORBIDDEN
        );
        let large = " ".repeat(1024 * 1024 + 1);
        assert_eq!(
            post("application/json", "", large).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        let get = rig.client.get(url).send().await.expect("an answer");
        assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(rig.head().await, 0, "none of them mined");
}

#[tokio::test]
async fn batch_should_be_answered_in_order() {
    let rig = rig().await;
    let calls: Vec<Value> = (0..100)
        .map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "eth_blockNumber"}))
        .collect();
    let answers: Vec<Value> = rig
        .client
        .post(&rig.running.rpc_url)
        .json(&calls)
        .send()
        .await
        .expect("sent")
        .json()
        .await
        .expect("json");
    assert_eq!(answers.len(), 100);
    assert!(
        answers
            .iter()
            .enumerate()
            .all(|(id, answer)| answer["id"] == id && answer["result"] == "0x0")
    );
}
