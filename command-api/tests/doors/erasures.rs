//! Erasures at the door: named, confirmed, done once, and only by whom the subject belongs to.

use http::StatusCode;
use serde_json::{Value, json};
use vaultstream_domain::organization::{ChangeOrganization, OrganizationCommand};
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::StreamId;

use crate::world::{Answer, Tenant, World, one_ether};

const ERASURES: &str = "/v1/erasures";

async fn noted(world: &World, tenant: &Tenant, memo: Option<&str>) -> String {
    let mut body = one_ether(world.held(tenant).await);
    body["memo"] = json!(memo);
    let key = if memo.is_some() { "noted" } else { "plain" };
    let accepted = world.transfer(tenant, key, &body).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.json());
    accepted.json()["id"].as_str().expect("an id").to_owned()
}

async fn erase(world: &World, by: &Tenant, key: &str, subject: &str, data: &[&str]) -> Answer {
    let body = json!({ "subject": subject, "data": data, "grounds": "request" });
    world
        .post_with(by, ERASURES, &[("idempotency-key", key)], &body)
        .await
}

async fn events(world: &World, stream: &str) -> Vec<(String, Value)> {
    let stream: StreamId = stream.parse().expect("a stream");
    let events = world.log.read_stream(stream, 0, 20).await.expect("reads");
    let read = |payload: &[u8]| serde_json::from_slice(payload).expect("JSON");
    let told = events
        .iter()
        .map(|e| (e.envelope.event_type.clone(), read(&e.payload)));
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn memo_should_die_once_and_the_log_say_by_whose_wish() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let transfer = noted(&world, &tenant, Some("for Ada")).await;
    let place = format!("{ERASURES}/{transfer}");
    let found = world.get(&tenant, &place).await.json();
    assert_eq!(found["data"], json!([{ "name": "memo", "status": "held" }]));
    assert_eq!(
        (&found["keyDestroyed"], &found["erasedAt"]),
        (&json!(false), &Value::Null)
    );

    let erased = erase(&world, &tenant, "once", &transfer, &["memo"]).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.json());
    let first = erased.json();
    assert_eq!(first["data"], json!([{ "name": "memo", "status": "erased" }]));
    assert_eq!(
        (&first["keyDestroyed"], &first["grounds"]),
        (&json!(true), &json!("request"))
    );
    assert_eq!(first["erasedBy"], format!("key:{}", tenant.key));
    assert!(first["erasedAt"].is_string() && erased.header("vaultstream-token").is_some());
    for (key, replayed) in [("once", Some("true")), ("twice", None)] {
        let again = erase(&world, &tenant, key, &transfer, &["memo"]).await;
        assert_eq!(again.header("idempotency-replayed"), replayed);
        let again = again.json();
        for field in ["data", "erasedAt", "erasedBy", "event", "keyDestroyed"] {
            assert_eq!(again[field], first[field], "{field}");
        }
    }
    let told = events(&world, &transfer).await;
    let last = told.last().expect("two events");
    assert_eq!(
        (told.len(), last),
        (
            2,
            &("transfer.memo_erased".to_owned(), json!({ "grounds": "request" }))
        )
    );
    // The request is answered as before, whatever its memo says now: no hash of one is kept to compare.
    let held = world.get(&tenant, &place).await;
    assert_eq!(
        held.json()["data"],
        json!([{ "name": "memo", "status": "erased" }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn contact_should_be_erased_by_its_organization_or_the_platform_and_not_be_taken_again() {
    let world = World::start().await;
    let (tenant, stranger) = (world.tenant("Acme").await, world.tenant("Other").await);
    let contact = json!({ "email": "ada@acme.example", "name": "Ada" });
    let body = json!({ "name": "Known", "contact": contact });
    let key = [("idempotency-key", "known")];
    let registered = world
        .post_with(&world.platform, "/v1/organizations", &key, &body)
        .await;
    let organization = registered.json()["id"].as_str().expect("an id").to_owned();
    let refused = erase(&world, &stranger, "k", &organization, &["contact"]).await;
    assert_eq!(refused.code(), "not-found");
    // It works for one that may do nothing else any more.
    let command = OrganizationCommand::Suspend {
        reason: "review".into(),
    };
    let suspend = ChangeOrganization {
        organization: organization.parse().expect("an organization"),
        expected: None,
        command,
    };
    world.run(suspend).await;
    let erased = erase(&world, &world.platform, "k", &organization, &["contact"]).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.json());
    let told = events(&world, &organization).await;
    assert_eq!(
        told.last().map(|(event, _)| event.as_str()),
        Some("organization.contact_erased")
    );
    // A late retry of the registration gets its answer, and seals nothing for a subject without a key.
    let again = world
        .post_with(&world.platform, "/v1/organizations", &key, &body)
        .await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (StatusCode::CREATED, Some("true"))
    );
    let none = erase(
        &world,
        &tenant,
        "n",
        &tenant.organization.to_string(),
        &["contact"],
    )
    .await;
    assert_eq!(none.code(), "state-conflict", "there was no contact");
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_should_be_refused_unless_it_names_what_dies() {
    let world = World::start().await;
    let (tenant, stranger) = (world.tenant("Acme").await, world.tenant("Other").await);
    let (transfer, plain) = (
        noted(&world, &tenant, Some("for Ada")).await,
        noted(&world, &tenant, None).await,
    );
    let before = world.heads().await;
    for data in [&[][..], &["contact"], &["memo", "contact"], &["memo", "memo"]] {
        let refused = erase(&world, &tenant, "k", &transfer, data).await;
        assert_eq!(
            refused.refusal(),
            ("invalid-field".into(), "data".into()),
            "{data:?}"
        );
    }
    for (by, subject, code) in [
        (&stranger, transfer.as_str(), "not-found"),
        (&world.platform, transfer.as_str(), "not-found"),
        (&tenant, plain.as_str(), "state-conflict"),
        (&tenant, "trf_nothing", "not-found"),
        (&tenant, tenant.key.to_string().as_str(), "not-found"),
    ] {
        let refused = erase(&world, by, "k", subject, &["memo"]).await;
        assert_eq!(refused.code(), code, "{subject}");
    }
    let body = json!({ "subject": transfer, "data": ["memo"], "grounds": "request" });
    let unnamed = world.post(&tenant, ERASURES, &body).await;
    assert_eq!(unnamed.code(), "idempotency-key-required");
    let free = json!({ "subject": transfer, "data": ["memo"], "grounds": "because Ada asked" });
    let refused = world
        .post_with(&tenant, ERASURES, &[("idempotency-key", "k")], &free)
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.json());
    assert_eq!(
        world.heads().await,
        before,
        "nothing was claimed and nothing said"
    );
}
