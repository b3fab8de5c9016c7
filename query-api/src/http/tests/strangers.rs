//! What callers may not see.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_ids_should_look_like_ids_that_never_were() {
    let world = World::start().await;
    let (me, stranger) = (world.reader().await, world.reader().await);
    let held = world.vault(&me, "Mine").await;
    let transfer = world.transfer(&me, held).await;
    world.settled().await;
    let never = world.history.vault();
    for (query, id) in [
        (
            "query($id: ID!) { vault(id: $id) { name } }",
            held.vault.to_string(),
        ),
        ("query($id: ID!) { vault(id: $id) { name } }", never.to_string()),
        ("query($id: ID!) { node(id: $id) { id } }", held.vault.to_string()),
        (
            "query($id: ID!) { node(id: $id) { id } }",
            held.account.to_string(),
        ),
        ("query($id: ID!) { node(id: $id) { id } }", transfer.to_string()),
        (
            "query($id: ID!) { node(id: $id) { id } }",
            me.organization.to_string(),
        ),
        ("query($id: ID!) { node(id: $id) { id } }", me.key.to_string()),
        (
            "query($id: ID!) { transfer(id: $id) { status } }",
            transfer.to_string(),
        ),
        (
            "query($id: ID!) { balances(vaultId: $id) { minor } }",
            held.vault.to_string(),
        ),
    ] {
        let answer = world.ask(&stranger, query, json!({ "id": id })).await;
        assert_eq!(code(&answer), "not-found", "{query} {id}: {answer}");
        let shown = answer["data"]
            .as_object()
            .and_then(|d| d.values().next())
            .cloned();
        assert!(shown.is_none_or(|v| v.is_null()), "{answer}");
    }
    for query in [
        "{ feed(first: 50) { nodes { id } } }",
        "{ transfers(first: 50) { nodes { id } } }",
    ] {
        let answer = world.ask(&stranger, query, json!({})).await;
        assert!(!answer.to_string().contains(&held.vault.to_string()), "{answer}");
    }
    let found = world
        .ask(&stranger, r#"{ search(text: "Mi", first: 5) { id } }"#, json!({}))
        .await;
    assert_eq!(found["data"]["search"], json!([]));
    let own = world
        .ask(
            &me,
            r#"{ search(text: "Mi", first: 5) { id kind label } }"#,
            json!({}),
        )
        .await;
    assert_eq!(own["data"]["search"][0]["id"], held.vault.to_string());
    let bad = world
        .ask(&me, r#"{ vault(id: "vlt_nope") { id } }"#, json!({}))
        .await;
    assert_eq!(code(&bad), "invalid-field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_scope_should_be_named() {
    let world = World::start().await;
    let narrow = world.tenant(&["vaults:read"]).await;
    for (query, scope) in [
        ("{ transfers(first: 1) { nodes { id } } }", "transfers:read"),
        ("{ feed(first: 1) { nodes { id } } }", "events:read"),
        ("{ totals { vaults } }", "transfers:read"),
    ] {
        let answer = world.ask(&narrow, query, json!({})).await;
        assert_eq!(code(&answer), "scope-missing");
        assert!(
            answer["errors"][0]["message"]
                .as_str()
                .is_some_and(|m| m.contains(scope)),
            "{answer}"
        );
    }
}
