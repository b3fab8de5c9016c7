//! A whole query side: log, views, door, router, and a server on a free port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_event_schemas::chain::{AssetSettings, BlockRef, ChainSettings};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::organization::v1::{
    Approval, KeyIssued, KeyRevoked, Registered, SessionOpened,
};
use vaultstream_event_schemas::token::{MacKey, Place, Positions};
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::vault::v1::{
    AccountAdded, AccountOpened, AccountRequested, BalanceObserved, Custody, Tier, VaultCreated,
};
use vaultstream_event_schemas::{
    AccountId, Amount, ApiKeyId, AssetId, ChainId, OrganizationId, SessionId, Slug, Timestamp, TransferId,
    VaultId,
};
use vaultstream_gateway::credential::Secret;
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions};
use vaultstream_infra_runtime::{SystemClock, SystemIds, SystemRng};
use vaultstream_infra_sqlite::{SqliteViews, ViewOptions};
use vaultstream_kernel::LogBus;
use vaultstream_projectors::{Generations, Reads, ReadsParts, ViewName, Watermarks};

use super::{CHAIN, Heard, History, Tasks, families, hub_parts};
use crate::hub::{Hub, HubParts};
use crate::services::{Heads, Services};

/// The native asset of the rig's chain.
pub const ETHER: &str = "eip155:31337/slip44:60";

/// A whole query side.
pub struct World {
    /// The log.
    pub history: Arc<History>,
    /// What is read.
    pub services: Services,
    /// Where the chains stand.
    pub heads: watch::Sender<Heads>,
    /// Drains the sockets.
    pub drain: watch::Sender<bool>,
    /// What was told.
    pub heard: Arc<Heard>,
    /// Where the server listens.
    pub address: SocketAddr,
    router: Router,
}

/// A tenant with a key and a session.
pub struct Tenant {
    /// The organization.
    pub organization: OrganizationId,
    /// Its key.
    pub key: ApiKeyId,
    /// `Bearer …`.
    pub bearer: String,
    /// The session cookie.
    pub cookie: String,
}

/// A vault and its account.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The vault.
    pub vault: VaultId,
    /// Its account.
    pub account: AccountId,
}

fn chain() -> ChainSettings {
    ChainSettings {
        id: ChainId::try_new(CHAIN).expect("a chain"),
        slug: Slug::try_new("eth_sandbox").expect("a slug"),
        name: "Ethereum sandbox".into(),
        sandbox: true,
        assets: vec![AssetSettings {
            id: ether(),
            symbol: "ETH".into(),
            decimals: 18,
        }],
    }
}

/// The native asset.
pub fn ether() -> AssetId {
    AssetId::try_new(ETHER).expect("an asset")
}

impl World {
    /// Starts everything over an empty log.
    pub async fn start() -> Self {
        let history = Arc::new(History::new());
        let clock = Arc::new(SystemClock);
        let registered: Vec<_> = families().into_iter().map(|(family, _)| family).collect();
        let views = SqliteViews::open(&ViewOptions::new(
            history.directory.path().join("views"),
            registered,
        ));
        let store: Arc<dyn ViewStore> = Arc::new(views.expect("opens"));
        let generations = Arc::new(Generations::new(&BTreeMap::new()));
        let watermarks = Arc::new(Watermarks::default());
        super::project(&history, &store, &generations, &watermarks).await;
        let reads = Reads::new(ReadsParts {
            store,
            clock: clock.clone(),
            registry: history.log.registry(),
            chains: BTreeMap::from([(chain().id, chain().slug)]),
            generations,
            watermarks,
        });
        let heard = Arc::new(Heard::default());
        let parts = HubParts {
            observer: heard.clone(),
            ..hub_parts(&history, Arc::new(reads.clone()))
        };
        let hub = Hub::init(parts, &Tasks).await.expect("starts");
        let (heads, heads_seen) = watch::channel(Heads::new());
        let (drain, draining) = watch::channel(false);
        let services = Services {
            log: history.port(),
            reads,
            hub,
            chains: Arc::from([chain()]),
            heads: heads_seen,
            mac: MacKey::new([9; 32]),
            clock: clock.clone(),
            observer: heard.clone(),
            drain: draining,
        };
        let bus = Arc::new(LogBus::new(history.port()));
        let directory = Directory::start(history.port(), bus, clock.clone(), &Tasks)
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
        let edge = Edge::new(&EdgeOptions::default(), Arc::new(SystemIds));
        let router = edge.wrap(crate::router(services.clone(), door));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = router.clone();
        tokio::spawn(async move { axum::serve(listener, served).await });
        Self {
            history,
            heard,
            services,
            heads,
            drain,
            address,
            router,
        }
    }

