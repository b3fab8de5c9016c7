//! One installation in a temporary directory, with a platform key and two tenants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use vaultstream_chain_evm::checksummed;
use vaultstream_command_api::{Options, Services, ServicesParts, router};
use vaultstream_domain::organization::{IssueApiKey, OrganizationCommand, RegisterOrganization, scope};
use vaultstream_domain::platform::platform_organization;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_domain::ports::{EventLog, Faucet, Ids};
use vaultstream_domain::transfer::{ChangeTransfer, TransferCommand};
use vaultstream_domain::vault::{AccountCommand, ChangeAccount};
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::chain::{AssetSettings, BlockRef, ChainHead, ChainSettings};
use vaultstream_event_schemas::organization::v1::{Approval, KeyIssued};
use vaultstream_event_schemas::token::MacKey;
use vaultstream_event_schemas::transfer::v1::Screened;
use vaultstream_event_schemas::vault::v1::{AccountOpened, BalanceObserved};
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, ApiKeyId, AssetId, ChainId, CommandId, Family, OrganizationId, ShardNumber,
    Slug, TransferId, VaultId, id,
};
use vaultstream_gateway::catalogue::{Catalogue, ChainHeads};
use vaultstream_gateway::credential::Secret;
use vaultstream_gateway::kept::Kept;
use vaultstream_gateway::limit::Quota;
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions};
use vaultstream_infra_keystore::{Keystore, Options as KeystoreOptions};
use vaultstream_infra_runtime::{
    DEFAULT_CACHE_BYTES, MemoryCache, SystemClock, SystemIds, SystemRng, TokioSpawn,
};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, Synchronous};
use vaultstream_kernel::{
    Executor, LogBus, MarkStanding, NewestCheckpoint, Options as ExecutorOptions, Ports, TracingObserver,
};

pub const CHAIN: &str = "eip155:31337";
pub const ETHER: &str = "eip155:31337/slip44:60";
pub const DESTINATION: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const ONE_ETHER: u128 = 1_000_000_000_000_000_000;

/// A sandbox's faucet that keeps what it was asked for.
#[derive(Default)]
pub struct FaucetCalls(pub Mutex<Vec<(String, Amount)>>);

#[async_trait]
impl Faucet for FaucetCalls {
    async fn fund(&self, address: &str, minor: Amount) -> Result<(), NodeError> {
        self.0
            .lock()
            .expect("not poisoned")
            .push((address.to_owned(), minor));
        Ok(())
    }
}

struct NoHeads;
impl ChainHeads for NoHeads {
    fn head(&self, _: &ChainId) -> Option<ChainHead> {
        None
    }
}

pub struct World {
    pub log: Arc<SqliteLog>,
    pub executor: Executor,
    pub credentials: Credentials,
    pub faucet: Arc<FaucetCalls>,
    pub platform: Tenant,
    router: Router,
    stop: CancellationToken,
    _directory: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An organization and a key that may do everything.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub organization: OrganizationId,
    pub key: ApiKeyId,
    pub text: String,
}

/// A vault with one open account that holds ten ether.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub vault: VaultId,
    pub account: AccountId,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
    /// Code and first field of a problem, `""` for none.
    pub fn refusal(&self) -> (String, String) {
        let body = self.json();
        let text = |v: &Value| v.as_str().unwrap_or("").to_owned();
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}: {body}",
            self.status
        );
        assert_eq!(body["status"], self.status.as_u16());
        assert!(
            !text(&body["remedy"]).is_empty() && !text(&body["requestId"]).is_empty(),
            "{body}"
        );
        (text(&body["code"]), text(&body["errors"][0]["field"]))
    }
    pub fn code(&self) -> String {
        self.refusal().0
    }
}

pub fn chain_id() -> ChainId {
    ChainId::try_new(CHAIN).expect("a chain")
}

fn chains() -> Vec<ChainSettings> {
    let asset = |id: &str| AssetSettings {
        id: AssetId::try_new(id).expect("valid"),
        symbol: "ETH".into(),
        decimals: 18,
    };
    let chain = |id: &str, slug: &str, sandbox| ChainSettings {
        id: ChainId::try_new(id).expect("valid"),
        slug: Slug::try_new(slug).expect("valid"),
        name: slug.into(),
        sandbox,
        assets: vec![asset(&format!("{id}/slip44:60"))],
    };
    vec![
        chain(CHAIN, "eth_sandbox", true),
        chain("eip155:2", "eth_other", false),
    ]
}

