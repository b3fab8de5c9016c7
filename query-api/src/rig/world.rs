//! A whole query side: log, views, door, router, and a server on a free port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use vaultstream_domain::ports::keyring::seal;
use vaultstream_domain::ports::{Cache, EventLog, ViewStore};
use vaultstream_event_schemas::chain::{AssetSettings, BlockRef, ChainSettings};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::organization::v1::{
    Approval, KeyIssued, KeyRevoked, Registered, SessionOpened,
};
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::token::{MacKey, Place, Positions};
use vaultstream_event_schemas::transfer::v1::{Memo, Requested};
use vaultstream_event_schemas::vault::v1::{
    AccountAdded, AccountOpened, AccountRequested, BalanceObserved, Custody, Tier, VaultCreated,
};
use vaultstream_event_schemas::{
    AccountId, Amount, ApiKeyId, AssetId, ChainId, OrganizationId, SessionId, Slug, Timestamp, TransferId,
    VaultId,
};
use vaultstream_gateway::credential::Secret;
use vaultstream_gateway::kept::{CountLookups, Kept};
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions, Principal, ScopeSet};
use vaultstream_infra_keystore::{Keystore, Options as KeystoreOptions};
use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, MemoryCache, SystemClock, SystemIds, SystemRng};
use vaultstream_infra_sqlite::{SqliteViews, ViewOptions};
use vaultstream_kernel::{Executor, LogBus, Options as ExecutorOptions, Ports, TracingObserver};
use vaultstream_projectors::projector::Projector;
use vaultstream_projectors::{Generations, Reads, ReadsParts, ViewName, Watermarks};

use super::recorder::Recorder;
use super::{CHAIN, Heard, History, Tasks, families, fold, hub_parts, prepared};
use crate::answers::Answers;
use crate::drain::Drain;
use crate::hub::{Hub, HubParts};
use crate::services::{Heads, Services};

/// The native asset of the rig's chain.
pub const ETHER: &str = "eip155:31337/slip44:60";

/// How long sockets stay when the world drains.
pub const NOTICE: Duration = Duration::from_millis(300);
/// Within what they end then.
pub const SPREAD: Duration = Duration::from_secs(2);

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
    /// What is read of the views.
    pub recorder: Arc<Recorder>,
    door: Arc<Door>,
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

impl Tenant {
    /// Its key, as the door would let it in.
    pub fn principal(&self) -> Arc<Principal> {
        Arc::new(Principal {
            organization: self.organization,
            organization_status: OrganizationStatus::Active,
            key: self.key,
            session: None,
            scopes: ScopeSet::of(&["events:read", "transfers:read", "vaults:read"]),
            expires_at: None,
        })
    }
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

fn behind_edge(router: Router) -> Router {
    Edge::new(&EdgeOptions::default(), Arc::new(SystemIds)).wrap(router)
}

/// Sends a request to a router.
pub async fn sent(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router
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

impl World {
    /// Starts everything over an empty log.
    pub async fn start() -> Self {
        let (world, projector) = Self::unfolded().await;
        fold(projector);
        world
    }

    /// Starts everything but the folding of views.
    pub async fn unfolded() -> (Self, Projector) {
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
        let projector = prepared(&history, &store, &generations, &watermarks).await;
        let recorder = Arc::new(Recorder::new(store));
        let reads = Reads::new(ReadsParts {
            store: recorder.clone(),
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
        let mac = MacKey::new([9; 32]);
        let keys = KeystoreOptions {
            dir: history.directory.path().join("keys"),
            passphrase: None,
        };
        let cache = Arc::new(MemoryCache::new(clock.clone(), DEFAULT_CACHE_BYTES));
        let services = Services {
            log: history.port(),
            reads,
            hub,
            answers: Answers::new(Kept::new(cache, Arc::new(()), mac.clone()), &[chain()]),
            keyring: Arc::new(Keystore::open(&keys).expect("opens")),
            chains: Arc::from([chain()]),
            heads: heads_seen,
            mac,
            clock: clock.clone(),
            observer: heard.clone(),
            drain: Drain::new(draining, NOTICE, SPREAD),
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
        let router = behind_edge(crate::router(services.clone(), door.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = router.clone();
        tokio::spawn(async move { axum::serve(listener, served).await });
        let world = Self {
            history,
            heard,
            services,
            heads,
            drain,
            address,
            recorder,
            door,
            router,
        };
        (world, projector)
    }

    /// The same world behind doors that keep their answers elsewhere.
    pub fn keeping(&self, cache: Arc<dyn Cache>, counts: Arc<dyn CountLookups>) -> Router {
        let services = Services {
            answers: Answers::new(
                Kept::new(cache, counts, self.services.mac.clone()),
                &self.services.chains,
            ),
            ..self.services.clone()
        };
        behind_edge(crate::router(services, self.door.clone()))
    }

    /// Registers an organization with a key of these scopes and a session that may do the same.
    pub async fn tenant(&self, scopes: &[&str]) -> Tenant {
        self.register(self.history.organization(), scopes).await
    }

    /// The same, as a certain organization.
    pub async fn register(&self, organization: OrganizationId, scopes: &[&str]) -> Tenant {
        let history = &self.history;
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

    /// An executor on the same log; it ends with the test.
    pub fn executor(&self) -> Executor {
        let ports = Ports {
            log: self.history.port(),
            clock: Arc::new(SystemClock),
            spawn: Arc::new(Tasks),
            observer: Arc::new(TracingObserver),
        };
        Executor::start(ExecutorOptions::default(), ports, CancellationToken::new())
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
        self.request(tenant, held, transfer, None).await;
        transfer
    }

    /// Requests a transfer of one ether with a note.
    pub async fn request(&self, tenant: &Tenant, held: Held, transfer: TransferId, note: Option<&str>) {
        let mut memo = None;
        if let Some(note) = note {
            let subject = transfer.to_string();
            let note = Memo(note.to_owned());
            let sealed = seal(self.services.keyring.as_ref(), &subject, &note).await;
            memo = Some(sealed.expect("sealed"));
        }
        let requested = Requested {
            account: held.account,
            amount: Amount::from_u128(1_000_000_000_000_000_000),
            asset: ether(),
            destination: "0x00000000000000000000000000000000000000aa".into(),
            expires_at: Timestamp::from_micros(1_800_000_600_000_000),
            external_id: None,
            fee_max: None,
            memo,
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
    }

    /// Waits until every view has folded all there is, and subscribers were told.
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
        let published = async {
            while !self.has_published(&all) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), published).await;
        in_time.expect("published in time");
    }

    fn has_published(&self, all: &Positions) -> bool {
        let published = self.services.hub.published();
        all.0.iter().all(|(shard, place)| {
            let known = published.0.get(shard);
            known.is_some_and(|known| known.position >= place.position)
        })
    }

    /// Sends a request to the router as it is.
    pub async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        sent(&self.router, request).await
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
