//! The dashboard's own documents must pass the limits at the sizes it asks for, or its pages stay empty.

use std::path::Path;

use serde_json::{Value, json};

use crate::rig::world::{World, code};

/// Variables as the pages send them, with the largest pages they ask for.
fn variables(document: &str, vault: &str, transfer: &str) -> Value {
    match document {
        "execution" | "transfer" => json!({ "id": transfer, "events": 200 }),
        "feed" => json!({ "first": 20 }),
        "known" => json!({ "first": 50 }),
        "search" => json!({ "text": "Operations", "first": 20 }),
        "transfers" => json!({ "first": 50, "sort": "newest" }),
        "vault" => json!({ "id": vault }),
        "vaults" => json!({ "first": 100, "sort": "newest" }),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_dashboard_should_be_answered() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    let transfer = world.transfer(&me, held).await;
    world.settled().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard-web/graphql");
    let mut asked = 0;
    for file in std::fs::read_dir(folder).expect("the dashboard's documents") {
        let path = file.expect("listed").path();
        let query = std::fs::read_to_string(&path).expect("readable");
        let name = path
            .file_stem()
            .and_then(|n| n.to_str())
            .unwrap_or_default()
            .to_owned();
        if !query.contains("query ") {
            continue;
        }
        let variables = variables(&name, &held.vault.to_string(), &transfer.to_string());
        let answer = world.ask(&me, &query, variables).await;
        assert_eq!(
            answer["errors"],
            Value::Null,
            "{name} ({}): {answer}",
            code(&answer)
        );
        asked += 1;
    }
    assert!(asked >= 8, "only {asked} documents were found");
}
