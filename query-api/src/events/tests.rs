//! Reads of events over a real log, through the door.

mod audit;
mod filters;
mod pages;
mod streams;

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;
use tower::ServiceExt;
use vaultstream_domain::platform::platform_organization;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::public_event::to_public;

use crate::rest::tests::Rest;
use crate::rig::world::Tenant;

/// What tenants may who read events.
const READS: &[&str] = &["events:read", "transfers:read", "vaults:read"];
/// What auditors may.
const AUDITS: &[&str] = &["audit:read", "events:read"];

impl Rest {
    async fn auditor(&self, scopes: &[&str]) -> Tenant {
        let platform = platform_organization(&self.world.history.log.registry());
        self.world.register(platform, scopes).await
    }

    async fn send(&self, tenant: &Tenant, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::get(path)
            .header("host", "127.0.0.1")
            .header("authorization", &tenant.bearer);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("a router never fails")
    }

    async fn text(
        &self,
        tenant: &Tenant,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, String) {
        let (head, body) = self.send(tenant, path, headers).await.into_parts();
        let bytes = axum::body::to_bytes(body, 8 << 20).await.expect("whole");
        (
            head.status,
            head.headers,
            String::from_utf8(bytes.to_vec()).expect("text"),
        )
    }

    /// Every page from a path on, and the cursor behind the last.
    async fn all(&self, tenant: &Tenant, filters: &str, limit: usize) -> (Vec<Value>, String) {
        let mut items = Vec::new();
        let mut path = format!("/v1/events?limit={limit}{filters}");
        loop {
            let page = self.get(tenant, &path).await;
            let found = page["items"]
                .as_array()
                .unwrap_or_else(|| panic!("a page: {page}"));
            assert!(found.len() <= limit, "{path}");
            items.extend(found.iter().cloned());
            let Some(next) = page["nextCursor"].as_str() else {
                return (items, page["cursor"].as_str().expect("a cursor").to_owned());
            };
            assert_eq!(page["cursor"], page["nextCursor"]);
            // the moment it began at is in the cursor
            let stays = |f: &&str| !f.starts_with("from=") && !f.starts_with("cursor=");
            let filters: Vec<_> = filters.split('&').filter(stays).collect();
            path = format!("/v1/events?limit={limit}&cursor={next}{}", filters.join("&"));
        }
    }

    /// The public events of the whole log, shard by shard.
    async fn truth(&self) -> Vec<Value> {
        let log = &self.world.history.log;
        let mut events = Vec::new();
        for (shard, head) in log.heads().await.expect("heads") {
            let stored = log.read_shard(shard, 0, 10_000).await.expect("read");
            assert_eq!(stored.len() as u64, head.position, "read whole");
            events.extend(stored.iter().filter_map(to_public));
        }
        events
            .into_iter()
            .map(|event| serde_json::to_value(event).expect("JSON"))
            .collect()
    }
}

/// Shard and position.
fn place(event: &Value) -> (u64, u64) {
    let number = |field: &str| event[field].as_u64().expect("a number");
    (number("shard"), number("position"))
}

/// In an order that does not depend on how shards were merged.
fn sorted(mut events: Vec<Value>) -> Vec<Value> {
    events.sort_by_key(place);
    events
}

/// The truth that a tenant may see.
fn of(truth: &[Value], tenant: &Tenant) -> Vec<Value> {
    let own = tenant.organization.to_string();
    truth
        .iter()
        .filter(|event| event["organizationId"] == own.as_str())
        .cloned()
        .collect()
}
