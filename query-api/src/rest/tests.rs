//! The REST reads over a real log and real views.

mod freshness;
mod lists;
mod refusals;

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
pub(crate) struct Rest {
    pub world: World,
    pub router: Router,
}

impl Rest {
    pub async fn start() -> Self {
        Self::over(World::start().await).await
    }

    pub async fn over(world: World) -> Self {
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
            executor: world.executor(),
            spawn: Arc::new(Tasks),
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

pub(crate) fn code(body: &Value) -> &str {
    body["code"].as_str().unwrap_or("no problem")
}

fn etag(headers: &HeaderMap) -> String {
    headers["etag"].to_str().expect("text").to_owned()
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
