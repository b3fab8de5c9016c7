//! A query side in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_event_schemas::Family;
use vaultstream_event_schemas::chain::{AssetSettings, ChainSettings};
use vaultstream_event_schemas::token::MacKey;
use vaultstream_gateway::kept::Kept;
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions};
use vaultstream_infra_keystore::{Keystore, Options as KeystoreOptions};
use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, MemoryCache, SystemClock, SystemIds, TokioSpawn};
use vaultstream_infra_sqlite::{Options, SqliteLog, SqliteViews, ViewOptions};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{LogBus, Tailer, TracingObserver};
use vaultstream_projectors::projector::{Projector, ProjectorOptions, ProjectorParts};
use vaultstream_projectors::{Generations, NoRebuilds, Reads, ReadsParts, Watermarks};
use vaultstream_query_api::answers::Answers;
use vaultstream_query_api::hub::{Hub, HubParts};
use vaultstream_query_api::{Drain, Heads, Services, Unobserved};

use crate::tenant::ASSET;

/// A query side.
pub struct Side {
    log: Arc<dyn EventLog>,
    address: SocketAddr,
    /// Kept, because a sender that is gone would end its receivers.
    _signals: (watch::Sender<Heads>, watch::Sender<bool>),
}

fn chain() -> Result<ChainSettings> {
    Ok(ChainSettings {
        id: "eip155:31337".parse()?,
        slug: "eth_sandbox".parse()?,
        name: "Ethereum sandbox".into(),
        sandbox: true,
        assets: vec![AssetSettings {
            id: ASSET.parse()?,
            symbol: "ETH".into(),
            decimals: 18,
        }],
    })
}

impl Side {
    /// Starts everything over an empty log, durable as in production.
    pub async fn start(directory: &Path) -> Result<Self> {
        let families = vec![
            (Family::Core, 1),
            (Family::Audit, 1),
            (Family::Chain(chain()?.slug), 1),
        ];
        let names = families.iter().map(|(family, _)| family.clone()).collect();
        let port: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&Options::new(
            directory.join("log.sqlite"),
            families,
        ))?);
        let store: Arc<dyn ViewStore> = Arc::new(SqliteViews::open(&ViewOptions::new(
            directory.join("views"),
            names,
        ))?);
        let reads = project(&port, &store).await?;
        let (clock, spawn) = (Arc::new(SystemClock), TokioSpawn::new(Handle::current()));
        let parts = HubParts {
            log: Arc::clone(&port),
            folded: Arc::new(reads.clone()),
            clock: clock.clone(),
            observer: Arc::new(Unobserved),
        };
        let hub = Hub::init(parts, &spawn).await?;
        let (heads, heads_seen) = watch::channel(Heads::new());
        let (drain, draining) = watch::channel(false);
        let mac = MacKey::new([1; 32]);
        let keys = KeystoreOptions {
            dir: directory.join("keys"),
            passphrase: None,
        };
        let cache = Arc::new(MemoryCache::new(clock.clone(), DEFAULT_CACHE_BYTES));
        let services = Services {
            log: Arc::clone(&port),
            reads,
            hub,
            answers: Answers::new(Kept::new(cache, Arc::new(()), mac.clone()), &[chain()?]),
            keyring: Arc::new(Keystore::open(&keys)?),
            chains: Arc::from([chain()?]),
            heads: heads_seen,
            mac,
            clock: clock.clone(),
            observer: Arc::new(Unobserved),
            drain: Drain::new(draining, Duration::ZERO, Duration::ZERO),
        };
        let bus = Arc::new(LogBus::new(Arc::clone(&port)));
        let directory = Directory::start(Arc::clone(&port), bus, clock.clone(), &spawn).await?;
        let (per_credential, per_address) = DoorParts::DEFAULT_QUOTAS;
        let credentials = Credentials::new(directory, clock.clone());
        let door = Door::new(DoorParts {
            credentials,
            clock,
            per_credential,
            per_address,
        });
        let edge = Edge::new(&EdgeOptions::default(), Arc::new(SystemIds));
        let router = edge.wrap(vaultstream_query_api::router(services, door));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            log: port,
            address,
            _signals: (heads, drain),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log.
    pub fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log)
    }
}

async fn project(log: &Arc<dyn EventLog>, store: &Arc<dyn ViewStore>) -> Result<Reads> {
    let clock = Arc::new(SystemClock);
    let (generations, watermarks) = (
        Arc::new(Generations::new(&BTreeMap::new())),
        Arc::new(Watermarks::default()),
    );
    let bus = Arc::new(LogBus::new(Arc::clone(log)));
    let observer = Arc::new(TracingObserver);
    let projector = Projector::new(ProjectorParts {
        store: Arc::clone(store),
        log: Arc::clone(log),
        tailer: Tailer::new(
            bus,
            Arc::clone(log),
            clock.clone(),
            observer,
            TailOptions::default(),
        ),
        clock: clock.clone(),
        spawn: Arc::new(TokioSpawn::new(Handle::current())),
        registry: log.registry(),
        generations: Arc::clone(&generations),
        watermarks: Arc::clone(&watermarks),
        switch: Arc::new(NoRebuilds),
        observer: Arc::new(vaultstream_projectors::Unobserved),
        options: ProjectorOptions::default(),
    });
    projector.prepare().await?;
    tokio::spawn(async move { projector.run(CancellationToken::new()).await });
    Ok(Reads::new(ReadsParts {
        store: Arc::clone(store),
        clock,
        registry: log.registry(),
        chains: BTreeMap::from([(chain()?.id, chain()?.slug)]),
        generations,
        watermarks,
    }))
}
