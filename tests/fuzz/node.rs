//! Answers of a node: whatever it says, every capability answers in time, and as what the port promises.
//!
//! A server on the loopback says the input to every question: as a whole answer when it begins like one, else as the
//! result of a well-formed one.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use vaultstream_domain::ports::ChainNode;
use vaultstream_event_schemas::chain::{BlockRef, Intent, RawTransaction};
use vaultstream_event_schemas::{Amount, AssetId, ChainId};
use vaultstream_infra_chain_evm::{EvmNode, Options};

use crate::harness::{Target, Verdict, holds};

const CHAIN: &str = "eip155:31337";
const HOLDER: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";
const HASH: &str = "0x88df016429689c079f3b2f6ad39fa052532c56795b733da78a91ebe6a713944b";

type Says = Arc<Mutex<Vec<u8>>>;

/// What it says to a question.
fn answered(says: &[u8], question: &[u8]) -> Vec<u8> {
    if says.starts_with(b"{\"jsonrpc") {
        return says.to_vec();
    }
    let question: Value = serde_json::from_slice(question).unwrap_or_default();
    let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":", question["id"]);
    [head.as_bytes(), says, b"}"].concat()
}

async fn serve(listener: TcpListener, says: Says) {
    let answer = |State(says): State<Says>, question: Bytes| async move {
        let says = says.lock().expect("nobody panics with it").clone();
        ([("content-type", "application/json")], answered(&says, &question))
    };
    let app = Router::new().route("/", post(answer)).with_state(says);
    axum::serve(listener, app)
        .await
        .expect("it serves until the test ends");
}

/// Asks for everything; only what the node says may be wrong with it.
async fn asked(node: &EvmNode) -> Verdict {
    let at = BlockRef {
        height: 7,
        hash: HASH.to_owned(),
    };
    let native: AssetId = "eip155:31337/slip44:60".parse().map_err(|e| format!("{e}"))?;
    let token: AssetId = format!("eip155:31337/erc20:{HOLDER}")
        .parse()
        .map_err(|e| format!("{e}"))?;
    if let Ok(head) = node.head().await {
        holds!(
            head.finalized.hash.len() == 66,
            "a hash of {} characters",
            head.finalized.hash.len()
        );
    }
    if let Ok(Some(block)) = node.block_at(7).await {
        holds!(
            block.at.height == 7,
            "another block than was asked for: {block:?}"
        );
    }
    if let Ok(Some(block)) = node.block_by_hash(HASH).await {
        holds!(
            block.at.hash == HASH,
            "another block than was asked for: {block:?}"
        );
    }
    for asset in [&native, &token] {
        let _ = node.balance(HOLDER, asset, &at).await;
    }
    let _ = node.slots_consumed(HOLDER, &at).await;
    let _ = node.quote_fee().await;
    let intent = Intent {
        amount: Amount::from_u128(1),
        asset: native,
        destination: HOLDER.to_owned(),
        source: HOLDER.to_owned(),
    };
    let _ = node.estimate_work(&intent).await;
    let _ = node.transaction(HASH).await;
    let raw = RawTransaction {
        raw: "0x02".to_owned(),
        txid: HASH.to_owned(),
    };
    let answer = node.broadcast(&raw).await;
    let words = format!("{answer:?}");
    holds!(
        words.len() < 20_000,
        "{} bytes of a node's words are kept",
        words.len()
    );
    Ok(())
}

#[test]
fn node_should_be_understood_or_not_believed() {
    let runtime = Runtime::new().expect("a runtime");
    let says: Says = Arc::new(Mutex::new(b"\"0x7a69\"".to_vec()));
    let node = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(listener, Arc::clone(&says)));
        let chain: ChainId = CHAIN.parse().expect("a chain");
        EvmNode::connect(Options::new(url, chain))
            .await
            .expect("it says its chain")
    });
    Target::new("node").one_in(8).fuzz(|bytes| {
        *says.lock().expect("nobody panics with it") = bytes.to_vec();
        runtime.block_on(asked(&node))
    });
}