fn chain_families() -> Vec<Family> {
    chains().into_iter().map(|c| Family::Chain(c.slug)).collect()
}

impl World {
    pub async fn start() -> Self {
        Self::with(DoorParts::DEFAULT_QUOTAS).await
    }

    pub async fn with((per_credential, per_address): (Quota, Quota)) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let families = vec![(Family::Core, 2), (Family::Audit, 1)]
            .into_iter()
            .chain(chains().into_iter().map(|c| (Family::Chain(c.slug), 2)))
            .collect();
        let options = LogOptions {
            synchronous: Synchronous::Normal,
            ..LogOptions::new(directory.path().join("log.sqlite"), families)
        };
        let log = Arc::new(SqliteLog::open(&options).expect("opens"));
        let port: Arc<dyn EventLog> = log.clone();
        let clock = Arc::new(SystemClock);
        let spawn = Arc::new(TokioSpawn::new(tokio::runtime::Handle::current()));
        let stop = CancellationToken::new();
        let ports = Ports {
            log: port.clone(),
            clock: clock.clone(),
            spawn: spawn.clone(),
            observer: Arc::new(TracingObserver),
        };
        let executor = Executor::start(ExecutorOptions::default(), ports, stop.clone());
        let bus = Arc::new(LogBus::new(port.clone()));
        let known = Directory::start(port.clone(), bus, clock.clone(), &*spawn)
            .await
            .expect("starts");
        let credentials = Credentials::new(known.clone(), clock.clone());
        let door = Door::new(DoorParts {
            credentials: credentials.clone(),
            clock: clock.clone(),
            per_credential,
            per_address,
        });
        let keystore = KeystoreOptions {
            dir: directory.path().join("keys"),
            passphrase: None,
        };
        let faucet = Arc::new(FaucetCalls::default());
        let platform = platform_organization(&log.registry());
        let services = Services::new(ServicesParts {
            log: port,
            executor: executor.clone(),
            directory: known,
            credentials: credentials.clone(),
            keyring: Arc::new(Keystore::open(&keystore).expect("opens")),
            clock,
            ids: Arc::new(SystemIds),
            rng: Arc::new(SystemRng),
            catalogue: Catalogue::new(chains()),
            heads: Arc::new(NoHeads),
            nodes: BTreeMap::new(),
            faucets: BTreeMap::from([(chain_id(), faucet.clone() as Arc<dyn Faucet>)]),
            tokens: MacKey::new([7; 32]),
            kept: Kept::new(
                Arc::new(MemoryCache::new(Arc::new(SystemClock), DEFAULT_CACHE_BYTES)),
                Arc::new(()),
                MacKey::new([7; 32]),
            ),
            platform,
            marks: MarkStanding::holds(),
            checkpoint: NewestCheckpoint::none(),
            views: BTreeMap::from([("directory", vec![Family::Core]), ("transfers", chain_families())]),
            options: Options::default(),
        });
        let edge = Edge::new(&EdgeOptions::default(), Arc::new(SystemIds));
        let router = edge.wrap(router(services, &door));
        let platform = tenant_of(&executor, platform, "Platform").await;
        Self {
            log,
            executor,
            credentials,
            faucet,
            platform,
            router,
            stop,
            _directory: directory,
        }
    }

    /// Runs a use case as the platform itself.
    pub async fn run(&self, use_case: impl Transact + 'static) {
        self.executor
            .execute(context(), Arc::new(use_case))
            .await
            .expect("taken");
    }

    /// A new organization with a key that may do everything.
    pub async fn tenant(&self, name: &str) -> Tenant {
        let bare = SystemIds.next();
        let shard = self
            .log
            .registry()
            .place(&Family::Core, bare)
            .expect("core exists");
        tenant_of(
            &self.executor,
            OrganizationId::from_uuid(id::with_shard(bare, shard)),
            name,
        )
        .await
    }

    /// A key of a tenant with these scopes.
    pub async fn key(&self, tenant: &Tenant, scopes: &[&str]) -> Tenant {
        issue(
            &self.executor,
            tenant.organization,
            scopes.iter().map(|s| (*s).to_owned()).collect(),
        )
        .await
    }

    /// A vault with one open account that holds ten ether.
    pub async fn held(&self, tenant: &Tenant) -> Held {
        let body = json!({ "name": "Operations", "chains": [CHAIN] });
        let created = self.post(tenant, "/v1/vaults", &body).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.json());
        let created = created.json();
        let text = |v: &Value| v.as_str().expect("text").to_owned();
        let held = Held {
            vault: text(&created["id"]).parse().expect("a vault"),
            account: text(&created["accounts"][0]["id"]).parse().expect("an account"),
        };
        self.open(tenant, held.account, held.vault).await;
        held
    }

    /// Gives an account an address and ten ether, as a workflow would.
    pub async fn open(&self, tenant: &Tenant, account: AccountId, vault: VaultId) {
        let mut bytes = [0u8; 20];
        bytes.copy_from_slice(
            &account.uuid().as_bytes()[..16]
                .iter()
                .chain(&[1, 2, 3, 4])
                .copied()
                .collect::<Vec<_>>(),
        );
        let address = checksummed(&bytes.into());
        let change = |command| ChangeAccount {
            account,
            organization: tenant.organization,
            vault,
            expected: None,
            command,
        };
        self.run(change(AccountCommand::Open(AccountOpened {
            address,
            public_key: "02".into(),
        })))
        .await;
        let observed = BalanceObserved {
            asset: AssetId::try_new(ETHER).expect("valid"),
            block: BlockRef {
                hash: format!("0x{:064x}", 1),
                height: 1,
            },
            minor: Amount::from_u128(10 * ONE_ETHER),
        };
        self.run(change(AccountCommand::ObserveBalance(observed))).await;
    }

    /// Records that a transfer waits for one approval, as screening would.
    pub async fn screen(&self, tenant: &Tenant, transfer: TransferId, held: Held) {
        let command = TransferCommand::RecordScreening(Screened {
            approvals_needed: 1,
            rule: "approval: one".into(),
        });
        self.run(ChangeTransfer {
            transfer,
            account: held.account,
            organization: tenant.organization,
            vault: held.vault,
            expected: None,
            command,
        })
        .await;
    }

    /// Where every shard of the log stands.
    pub async fn heads(&self) -> BTreeMap<ShardNumber, u64> {
        self.log
            .heads()
            .await
            .expect("heads")
            .into_iter()
            .map(|(shard, head)| (shard, head.position))
            .collect()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("a router never fails");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 8 << 20).await.expect("whole").to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    pub async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:8080");
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).expect("a request"))
            .await
    }

    pub async fn get(&self, tenant: &Tenant, path: &str) -> Answer {
        self.call(Method::GET, path, &[("authorization", &tenant.bearer())], vec![])
            .await
    }

    pub async fn post(&self, tenant: &Tenant, path: &str, body: &Value) -> Answer {
        self.post_with(tenant, path, &[], body).await
    }

    pub async fn post_with(
        &self,
        tenant: &Tenant,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let bearer = tenant.bearer();
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.call(Method::POST, path, &all, body.to_string().into_bytes())
            .await
    }

    /// Requests a transfer under an Idempotency-Key.
    pub async fn transfer(&self, tenant: &Tenant, key: &str, body: &Value) -> Answer {
        self.post_with(tenant, "/v1/transfers", &[("idempotency-key", key)], body)
            .await
    }
}

