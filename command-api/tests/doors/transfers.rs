//! A transfer from request to decision.

use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::TransferId;

use crate::world::{CHAIN, DESTINATION, ETHER, Held, Tenant, World, one_ether};

async fn waiting(world: &World, tenant: &Tenant, held: Held, key: &str) -> (TransferId, String) {
    let accepted = world.transfer(tenant, key, &one_ether(held)).await.json();
    let transfer: TransferId = accepted["id"]
        .as_str()
        .and_then(|t| t.parse().ok())
        .expect("an id");
    world.screen(tenant, transfer, held).await;
    (transfer, format!("/v1/transfers/{transfer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_should_be_taken_with_token_and_event() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let mut body = one_ether(held);
    body["memo"] = json!("for lunch");
    body["destination"] = json!(DESTINATION.to_lowercase());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("idempotency-key", "k"), ("traceparent", trace)];
    let answer = world.post_with(&tenant, "/v1/transfers", &headers, &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.json());
    let accepted = answer.json();
    assert_eq!(accepted["status"], "requested");
    assert_eq!(accepted["accountId"], held.account.to_string());
    assert_eq!(answer.header("vaultstream-token"), accepted["token"].as_str());
    let transfer: TransferId = accepted["id"]
        .as_str()
        .and_then(|t| t.parse().ok())
        .expect("an id");
    assert_eq!(
        transfer.shard(),
        held.account.shard(),
        "a transfer lives with its account"
    );
    let events = world
        .log
        .read_stream(transfer.into(), 0, 10)
        .await
        .expect("reads");
    let payload: Value = serde_json::from_slice(&events[0].payload).expect("json");
    assert_eq!(
        payload["destination"], DESTINATION,
        "the checked form is what is kept"
    );
    assert!(
        !String::from_utf8_lossy(&events[0].payload).contains("lunch"),
        "a memo is sealed"
    );
    let written = events[0].envelope.trace.as_deref().expect("a trace");
    assert_eq!(&written[3..35], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        events[0].envelope.actor.to_string(),
        format!("key:{}", tenant.key)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_should_say_everything_and_change_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let before = world.heads().await;
    let mut in_body = one_ether(held);
    in_body["dryRun"] = json!(true);
    let by_query = world
        .post(&tenant, "/v1/transfers?dryRun=true", &one_ether(held))
        .await;
    let by_body = world.post(&tenant, "/v1/transfers", &in_body).await;
    for preview in [by_query, by_body] {
        assert_eq!(preview.status, StatusCode::OK, "{}", preview.json());
        let body = preview.json();
        assert_eq!(
            (body["approvalsNeeded"].as_u64(), body["destination"].as_str()),
            (Some(1), Some(DESTINATION))
        );
        assert_eq!(body["balance"]["minor"], "10000000000000000000");
        assert_eq!(body["fee"], Value::Null, "no node, no estimate");
    }
    let unknown = world
        .post(&tenant, "/v1/transfers?dryrun=true", &one_ether(held))
        .await;
    assert_eq!(
        unknown.refusal(),
        ("unknown-field".into(), "dryrun".into()),
        "a misspelt dry run must not send"
    );
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_should_rest_on_what_was_read() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let (_, path) = waiting(&world, &tenant, held, "k").await;
    let before = world.heads().await;
    let approve = format!("{path}/approve");
    let missing = world.post(&tenant, &approve, &json!({})).await;
    assert_eq!(missing.status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(
        missing.refusal(),
        ("precondition-required".into(), "If-Match".into())
    );
    let stale = world
        .post_with(&tenant, &approve, &[("if-match", "\"1\"")], &json!({}))
        .await;
    assert_eq!(
        (stale.status, stale.refusal().1.as_str()),
        (StatusCode::PRECONDITION_FAILED, "If-Match")
    );
    assert_eq!(world.heads().await, before);
    let approved = world
        .post_with(&tenant, &approve, &[("if-match", "\"2\"")], &json!({}))
        .await;
    assert_eq!(approved.status, StatusCode::OK, "{}", approved.json());
    let body = approved.json();
    assert_eq!(
        (body["status"].as_str(), body["version"].as_u64()),
        (Some("approved"), Some(3))
    );
    assert_eq!(body["approvals"][0]["actor"], format!("key:{}", tenant.key));
    assert_eq!(
        body["amount"],
        json!({ "asset": ETHER, "minor": "1000000000000000000", "decimals": 18 })
    );
    assert_eq!(approved.header("etag"), Some("\"3\""));
    let again = world
        .post_with(&tenant, &approve, &[("if-match", "\"3\"")], &json!({}))
        .await;
    assert_eq!(again.code(), "state-conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn denial_and_withdrawal_should_end_a_transfer_with_their_reason() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    for (verb, status) in [("deny", "rejected"), ("cancel", "cancelled")] {
        let (_, path) = waiting(&world, &tenant, held, verb).await;
        let reason = json!({ "reason": "wrong invoice" });
        let ended = world
            .post_with(&tenant, &format!("{path}/{verb}"), &[("if-match", "*")], &reason)
            .await;
        let body = ended.json();
        assert_eq!(
            (body["status"].as_str(), body["failure"]["detail"].as_str()),
            (Some(status), Some("wrong invoice"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_with_two_accounts_should_ask_which_one_pays() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let first = world.transfer(&tenant, "a", &one_ether(held)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let added = world
        .post(
            &tenant,
            &format!("/v1/vaults/{}/accounts", held.vault),
            &json!({ "chain": CHAIN }),
        )
        .await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.json());
    let mut code = String::new();
    for n in 0..100 {
        let answer = world.transfer(&tenant, &format!("b{n}"), &one_ether(held)).await;
        if answer.status != StatusCode::ACCEPTED {
            code = answer.code();
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(code, "account-ambiguous");
    let retried = world.transfer(&tenant, "a", &one_ether(held)).await;
    assert_eq!(
        retried.bytes, first.bytes,
        "a retry gets its first answer, whatever the vault has become since"
    );
    let mut named = one_ether(held);
    named["accountId"] = json!(held.account.to_string());
    assert_eq!(
        world.transfer(&tenant, "c", &named).await.status,
        StatusCode::ACCEPTED
    );
    let elsewhere = world.held(&tenant).await;
    named["vaultId"] = json!(elsewhere.vault.to_string());
    assert_eq!(
        world.transfer(&tenant, "d", &named).await.refusal(),
        ("invalid-field".into(), "vaultId".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_seats_should_wait_and_all_be_answered() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let mut body = one_ether(held);
    body["amount"] = json!("1");
    let keys: Vec<String> = (0..2_000).map(|n| format!("at-once-{n}")).collect();
    let answers = join_all(keys.iter().map(|key| world.transfer(&tenant, key, &body))).await;
    let mut ids: Vec<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.json());
            answer.json()["id"].to_string()
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), keys.len(), "each request has a transfer of its own");
}
