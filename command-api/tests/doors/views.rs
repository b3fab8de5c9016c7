//! Rebuilds of views: who may ask, for what, and that asking twice asks once.

use http::StatusCode;
use serde_json::json;
use vaultstream_domain::platform::{
    ChangeViewGeneration, ViewGenerationCommand, platform_organization, view_generation_id,
};
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::{Family, Slug};

use crate::world::World;

const TRANSFERS: &str = "/v1/views/transfers/rebuilds";

#[tokio::test(flavor = "multi_thread")]
async fn rebuild_should_be_asked_for_in_every_family_of_the_view() {
    let world = World::start().await;
    let body = json!({ "reason": "rows were damaged" });
    let answer = world.post(&world.platform, TRANSFERS, &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.json());
    assert_eq!(answer.header("location"), Some("/v1/views"));
    let body = answer.json();
    let both =
        json!([{ "family": "eth_sandbox", "generation": 1 }, { "family": "eth_other", "generation": 1 }]);
    assert_eq!((&body["view"], &body["families"]), (&json!("transfers"), &both));
    assert!(body["token"].is_string());
    let registry = world.log.registry();
    for slug in ["eth_sandbox", "eth_other"] {
        let family = Family::Chain(Slug::try_new(slug).expect("a slug"));
        let stream = view_generation_id(&registry, &family, "transfers");
        let events = world.log.read_stream(stream.into(), 0, 10).await.expect("reads");
        let [asked] = events.as_slice() else {
            panic!("{slug}: {events:?}")
        };
        let payload: serde_json::Value = serde_json::from_slice(&asked.payload).expect("JSON");
        let wanted = json!({ "family": slug, "reason": "rows were damaged", "view": "transfers" });
        assert_eq!(
            (asked.envelope.event_type.as_str(), payload),
            ("view_generation.requested", wanted)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuild_should_be_asked_for_once_under_one_key() {
    let world = World::start().await;
    let key = [("idempotency-key", "again")];
    let body = json!({ "family": "eth_sandbox" });
    let first = world.post_with(&world.platform, TRANSFERS, &key, &body).await;
    assert_eq!(
        (first.status, first.header("idempotency-replayed")),
        (StatusCode::ACCEPTED, None)
    );
    let registry = world.log.registry();
    let family = Family::Chain(Slug::try_new("eth_sandbox").expect("a slug"));
    let id = view_generation_id(&registry, &family, "transfers");
    let start = ViewGenerationCommand::Start {
        reason: "asked".into(),
        view: "transfers".into(),
    };
    world
        .run(ChangeViewGeneration {
            id,
            organization: platform_organization(&registry),
            command: start,
        })
        .await;
    let before = world.heads().await;
    let again = world.post_with(&world.platform, TRANSFERS, &key, &body).await;
    assert_eq!(
        (again.bytes.clone(), again.header("idempotency-replayed")),
        (first.bytes.clone(), Some("true")),
        "a retry hears of its own request, though it has begun"
    );
    let other = world.post(&world.platform, TRANSFERS, &body).await;
    assert_eq!(
        (other.status, other.code().as_str()),
        (StatusCode::CONFLICT, "state-conflict")
    );
    let detail = other.json()["detail"].to_string();
    assert!(
        detail.contains("generation 2 of view transfers in family eth_sandbox"),
        "{detail}"
    );
    let all = world.post(&world.platform, TRANSFERS, &json!({})).await;
    assert_eq!(all.code(), "state-conflict", "all families or none");
    let reused = world
        .post_with(
            &world.platform,
            TRANSFERS,
            &key,
            &json!({ "family": "eth_other" }),
        )
        .await;
    assert_eq!(reused.code(), "idempotency-key-reused");
    assert_eq!(world.heads().await, before, "nothing was written by any of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuild_should_be_refused_to_tenants_and_for_what_does_not_exist() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let before = world.heads().await;
    let refused = world.post(&tenant, TRANSFERS, &json!({})).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::FORBIDDEN, "scope-missing")
    );
    let detail = refused.json()["detail"].to_string();
    assert!(
        detail.contains("platform organization") && detail.contains("`views:write`"),
        "{detail}"
    );
    let platform = &world.platform;
    for (path, body, status, refusal) in [
        (
            "/v1/views/nothing/rebuilds",
            json!({}),
            404,
            ("not-found", "view"),
        ),
        (
            TRANSFERS,
            json!({ "family": "core" }),
            400,
            ("invalid-field", "family"),
        ),
        (
            TRANSFERS,
            json!({ "reason": "" }),
            400,
            ("invalid-field", "reason"),
        ),
        (
            TRANSFERS,
            json!({ "generation": 3 }),
            400,
            ("unknown-field", "generation"),
        ),
    ] {
        let answer = world.post(platform, path, &body).await;
        let (code, field) = answer.refusal();
        assert_eq!(
            (answer.status.as_u16(), code.as_str(), field.as_str()),
            (status, refusal.0, refusal.1),
            "{body}"
        );
    }
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_should_be_asked_for_once_until_it_is_done() {
    let world = World::start().await;
    let path = "/v1/views/transfers/retries";
    let body = json!({ "family": "eth_sandbox", "reason": "the row was put back" });
    let key = [("idempotency-key", "again")];
    for replayed in [None, Some("true")] {
        let answer = world.post_with(&world.platform, path, &key, &body).await;
        assert_eq!(
            (answer.status, answer.header("idempotency-replayed")),
            (StatusCode::ACCEPTED, replayed),
            "{}",
            answer.json()
        );
        assert_eq!(answer.json()["families"], json!(["eth_sandbox"]));
    }
    let another = world.post(&world.platform, path, &body).await;
    assert_eq!(another.status, StatusCode::ACCEPTED, "the same request");
    let family = Family::Chain(Slug::try_new("eth_sandbox").expect("a slug"));
    let stream = view_generation_id(&world.log.registry(), &family, "transfers");
    let events = world.log.read_stream(stream.into(), 0, 10).await.expect("reads");
    let types: Vec<_> = events.iter().map(|e| e.envelope.event_type.as_str()).collect();
    assert_eq!(types, ["view_generation.retry_requested"]);
    let tenant = world.tenant("Acme").await;
    assert_eq!(world.post(&tenant, path, &body).await.code(), "scope-missing");
    let unknown = world
        .post(&world.platform, "/v1/views/nothing/retries", &json!({}))
        .await;
    assert_eq!(unknown.code(), "not-found");
}
