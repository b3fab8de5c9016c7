//! Auditors: they read what belongs to all, and each read is on record.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{AUDITS, READS, place, sorted};
use crate::events::record::MAX_QUESTIONS;
use crate::rest::tests::{Rest, code};
use crate::rig::world::Tenant;

/// What is on record, as an auditor reads it.
async fn records(rest: &Rest) -> Vec<Value> {
    let truth = rest.truth().await;
    truth
        .into_iter()
        .filter(|event| event["type"] == "audit.events_read")
        .collect()
}

fn actor(tenant: &Tenant) -> String {
    format!("key:{}", tenant.key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auditor_should_read_all_and_leave_a_record() {
    let rest = Rest::start().await;
    let (me, you) = (rest.world.tenant(READS).await, rest.world.tenant(READS).await);
    let held = rest.world.vault(&me, "Mine").await;
    rest.world.vault(&you, "Yours").await;
    let transfer = rest.world.transfer(&me, held).await;
    let auditor = rest.auditor(AUDITS).await;
    rest.all(&me, "", 50).await;
    assert_eq!(
        records(&rest).await,
        Vec::<Value>::new(),
        "a tenant's reads of its own are its own"
    );
    let truth = rest.truth().await;
    let page = rest.get(&auditor, "/v1/events?limit=200").await;
    let found = page["items"].as_array().expect("a page").clone();
    assert_eq!(sorted(found.clone()), truth, "everybody's");
    let recorded = records(&rest).await;
    assert_eq!(recorded.len(), 1, "before the answer");
    let (record, data) = (&recorded[0], &recorded[0]["data"]);
    assert_eq!(record["actor"], actor(&auditor).as_str());
    assert_eq!(
        record["organizationId"],
        auditor.organization.to_string().as_str()
    );
    assert_eq!(
        (data["reads"].as_u64(), data["events"].as_u64()),
        (Some(1), Some(found.len() as u64))
    );
    assert!(data["organization"].is_null() && data["stream"].is_null() && data["oldest"].is_string());
    assert_eq!(place(record).0, 1, "in the audit family");

    let one = format!(
        "/v1/events?organization={}&stream={transfer}&type=transfer.requested",
        me.organization
    );
    let page = rest.get(&auditor, &one).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    let data = records(&rest).await[1]["data"].clone();
    assert_eq!(data["organization"], me.organization.to_string().as_str());
    assert_eq!(
        (&data["stream"], &data["types"][0]),
        (&transfer.to_string().into(), &"transfer.requested".into())
    );

    // the auditor's own are not another's
    let before = records(&rest).await.len();
    rest.get(
        &auditor,
        &format!("/v1/events?organization={}", auditor.organization),
    )
    .await;
    assert_eq!(records(&rest).await.len(), before);
    // and what is on record is there for auditors to read
    let page = rest.get(&auditor, "/v1/events?type=audit.events_read").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_should_be_counted_not_flooded() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    let held = rest.world.vault(&me, "Mine").await;
    let auditor = rest.auditor(AUDITS).await;
    for _ in 0..50 {
        rest.get(&auditor, "/v1/events?limit=5").await;
    }
    assert_eq!(records(&rest).await.len(), 1, "the same question, once a window");
    let types = vaultstream_event_schemas::public_event::public_types();
    let types: BTreeSet<_> = types.into_iter().collect();
    for name in types.iter().take(35) {
        rest.get(&auditor, &format!("/v1/events?type={name}&stream={}", held.vault))
            .await;
    }
    let recorded = records(&rest).await;
    assert_eq!(
        recorded.len(),
        MAX_QUESTIONS,
        "what is beyond counts as asking about everything, which is on record"
    );
    // the process ends: what was counted is written
    rest.world.drain.send(true).expect("is heard");
    let written = async {
        loop {
            let recorded = records(&rest).await;
            let reads: u64 = recorded.iter().filter_map(|r| r["data"]["reads"].as_u64()).sum();
            if reads == 85 {
                return recorded;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let recorded = tokio::time::timeout(std::time::Duration::from_secs(20), written)
        .await
        .expect("counted whole");
    assert!(recorded.len() <= MAX_QUESTIONS + 2, "{}", recorded.len());
    rest.get(&auditor, "/v1/events?limit=5").await;
    let reads: u64 = records(&rest)
        .await
        .iter()
        .filter_map(|r| r["data"]["reads"].as_u64())
        .sum();
    assert_eq!(
        reads, 86,
        "while the process drains every read is written at once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platform_keys_without_the_scope_should_audit_nothing() {
    let rest = Rest::start().await;
    let me = rest.world.tenant(READS).await;
    rest.world.vault(&me, "Mine").await;
    let operator = rest.auditor(READS).await;
    let page = rest.get(&operator, "/v1/events?limit=200").await;
    let own = operator.organization.to_string();
    let items = page["items"].as_array().expect("a page");
    assert!(items.iter().all(|event| event["organizationId"] == own.as_str()));
    let path = format!("/v1/events?organization={}", me.organization);
    let (status, _, body) = rest.call(&operator, &path, None).await;
    assert_eq!((status.as_u16(), code(&body)), (403, "scope-missing"), "{body}");
    assert!(
        body["detail"].as_str().is_some_and(|d| d.contains("audit:read")),
        "{body}"
    );
    assert_eq!(records(&rest).await, Vec::<Value>::new());
}