    /// Registers an organization with a key of these scopes and a session that may do the same.
    pub async fn tenant(&self, scopes: &[&str]) -> Tenant {
        let history = &self.history;
        let organization = history.organization();
        let registered = Registered {
            approval: Approval::None,
            contact: None,
            name: "Acme".into(),
        };
        history
            .put(organization, organization, Owner::Itself, &registered)
            .await;
        let key = history.key();
        let secret = Secret::generate(&SystemRng);
        let mut scopes: Vec<String> = scopes.iter().map(|s| (*s).to_owned()).collect();
        scopes.sort();
        let issued = KeyIssued {
            expires_at: None,
            name: "test".into(),
            organization,
            scopes: scopes.clone(),
            secret_sha256: secret.sha256_hex(),
        };
        history.put(key, organization, Owner::Itself, &issued).await;
        let session = SessionId::from_uuid(history.key().uuid());
        let cookie = Secret::generate(&SystemRng);
        let opened = SessionOpened {
            expires_at: Timestamp::from_micros(4_000_000_000_000_000),
            key,
            scopes,
            secret_sha256: cookie.sha256_hex(),
        };
        history.put(session, organization, Owner::Itself, &opened).await;
        Tenant {
            organization,
            key,
            bearer: format!("Bearer {}", secret.text_for(key)),
            cookie: format!(
                "{}={}",
                vaultstream_client::SESSION_COOKIE,
                cookie.text_for(session)
            ),
        }
    }

    /// A tenant that may read everything.
    pub async fn reader(&self) -> Tenant {
        self.tenant(&["events:read", "transfers:read", "vaults:read"])
            .await
    }

    /// Revokes a tenant's key.
    pub async fn revoke(&self, tenant: &Tenant) {
        let revoked = KeyRevoked {
            reason: "test".into(),
        };
        self.history
            .put(tenant.key, tenant.organization, Owner::Itself, &revoked)
            .await;
    }

    /// A vault with one open account that holds ether.
    pub async fn vault(&self, tenant: &Tenant, name: &str) -> Held {
        let history = &self.history;
        let (vault, account) = (history.vault(), AccountId::from_uuid(history.on_chain(2)));
        let chain = chain().id;
        let created = VaultCreated {
            name: name.into(),
            tier: Tier::Hot,
        };
        history
            .put(vault, tenant.organization, Owner::Itself, &created)
            .await;
        let owner = Owner::Vault(vault);
        let requested = AccountRequested {
            chain: chain.clone(),
            custody: Custody::Software,
            vault,
        };
        history.put(account, tenant.organization, owner, &requested).await;
        let added = AccountAdded { account, chain };
        history
            .put(vault, tenant.organization, Owner::Itself, &added)
            .await;
        let opened = AccountOpened {
            address: format!("0x{:040x}", account.uuid().as_u128()),
            public_key: "02".into(),
        };
        history.put(account, tenant.organization, owner, &opened).await;
        let held = Held { vault, account };
        self.balance(tenant, held, 5_000_000_000_000_000_000, 1).await;
        held
    }

    /// Observes a balance at a height.
    pub async fn balance(&self, tenant: &Tenant, held: Held, wei: u128, height: u64) {
        let observed = BalanceObserved {
            asset: ether(),
            block: BlockRef {
                hash: format!("0x{height:064x}"),
                height,
            },
            minor: Amount::from_u128(wei),
        };
        self.history
            .put(
                held.account,
                tenant.organization,
                Owner::Vault(held.vault),
                &observed,
            )
            .await;
    }

    /// A requested transfer of one ether.
    pub async fn transfer(&self, tenant: &Tenant, held: Held) -> TransferId {
        let transfer = self.history.transfer(2);
        let requested = Requested {
            account: held.account,
            amount: Amount::from_u128(1_000_000_000_000_000_000),
            asset: ether(),
            destination: "0x00000000000000000000000000000000000000aa".into(),
            expires_at: Timestamp::from_micros(1_800_000_600_000_000),
            external_id: None,
            fee_max: None,
            memo: None,
            vault: held.vault,
        };
        self.history
            .put(
                transfer,
                tenant.organization,
                Owner::Vault(held.vault),
                &requested,
            )
            .await;
        transfer
    }

    /// Waits until every view has folded all there is.
    pub async fn settled(&self) {
        let heads = self.history.log.heads().await.expect("heads");
        let places = heads.into_iter().map(|(shard, head)| {
            (
                shard,
                Place {
                    incarnation: head.incarnation,
                    position: head.position,
                },
            )
        });
        let all = Positions(places.collect());
        self.services
            .reads
            .wait(&ViewName::ALL, &all, 20_000)
            .await
            .expect("folded in time");
    }

    /// Sends a request to the router as it is.
    pub async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("a router never fails");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4 * 1024 * 1024)
            .await
            .expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// A request to `POST /graphql` with a tenant's key.
    pub fn post(&self, tenant: &Tenant, body: Vec<u8>) -> Request<Body> {
        Request::post("/graphql")
            .header("host", "127.0.0.1")
            .header("authorization", &tenant.bearer)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .expect("a request")
    }

    /// Asks a query with a tenant's key.
    pub async fn ask(&self, tenant: &Tenant, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.send(self.post(tenant, body.into_bytes())).await.1
    }
}

/// The code of an answer's first error.
pub fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or("no code")
}
