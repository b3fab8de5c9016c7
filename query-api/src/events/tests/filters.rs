//! Filters, strangers, and what is refused.

use serde_json::Value;
use vaultstream_event_schemas::token::Positions;
use vaultstream_event_schemas::{Hlc, OrganizationId};

use super::{AUDITS, READS, of, sorted};
use crate::places::moment_of;
use crate::rest::tests::{Rest, code};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_should_leave_exactly_what_they_name() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    let held = rest.world.vault(&me, "Mine").await;
    let mut transfers = Vec::new();
    for height in 2..40 {
        rest.world.balance(&me, held, 5, height).await;
        transfers.push(rest.world.transfer(&me, held).await);
    }
    let truth = of(&rest.truth().await, &me);
    let only = |test: &dyn Fn(&Value) -> bool| truth.iter().filter(|e| test(e)).cloned().collect::<Vec<_>>();

    let (found, _) = rest.all(&me, &format!("&stream={}", held.account), 5).await;
    let account = held.account.to_string();
    assert_eq!(sorted(found), only(&|e| e["subjectId"] == account.as_str()));
    let (found, _) = rest.all(&me, &format!("&stream={}", transfers[3]), 5).await;
    assert_eq!(found.len(), 1);

    let (found, _) = rest.all(&me, "&type=transfer.requested,vault.created", 9).await;
    assert_eq!(
        sorted(found),
        only(&|e| e["type"] == "transfer.requested" || e["type"] == "vault.created")
    );
    let (found, _) = rest
        .all(&me, &format!("&organization={}", me.organization), 50)
        .await;
    assert_eq!(sorted(found), truth);

    let clock = |event: &Value| event["hlc"].as_u64().expect("a clock");
    let mut clocks: Vec<u64> = truth.iter().map(clock).collect();
    clocks.sort_unstable();
    let (from, until) = (clocks[clocks.len() / 3], clocks[2 * clocks.len() / 3]);
    let named = |clock: u64| moment_of(Hlc(clock)).to_string();
    let (found, _) = rest
        .all(&me, &format!("&from={}&until={}", named(from), named(until)), 6)
        .await;
    assert_eq!(
        sorted(found),
        only(&|e| (from..=until).contains(&clock(e))),
        "both ends are within"
    );
    let page = rest
        .get(&me, &format!("/v1/events?until={}&limit=200", named(until)))
        .await;
    assert_eq!(page["nextCursor"], Value::Null, "nothing can follow");
    let page = rest.get(&me, "/v1/events?from=now").await;
    assert_eq!(
        (page["items"].as_array().map(Vec::len), &page["nextCursor"]),
        (Some(0), &Value::Null)
    );
    let cursor = page["cursor"]
        .as_str()
        .expect("where a later read goes on")
        .to_owned();
    rest.world.balance(&me, held, 6, 50).await;
    let (found, _) = rest.all(&me, &format!("&cursor={cursor}"), 50).await;
    assert_eq!(found.len(), 1, "what happened since");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_should_get_nothing() {
    let rest = Rest::start().await;
    let (me, you) = (rest.world.tenant(READS).await, rest.world.tenant(READS).await);
    let held = rest.world.vault(&me, "Mine").await;
    let transfer = rest.world.transfer(&me, held).await;
    rest.world.vault(&you, "Yours").await;
    let (found, _) = rest.all(&you, "", 50).await;
    let own = you.organization.to_string();
    assert!(!found.is_empty() && found.iter().all(|e| e["organizationId"] == own.as_str()));
    let never = OrganizationId::from_uuid(rest.world.history.key().uuid());
    for filter in [
        format!("stream={transfer}"),
        format!("stream={}", held.account),
        format!("organization={}", me.organization),
        format!("organization={never}"),
    ] {
        let (status, _, body) = rest.call(&you, &format!("/v1/events?{filter}"), None).await;
        assert_eq!(
            (status.as_u16(), code(&body)),
            (404, "not-found"),
            "{filter}: {body}"
        );
    }
    // a tenant's key with the auditors' scope is a tenant's key
    let curious = rest.world.tenant(AUDITS).await;
    let (status, _, body) = rest
        .call(
            &curious,
            &format!("/v1/events?organization={}", me.organization),
            None,
        )
        .await;
    assert_eq!((status.as_u16(), code(&body)), (404, "not-found"), "{body}");
    let (found, _) = rest.all(&curious, "", 50).await;
    let own = curious.organization.to_string();
    assert!(found.iter().all(|e| e["organizationId"] == own.as_str()));
    let blind = rest.world.tenant(&["vaults:read"]).await;
    let (status, _, body) = rest.call(&blind, "/v1/events", None).await;
    assert_eq!((status.as_u16(), code(&body)), (403, "scope-missing"));
    let auditor = rest.auditor(&["audit:read", "vaults:read"]).await;
    let (status, _, body) = rest.call(&auditor, "/v1/events", None).await;
    assert_eq!(
        (status.as_u16(), code(&body)),
        (403, "scope-missing"),
        "the operation's own scope counts first"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_should_be_refused_by_its_name() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    let held = rest.world.vault(&me, "Mine").await;
    let token = rest.world.services.mac.seal_token(&Positions::default());
    let (_, good) = rest.all(&me, "", 50).await;
    let types = vec!["transfer.completed"; 65].join(",");
    for (query, wanted, field) in [
        ("limit=0".to_owned(), "invalid-field", "limit"),
        ("limit=201".to_owned(), "invalid-field", "limit"),
        ("from=tomorrow".to_owned(), "invalid-field", "from"),
        ("from=2999-01-01T00:00:00Z".to_owned(), "invalid-field", "from"),
        ("until=2999-01-01T00:00:00Z".to_owned(), "invalid-field", "until"),
        ("until=yesterday".to_owned(), "invalid-field", "until"),
        (
            "from=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z".to_owned(),
            "invalid-field",
            "until",
        ),
        ("stream=nothing".to_owned(), "invalid-field", "stream"),
        ("organization=trf_1".to_owned(), "invalid-field", "organization"),
        ("type=claim.bound".to_owned(), "invalid-field", "type"),
        (
            "type=".to_owned() + &types.replace("completed", "never"),
            "invalid-field",
            "type",
        ),
        ("cursor=AAAA".to_owned(), "cursor-invalid", "cursor"),
        (format!("cursor={token}"), "cursor-invalid", "cursor"),
        (format!("cursor={good}&from=now"), "invalid-field", "from"),
        ("colour=red".to_owned(), "unknown-field", "colour"),
        ("limit=1&limit=2".to_owned(), "invalid-field", "limit"),
    ] {
        let (status, _, body) = rest.call(&me, &format!("/v1/events?{query}"), None).await;
        assert_eq!(
            (status.as_u16(), code(&body), body["errors"][0]["field"].as_str()),
            (400, wanted, Some(field)),
            "{query}: {body}"
        );
    }
    let (status, _, body) = rest
        .text(&me, "/v1/events?limit=5", &[("accept", "text/event-stream")])
        .await;
    assert_eq!(status.as_u16(), 400, "{body}");
    let again = [("accept", "text/event-stream"), ("last-event-id", "nonsense")];
    let (status, _, body) = rest.text(&me, "/v1/events", &again).await;
    assert!(
        status.as_u16() == 400 && body.contains("cursor-invalid"),
        "{body}"
    );
    for stream in [
        held.vault.to_string().replace("vlt_", "trf_"),
        "vlt_06gywnjy01r01zzzzz00000004".into(),
    ] {
        let (status, _, body) = rest.call(&me, &format!("/v1/events?stream={stream}"), None).await;
        assert!(matches!(status.as_u16(), 400 | 404), "{stream}: {body}");
    }
}