impl Tenant {
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.text)
    }
}

/// A request for a transfer of one ether.
pub fn one_ether(held: Held) -> Value {
    json!({
        "vaultId": held.vault.to_string(),
        "asset": ETHER,
        "amount": ONE_ETHER.to_string(),
        "destination": DESTINATION,
    })
}

pub fn context() -> CommandContext {
    CommandContext {
        actor: Actor::system("test"),
        command: CommandId::from_uuid(SystemIds.next()),
        causation: None,
        trace: None,
    }
}

async fn tenant_of(executor: &Executor, organization: OrganizationId, name: &str) -> Tenant {
    let command = OrganizationCommand::Register {
        name: name.into(),
        approval: Approval::One,
        contact: None,
    };
    let register = RegisterOrganization {
        organization,
        command,
    };
    executor
        .execute(context(), Arc::new(register))
        .await
        .expect("registered");
    issue(executor, organization, scope::all()).await
}

async fn issue(executor: &Executor, organization: OrganizationId, mut scopes: Vec<String>) -> Tenant {
    scopes.sort_unstable();
    let secret = Secret::generate(&SystemRng);
    let key = ApiKeyId::from_uuid(id::with_shard(SystemIds.next(), organization.shard()));
    let issue = KeyIssued {
        expires_at: None,
        name: "test".into(),
        organization,
        scopes,
        secret_sha256: secret.sha256_hex(),
    };
    executor
        .execute(context(), Arc::new(IssueApiKey { key, issue }))
        .await
        .expect("issued");
    Tenant {
        organization,
        key,
        text: secret.text_for(key),
    }
}
