//! The REST reads over a real log and real views.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;
use vaultstream_domain::organization::scope;
use vaultstream_domain::platform::platform_organization;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::transfer::execution_id;
use vaultstream_event_schemas::TransferId;
use vaultstream_event_schemas::chain::{Block, BlockRef, ChainHead, Intent, RawTransaction};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::execution::v1::{Included, Queued, Signed};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::transfer::v1::{Approved, ExecutionStarted, Screened};
use vaultstream_event_schemas::{Amount, ShardNumber, Timestamp};
use vaultstream_gateway::operation::{Access, Room};
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions, operations};
use vaultstream_infra_runtime::{SystemClock, SystemIds};
use vaultstream_kernel::LogBus;

use super::{RestParts, router};
use crate::rig::Tasks;
use crate::rig::world::{Held, Tenant, World, ether};
use crate::services::{HeadSeen, Heads};

/// A world with the REST reads in front of it.
pub(super) struct Rest {
    pub world: World,
    router: Router,
}

impl Rest {
    pub async fn start() -> Self {
        let world = World::start().await;
        let clock = Arc::new(SystemClock);
        let log = world.history.port();
        let bus = Arc::new(LogBus::new(log.clone()));
        let directory = Directory::start(log, bus, clock.clone(), &Tasks)
            .await
            .expect("starts");
        let (per_credential, per_address) = DoorParts::DEFAULT_QUOTAS;
        let credentials = Credentials::new(directory, clock.clone());
        let door = Door::new(DoorParts {
            credentials,
            clock,
            per_credential,
            per_address,
        });
        let parts = RestParts {
            services: world.services.clone(),
            platform: platform_organization(&world.history.log.registry()),
        };
        let edge = Edge::new(&EdgeOptions::default(), Arc::new(SystemIds));
        let router = edge.wrap(router(parts, &door));
        Self { world, router }
    }

