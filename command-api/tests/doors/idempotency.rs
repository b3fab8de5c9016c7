//! One intent, one effect: duplicates, retries, other bodies, refusals that are not remembered.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::vault::{AccountCommand, ChangeAccount};
use vaultstream_event_schemas::StreamKind;

use crate::world::{CHAIN, World, one_ether};

async fn count(world: &World, kind: StreamKind) -> usize {
    let mut streams = BTreeSet::new();
    for shard in world.heads().await.into_keys() {
        let events = world.log.read_shard(shard, 0, 10_000).await.expect("reads");
        streams.extend(
            events
                .iter()
                .map(|e| e.envelope.stream)
                .filter(|s| s.kind == kind),
        );
    }
    streams.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousand_duplicates_should_make_one_transfer_and_one_answer() {
    let world = Arc::new(World::start().await);
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let calls = (0..1000).map(|_| {
        let (world, tenant) = (Arc::clone(&world), tenant.clone());
        tokio::spawn(async move { world.transfer(&tenant, "one-intent", &one_ether(held)).await })
    });
    let answers = join_all(calls)
        .await
        .into_iter()
        .map(|a| a.expect("no panic"))
        .collect::<Vec<_>>();
    let bodies: BTreeSet<_> = answers
        .iter()
        .map(|a| (a.status.as_u16(), a.bytes.clone()))
        .collect();
    assert_eq!(
        bodies.len(),
        1,
        "one of them: {:?}",
        bodies.last().map(|b| String::from_utf8_lossy(&b.1))
    );
    assert_eq!(answers[0].status, StatusCode::ACCEPTED);
    let first = answers
        .iter()
        .filter(|a| a.header("idempotency-replayed").is_none())
        .count();
    assert_eq!(
        first, 1,
        "one answer is the first, all others say that they repeat it"
    );
    assert_eq!(count(&world, StreamKind::Transfer).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_or_no_key_should_be_refused() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let first = world.transfer(&tenant, "k", &one_ether(held)).await;
    let before = world.heads().await;
    let mut other = one_ether(held);
    other["amount"] = json!("2");
    let refused = world.transfer(&tenant, "k", &other).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.refusal(),
        ("idempotency-key-reused".into(), "Idempotency-Key".into())
    );
    let missing = world.post(&tenant, "/v1/transfers", &one_ether(held)).await;
    assert_eq!(
        missing.refusal(),
        ("idempotency-key-required".into(), "Idempotency-Key".into())
    );
    let spelled = serde_json::to_string_pretty(&one_ether(held))
        .expect("json")
        .replace("vaultId", "vaultI\\u0064");
    let bearer = tenant.bearer();
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let again = world
        .call(
            http::Method::POST,
            "/v1/transfers",
            &headers,
            spelled.into_bytes(),
        )
        .await;
    assert_eq!(
        again.bytes, first.bytes,
        "the same request in other words is the same request"
    );
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_different_principals_should_not_meet() {
    let world = World::start().await;
    let (a, b) = (world.tenant("A").await, world.tenant("B").await);
    let (of_a, of_b) = (world.held(&a).await, world.held(&b).await);
    let first = world.transfer(&a, "k", &one_ether(of_a)).await;
    let second = world.transfer(&b, "k", &one_ether(of_b)).await;
    assert_eq!(
        (first.status, second.status),
        (StatusCode::ACCEPTED, StatusCode::ACCEPTED)
    );
    assert_ne!(first.json()["id"], second.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_after_the_claim_should_not_be_remembered() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    // The first one is looked at; the second rests on that look, a moment later.
    assert_eq!(
        world.transfer(&tenant, "first", &one_ether(held)).await.status,
        StatusCode::ACCEPTED
    );
    let change = |command| ChangeAccount {
        account: held.account,
        organization: tenant.organization,
        vault: held.vault,
        expected: None,
        command,
    };
    world
        .run(change(AccountCommand::Freeze {
            reason: "audit".into(),
        }))
        .await;
    let refused = world.transfer(&tenant, "second", &one_ether(held)).await;
    assert_eq!(refused.refusal(), ("account-not-open".into(), "accountId".into()));
    world
        .run(change(AccountCommand::Unfreeze {
            reason: "audited".into(),
        }))
        .await;
    let taken = world.transfer(&tenant, "second", &one_ether(held)).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.json());
    assert_eq!(count(&world, StreamKind::Transfer).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn external_id_should_be_taken_once() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let mut body = one_ether(held);
    body["externalId"] = json!("invoice-42");
    let first = world.transfer(&tenant, "a", &body).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(
        world.transfer(&tenant, "a", &body).await.bytes,
        first.bytes,
        "a retry is the same use of the id"
    );
    let before = world.heads().await;
    let refused = world.transfer(&tenant, "b", &body).await;
    assert_eq!(refused.refusal(), ("already-exists".into(), "externalId".into()));
    assert!(
        refused.json()["detail"]
            .as_str()
            .is_some_and(|d| d.contains("trf_"))
    );
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn vault_should_be_created_once_a_key_however_often_it_is_sent() {
    let world = Arc::new(World::start().await);
    let tenant = world.tenant("Acme").await;
    let body = json!({ "name": "Operations", "chains": [CHAIN] });
    let calls = (0..50).map(|_| {
        let (world, tenant, body) = (Arc::clone(&world), tenant.clone(), body.clone());
        tokio::spawn(async move {
            world
                .post_with(&tenant, "/v1/vaults", &[("idempotency-key", "v")], &body)
                .await
        })
    });
    let answers = join_all(calls)
        .await
        .into_iter()
        .map(|a| a.expect("no panic"))
        .collect::<Vec<_>>();
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|a| (a.status.as_u16(), a.json()["id"].to_string()))
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(
        (
            count(&world, StreamKind::Vault).await,
            count(&world, StreamKind::Account).await
        ),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn command_should_be_found_by_its_claim() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let accepted = world.transfer(&tenant, "k", &one_ether(held)).await;
    let place = accepted.header("location").expect("a location").to_owned();
    let command = world.get(&tenant, &place).await.json();
    let transfer = accepted.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        (command["status"].as_str(), command["resource"].as_str()),
        (Some("done"), Some(transfer.as_str()))
    );
    assert_eq!(command["href"], format!("/v1/transfers/{transfer}"));
    let unclaimed = world.post(&tenant, "/v1/vaults", &json!({ "name": "B" })).await;
    let unclaimed = unclaimed
        .header("vaultstream-command")
        .expect("a command")
        .to_owned();
    let answer = world.get(&tenant, &format!("/v1/commands/{unclaimed}")).await;
    assert!(
        answer.json()["detail"]
            .as_str()
            .is_some_and(|d| d.contains("Idempotency-Key"))
    );
    assert_eq!(
        world.get(&tenant, "/v1/commands/nonsense").await.status,
        StatusCode::NOT_FOUND
    );
}
