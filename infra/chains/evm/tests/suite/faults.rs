//! Nodes that do not answer, answer too late, or answer nonsense.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::ChainId;
use vaultstream_event_schemas::chain::{RawTransaction, TransactionView};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_infra_chain_evm::{ConnectError, EvmNode, Options};

use crate::bench::{Bench, chain};
use crate::engine::Engine;
use crate::sandbox::SandboxEngine;

async fn impatient(url: &str) -> EvmNode {
    let mut options = Options::new(url, chain());
    options.request_timeout_ms = 500;
    EvmNode::connect(options).await.expect("a node")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeout_after_accept_should_be_ambiguous_and_resolved_by_the_same_bytes() {
    let engine = SandboxEngine::start().await;
    let node = impatient(engine.rpc_url()).await;
    engine.mine(1).await;
    let bench = Bench {
        node,
        engine: Box::new(engine),
    };
    let wallet = bench.funded(1).await;
    let transaction = bench.payment(&wallet, 0, 1).await;
    bench
        .engine
        .control("sandbox_timeoutAfterAccept", json!({ "count": 1 }))
        .await;
    let (outcome, detail) = bench.send(&transaction).await;
    assert_eq!(outcome, BroadcastOutcome::Ambiguous, "{detail}");
    bench
        .expect_view(&transaction.txid, &TransactionView::Pooled)
        .await;
    assert_eq!(bench.send(&transaction).await.0, BroadcastOutcome::AlreadyKnown);
    bench.mine(1).await;
    bench.expect_included(&transaction.txid, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_refusing_node_should_be_unavailable_not_wrong() {
    let engine = SandboxEngine::start().await;
    let node = impatient(engine.rpc_url()).await;
    engine.mine(1).await;
    let bench = Bench {
        node,
        engine: Box::new(engine),
    };
    let wallet = bench.funded(1).await;
    let transaction = bench.payment(&wallet, 0, 1).await;
    bench
        .engine
        .control("sandbox_setLatency", json!({ "ms": 2_000 }))
        .await;
    let since = Instant::now();
    let slow = bench.node.head().await;
    assert!(
        matches!(&slow, Err(NodeError::Unavailable(why)) if why.contains("in time")),
        "{slow:?}"
    );
    assert!(
        since.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(bench.send(&transaction).await.0, BroadcastOutcome::Ambiguous);
    bench
        .engine
        .control("sandbox_setLatency", json!({ "ms": 0 }))
        .await;
    bench
        .engine
        .control("sandbox_refuseConnections", json!({ "ms": 60_000 }))
        .await;
    assert!(matches!(bench.node.head().await, Err(NodeError::Unavailable(_))));
    assert_eq!(bench.send(&transaction).await.0, BroadcastOutcome::Ambiguous);
    bench
        .engine
        .control("sandbox_refuseConnections", json!({ "ms": 0 }))
        .await;
    assert!(bench.node.head().await.is_ok(), "it recovers by itself");
}

/// A server that gives the chain id once, then one fixed answer to everything.
async fn server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let chain = br#"{"jsonrpc":"2.0","id":0,"result":"0x7a69"}"#;
        let mut next = ok(chain);
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let read = stream.read(&mut request).await.unwrap_or(0);
            if read > 0 && !request[..read].windows(4).any(|w| w == b"\"id\"") {
                // Head and body may come apart.
                let _ = stream.read(&mut request).await;
            }
            let _ = stream.write_all(&next).await;
            let _ = stream.shutdown().await;
            next.clone_from(&answer);
        }
    });
    format!("http://user:hunter2@{address}/v3/0123456789abcdef")
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn ok(body: &[u8]) -> Vec<u8> {
    response("200 OK", "content-type: application/json\r\n", body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_should_be_ambiguous_and_carry_no_credential() {
    let echo = b"no project 0123456789abcdef for hunter2".to_vec();
    let error = |code: i64, words: &str| {
        ok(
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code, "message": words } })
                .to_string()
                .as_bytes(),
        )
    };
    let transaction = RawTransaction {
        raw: "0x02".to_owned(),
        txid: format!("0x{:064x}", 9),
    };
    for (name, answer, outcome) in [
        (
            "server error",
            response("500 Internal Server Error", "", &echo),
            BroadcastOutcome::Ambiguous,
        ),
        (
            "gateway",
            response("502 Bad Gateway", "", b"<html>"),
            BroadcastOutcome::Ambiguous,
        ),
        (
            "unauthorized",
            response("401 Unauthorized", "", &echo),
            BroadcastOutcome::Ambiguous,
        ),
        (
            "redirect",
            response("307 Temporary Redirect", "location: http://127.0.0.1:1/\r\n", b""),
            BroadcastOutcome::Ambiguous,
        ),
        ("no JSON", ok(&echo), BroadcastOutcome::Ambiguous),
        ("empty", ok(b""), BroadcastOutcome::Ambiguous),
        (
            "null",
            ok(br#"{"jsonrpc":"2.0","id":1,"result":null}"#),
            BroadcastOutcome::Ambiguous,
        ),
        (
            "no hash",
            ok(br#"{"jsonrpc":"2.0","id":1,"result":"0x12"}"#),
            BroadcastOutcome::Ambiguous,
        ),
        (
            "huge",
            ok(&vec![b' '; 5 * 1024 * 1024]),
            BroadcastOutcome::Ambiguous,
        ),
        (
            "cut",
            response("200 OK", "", b"{}")[..20].to_vec(),
            BroadcastOutcome::Ambiguous,
        ),
        ("silence", Vec::new(), BroadcastOutcome::Ambiguous),
        (
            "unknown words",
            error(-32000, "0123456789abcdef says hunter2"),
            BroadcastOutcome::Ambiguous,
        ),
        (
            "known words",
            error(-32000, "nonce too low: next nonce 2"),
            BroadcastOutcome::Contested,
        ),
    ] {
        let url = server(answer).await;
        let node = EvmNode::connect(Options::new(&url, chain())).await.expect(name);
        let said = node.broadcast(&transaction).await;
        assert_eq!(said.outcome, outcome, "{name}: {}", said.detail);
        let reading = node.transaction(&transaction.txid).await;
        let harmless = name == "null" && matches!(reading, Ok(TransactionView::Absent));
        assert!(harmless || reading.is_err(), "{name}: {reading:?}");
        let shown = format!("{said:?} {reading:?} {node:?}");
        for secret in ["hunter2", "0123456789abcdef"] {
            assert!(!shown.contains(secret), "{name}: {shown}");
        }
        assert!(said.detail.chars().count() <= 512, "{name}");
    }
}

#[tokio::test]
async fn connecting_should_tell_what_helps() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = closed.local_addr().expect("bound");
    drop(closed);
    let url = format!("http://user:hunter2@{address}/");
    let error = EvmNode::connect(Options::new(&url, chain()))
        .await
        .expect_err("nobody there");
    assert!(error.is_temporary(), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    for (url, words) in [
        ("nonsense", "no URL"),
        ("ftp://localhost/", "only http"),
        ("file:///etc", "no host"),
    ] {
        let error = EvmNode::connect(Options::new(url, chain())).await.expect_err(url);
        assert!(
            error.to_string().contains(words) && !error.is_temporary(),
            "{error}"
        );
    }
    let bitcoin = ChainId::try_new("bip122:000000000019d6689c085ae165831e93").expect("a chain");
    let error = EvmNode::connect(Options::new(url, bitcoin))
        .await
        .expect_err("another family");
    assert!(matches!(error, ConnectError::Chain(_)), "{error}");
}
