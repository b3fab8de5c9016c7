//! The answers the table of `classify` rests on: provoked anew from running nodes, compared with the committed captures.
//!
//! With `VAULTSTREAM_WRITE_FIXTURES=1` the captures are written instead.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;

use crate::anvil::AnvilEngine;
use crate::bench::{Bench, SOMEBODY};
use crate::engine::ask;
use crate::refusals;
use crate::sandbox::SandboxEngine;

/// The words without what differs from run to run.
fn shape(message: &str) -> String {
    message.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn check(node: &str, name: &str, method: &str, answer: &Value, outcome: Option<BroadcastOutcome>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{node}-{name}.json"));
    let mut capture = json!({ "node": node, "method": method, "answer": answer["error"] });
    if let Some(outcome) = outcome {
        capture["outcome"] = json!(outcome);
    }
    if std::env::var_os("VAULTSTREAM_WRITE_FIXTURES").is_some() {
        let text = serde_json::to_string_pretty(&capture).expect("JSON");
        fs::write(&file, text + "\n").expect("writes");
        return;
    }
    let kept = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    let words = |v: &Value| shape(v["answer"]["message"].as_str().unwrap_or_default());
    assert_eq!(
        words(&capture),
        words(&kept),
        "{node} says something else to {name}: {capture}"
    );
    assert_eq!(capture["outcome"], kept["outcome"]);
}

async fn capture(bench: Bench) {
    let (node, url) = (bench.engine.name(), bench.engine.rpc_url());
    for refusal in refusals::prepare(&bench, 60).await {
        let answer = ask(url, "eth_sendRawTransaction", json!([refusal.transaction.raw])).await;
        assert!(
            answer["error"]["message"].is_string(),
            "{}: {answer}",
            refusal.name
        );
        check(
            node,
            refusal.name,
            "eth_sendRawTransaction",
            &answer,
            Some(refusal.outcome),
        );
    }
    let unknown = json!({ "blockHash": format!("0x{:064x}", 7), "requireCanonical": true });
    let answer = ask(url, "eth_getBalance", json!([SOMEBODY, unknown])).await;
    check(node, "state-gone", "eth_getBalance", &answer, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_should_still_say_what_was_captured() {
    capture(Bench::connect(Box::new(SandboxEngine::start().await)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anvil_should_still_say_what_was_captured() {
    if let Some(engine) = AnvilEngine::start().await {
        capture(Bench::connect(Box::new(engine)).await).await;
    }
}