    pub async fn call(
        &self,
        tenant: &Tenant,
        path: &str,
        tag: Option<&str>,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::get(path)
            .header("host", "127.0.0.1")
            .header("authorization", &tenant.bearer);
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("a router never fails");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 4 << 20).await.expect("whole");
        (
            parts.status,
            parts.headers,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    pub async fn get(&self, tenant: &Tenant, path: &str) -> Value {
        self.call(tenant, path, None).await.2
    }

    async fn tenant(&self) -> Tenant {
        let all = scope::all();
        self.world
            .tenant(&all.iter().map(String::as_str).collect::<Vec<_>>())
            .await
    }
}

fn code(body: &Value) -> &str {
    body["code"].as_str().unwrap_or("no problem")
}

fn etag(headers: &HeaderMap) -> String {
    headers["etag"].to_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn single_resources_should_be_as_fresh_as_the_log() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    // No waiting for views: what was appended a moment ago is here.
    let vault = rest.get(&tenant, &format!("/v1/vaults/{}", held.vault)).await;
    assert_eq!(
        (vault["name"].as_str(), vault["tier"].as_str()),
        (Some("Operations"), Some("hot"))
    );
    assert_eq!(vault["accounts"][0]["status"], "open");
    let account = rest.get(&tenant, &format!("/v1/accounts/{}", held.account)).await;
    assert_eq!(account["balances"][0]["amount"]["minor"], "5000000000000000000");
    let organization = rest
        .get(&tenant, &format!("/v1/organizations/{}", tenant.organization))
        .await;
    assert_eq!(organization["approval"], "none");
    let key = rest.get(&tenant, &format!("/v1/api-keys/{}", tenant.key)).await;
    assert_eq!(
        (key["status"].as_str(), key["key"].is_null()),
        (Some("active"), true)
    );
    assert!(!key.to_string().contains("sha256"), "hashes stay inside: {key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn seen_resource_should_not_be_sent_again_until_it_changes() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    let path = format!("/v1/accounts/{}", held.account);
    let (_, headers, body) = rest.call(&tenant, &path, None).await;
    assert_eq!(etag(&headers), format!("\"{}\"", body["version"]));
    assert_eq!(
        rest.call(&tenant, &path, Some(&etag(&headers))).await.0,
        StatusCode::NOT_MODIFIED
    );
    rest.world.balance(&tenant, held, 7, 2).await;
    let (status, _, body) = rest.call(&tenant, &path, Some(&etag(&headers))).await;
    assert_eq!(
        (status, body["balances"][0]["amount"]["minor"].as_str()),
        (StatusCode::OK, Some("7"))
    );
}

/// Carries a transfer into block 10.
async fn carry(rest: &Rest, tenant: &Tenant, held: Held, transfer: TransferId) {
    let history = &rest.world.history;
    let (organization, owner) = (tenant.organization, Owner::Vault(held.vault));
    let screened = Screened {
        approvals_needed: 1,
        rule: "approval: one".into(),
    };
    history.put(transfer, organization, owner, &screened).await;
    history
        .put(transfer, organization, owner, &Approved { approvals: 1 })
        .await;
    let execution = execution_id(transfer);
    history
        .put(transfer, organization, owner, &ExecutionStarted { execution })
        .await;
    let intent = Intent {
        amount: Amount::from_u128(1),
        asset: ether(),
        destination: "0xaa".into(),
        source: "0xbb".into(),
    };
    let queued = Queued {
        account: held.account,
        chain: ether().chain(),
        intent,
        transfers: vec![transfer],
    };
    history.put(execution, organization, owner, &queued).await;
    let transaction = RawTransaction {
        raw: "0x02".into(),
        txid: "0xfeed".into(),
    };
    history
        .put(
            execution,
            organization,
            owner,
            &Signed {
                attempt: 1,
                transaction,
            },
        )
        .await;
    let included = Included {
        block: BlockRef {
            hash: "0x10".into(),
            height: 10,
        },
        fee: Amount::from_u128(21_000),
        succeeded: true,
        txid: "0xfeed".into(),
    };
    history.put(execution, organization, owner, &included).await;
}

fn head(height: u64) -> HeadSeen {
    let block = BlockRef {
        hash: format!("0x{height:x}"),
        height,
    };
    let tip = Block {
        at: block.clone(),
        parent: "0x0".into(),
    };
    HeadSeen {
        head: ChainHead {
            finalized: block.clone(),
            safe: block,
            tip,
        },
        seen_at: Timestamp::from_micros(1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_should_show_its_executions_with_their_depth() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    let transfer = rest.world.transfer(&tenant, held).await;
    let path = format!("/v1/transfers/{transfer}");
    let body = rest.get(&tenant, &path).await;
    assert_eq!(
        (body["status"].as_str(), body["approvalsNeeded"].is_null()),
        (Some("requested"), true)
    );
    carry(&rest, &tenant, held, transfer).await;
    let (_, headers, body) = rest.call(&tenant, &path, None).await;
    assert_eq!(
        (body["status"].as_str(), body["version"].as_u64()),
        (Some("executing"), Some(4))
    );
    let execution = &body["executions"][0];
    assert_eq!(
        (execution["txid"].as_str(), execution["attempts"].as_u64()),
        (Some("0xfeed"), Some(1))
    );
    assert!(execution["confirmations"].is_null(), "no head, no depth");
    rest.world
        .heads
        .send(Heads::from([(ether().chain(), head(12))]))
        .expect("is read");
    let (status, _, deeper) = rest.call(&tenant, &path, Some(&etag(&headers))).await;
    assert_eq!(
        status,
        StatusCode::OK,
        "a deeper block is news, though the transfer has no new event"
    );
    assert_eq!(deeper["executions"][0]["confirmations"], 3);
    assert!(
        etag(&headers).starts_with("\"4."),
        "If-Match looks at the version in it"
    );
    rest.world.settled().await;
    let listed = rest.get(&tenant, "/v1/transfers").await["items"][0].clone();
    for field in [
        "id",
        "status",
        "amount",
        "destination",
        "executions",
        "version",
        "approvalsNeeded",
    ] {
        assert_eq!(listed[field], deeper[field], "{field}: list and single agree");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_should_page_without_gaps_or_doubles() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    for _ in 0..7 {
        rest.world.transfer(&tenant, held).await;
    }
    rest.world.settled().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rest
            .get(&tenant, &format!("/v1/transfers?limit=3&cursor={cursor}"))
            .await;
        let items = page["items"].as_array().expect("items").clone();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|i| i["id"].as_str().expect("an id").to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    seen.dedup();
    assert_eq!(seen.len(), 7, "{seen:?}");
    let vaults = rest.get(&tenant, "/v1/vaults?name=oper&status=active").await;
    assert_eq!(vaults["items"][0]["accounts"][0]["status"], "open");
    assert_eq!(
        rest.get(&tenant, "/v1/vaults?status=archived").await["items"],
        Value::Array(vec![])
    );
    assert_eq!(
        rest.get(&tenant, "/v1/api-keys").await["items"][0]["id"],
        tenant.key.to_string()
    );
    assert_eq!(
        rest.get(&tenant, "/v1/sessions").await["items"][0]["status"],
        "active"
    );
    let own = rest.get(&tenant, "/v1/organizations").await;
    assert_eq!(
        own["items"].as_array().map(Vec::len),
        Some(1),
        "a tenant sees itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cursor_should_open_only_its_own_list() {
    let rest = Rest::start().await;
    let (tenant, other) = (rest.tenant().await, rest.tenant().await);
    let held = rest.world.vault(&tenant, "Operations").await;
    for _ in 0..3 {
        rest.world.transfer(&tenant, held).await;
    }
    rest.world.settled().await;
    let page = rest.get(&tenant, "/v1/transfers?limit=1").await;
    let cursor = page["nextCursor"].as_str().expect("more").to_owned();
    let refused = [
        (
            &tenant,
            format!("/v1/transfers?limit=1&status=failed&cursor={cursor}"),
        ),
        (&tenant, format!("/v1/vaults?cursor={cursor}")),
        (&other, format!("/v1/transfers?cursor={cursor}")),
        (&tenant, "/v1/transfers?cursor=AAAA".to_owned()),
    ];
    for (who, path) in refused {
        let body = rest.get(who, &path).await;
        assert_eq!(
            (code(&body), body["errors"][0]["field"].as_str()),
            ("cursor-invalid", Some("cursor")),
            "{path}"
        );
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("status=done", "status"),
        ("vaultId=x", "vaultId"),
    ] {
        let body = rest.get(&tenant, &format!("/v1/transfers?{query}")).await;
        assert_eq!(
            (code(&body), body["errors"][0]["field"].as_str()),
            ("invalid-field", Some(field)),
            "{query}"
        );
    }
    assert_eq!(
        code(&rest.get(&tenant, "/v1/transfers?colour=red").await),
        "unknown-field"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn token_should_be_waited_for_or_said_to_be_ahead() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    let transfer = rest.world.transfer(&tenant, held).await;
    let shard = transfer.shard();
    let seal = |position| {
        let positions = Positions::one(
            shard,
            Place {
                incarnation: 1,
                position,
            },
        );
        rest.world.services.mac.seal_token(&positions)
    };
    let head = rest.world.history.log.heads().await.expect("heads")[&shard].position;
    let page = rest
        .get(&tenant, &format!("/v1/transfers?atLeast={}", seal(head)))
        .await;
    assert_eq!(
        page["items"][0]["id"],
        transfer.to_string(),
        "a read after a command sees it"
    );
    let (status, headers, ahead) = rest
        .call(
            &tenant,
            &format!("/v1/transfers?atLeast={}", seal(head + 99)),
            None,
        )
        .await;
    assert_eq!(
        (status, code(&ahead)),
        (StatusCode::SERVICE_UNAVAILABLE, "read-model-behind")
    );
    assert!(headers.contains_key("retry-after"));
    for path in ["/v1/transfers".to_owned(), format!("/v1/transfers/{transfer}")] {
        let body = rest.get(&tenant, &format!("{path}?atLeast=AAAA")).await;
        assert_eq!(
            (code(&body), body["errors"][0]["field"].as_str()),
            ("token-invalid", Some("atLeast"))
        );
    }
    assert_eq!(ShardNumber(2), shard);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_things_should_not_exist() {
    let rest = Rest::start().await;
    let (tenant, other) = (rest.tenant().await, rest.tenant().await);
    let held = rest.world.vault(&tenant, "Operations").await;
    let transfer = rest.world.transfer(&tenant, held).await;
    rest.world.settled().await;
    for path in [
        format!("/v1/vaults/{}", held.vault),
        format!("/v1/accounts/{}", held.account),
        format!("/v1/transfers/{transfer}"),
        format!("/v1/organizations/{}", tenant.organization),
        format!("/v1/api-keys/{}", tenant.key),
        format!("/v1/vaults/{transfer}"),
        "/v1/transfers/trf_nonsense".to_owned(),
    ] {
        let (status, _, body) = rest.call(&other, &path, None).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::NOT_FOUND, "not-found"),
            "{path}"
        );
    }
    for list in ["/v1/vaults", "/v1/transfers"] {
        assert_eq!(
            rest.get(&other, list).await["items"],
            Value::Array(vec![]),
            "{list}"
        );
    }
    let foreign = rest
        .get(&other, &format!("/v1/transfers?vaultId={}", held.vault))
        .await;
    assert_eq!(foreign["items"], Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn read_should_be_refused_without_its_scope() {
    let rest = Rest::start().await;
    for operation in operations::ALL.iter().filter(|o| o.room == Room::Reads) {
        let Access::Scope(needed) = operation.access else {
            continue;
        };
        let others: Vec<_> = scope::ALL
            .iter()
            .map(|(s, _)| *s)
            .filter(|s| *s != needed)
            .collect();
        let tenant = rest.world.tenant(&others).await;
        let path = operation.path.replace("{id}", "nothing");
        let (status, _, body) = rest.call(&tenant, &path, None).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::FORBIDDEN, "scope-missing"),
            "{}",
            operation.id
        );
        assert!(
            body["detail"].as_str().is_some_and(|d| d.contains(needed)),
            "{}",
            operation.id
        );
    }
}
