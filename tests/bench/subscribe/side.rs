//! A query side in this process, and a writer that appends to its log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, StreamAppend};
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_event_schemas::chain::{AssetSettings, ChainSettings};
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner};
use vaultstream_event_schemas::organization::v1::{Approval, KeyIssued, Registered};
use vaultstream_event_schemas::payload::{Encoded, encode};
use vaultstream_event_schemas::token::MacKey;
use vaultstream_event_schemas::transfer::v1::{Approved, Requested};
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, ApiKeyId, CommandId, Family, OrganizationId, ShardNumber, StreamId, Timestamp,
    TransferId, VaultId, id,
};
use vaultstream_gateway::credential::Secret;
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions};
use vaultstream_infra_runtime::{SystemClock, SystemIds, SystemRng, TokioSpawn};
use vaultstream_infra_sqlite::{Options, SqliteLog, SqliteViews, ViewOptions};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{LogBus, Tailer, TracingObserver};
use vaultstream_projectors::projector::{
    Projector, ProjectorOptions, ProjectorParts, Source, SwitchGenerations,
};
use vaultstream_projectors::{Generations, Reads, ReadsParts, ViewName, Watermarks};
use vaultstream_query_api::hub::{Hub, HubParts};
use vaultstream_query_api::{Heads, Services, Unobserved};

const ASSET: &str = "eip155:31337/slip44:60";
const CORE: ShardNumber = ShardNumber(0);
const CHAIN: ShardNumber = ShardNumber(2);

/// Nothing is rebuilt here.
struct NoRebuild;

#[async_trait]
impl SwitchGenerations for NoRebuild {
    async fn start(&self, _: &Family, _: ViewName, _: &str) -> Result<u32, Source> {
        Err("the bench rebuilds nothing".into())
    }
    async fn switch(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        Err("the bench rebuilds nothing".into())
    }
    async fn abandon(&self, _: &Family, _: ViewName, _: &str) -> Result<(), Source> {
        Ok(())
    }
}

/// A query side.
pub struct Side {
    log: Arc<SqliteLog>,
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
        let log = Arc::new(SqliteLog::open(&Options::new(
            directory.join("log.sqlite"),
            families,
        ))?);
        let port: Arc<dyn EventLog> = log.clone();
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
        let services = Services {
            log: Arc::clone(&port),
            reads,
            hub,
            chains: Arc::from([chain()?]),
            heads: heads_seen,
            mac: MacKey::new([1; 32]),
            clock: clock.clone(),
            observer: Arc::new(Unobserved),
            drain: draining,
        };
        let bus = Arc::new(LogBus::new(Arc::clone(&port)));
        let directory = Directory::start(port, bus, clock.clone(), &spawn).await?;
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
            log,
            address,
            _signals: (heads, drain),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// An organization with a key that may read, and a writer of its transfers.
    pub async fn writer(&self) -> Result<(Writer, String)> {
        let incarnation = self
            .log
            .heads()
            .await?
            .get(&CHAIN)
            .context("no chain shard")?
            .incarnation;
        let placed = |shard, n| id::with_shard(id::random(1_800_000_000_000, n), shard);
        let mut writer = Writer {
            log: Arc::clone(&self.log),
            organization: OrganizationId::from_uuid(placed(CORE, 1)),
            incarnation,
            vault: VaultId::from_uuid(placed(CORE, 2)),
            transfer: TransferId::from_uuid(placed(CHAIN, 3)),
            heads: BTreeMap::new(),
            serial: 0,
        };
        let registered = Registered {
            approval: Approval::None,
            contact: None,
            name: "Bench".into(),
        };
        writer
            .put(
                writer.organization.into(),
                Owner::Itself,
                vec![encode(&registered)?],
            )
            .await?;
        let (key, secret) = (ApiKeyId::from_uuid(placed(CORE, 4)), Secret::generate(&SystemRng));
        let issued = KeyIssued {
            expires_at: None,
            name: "bench".into(),
            organization: writer.organization,
            scopes: vec!["events:read".into()],
            secret_sha256: secret.sha256_hex(),
        };
        writer
            .put(key.into(), Owner::Itself, vec![encode(&issued)?])
            .await?;
        let requested = Requested {
            account: AccountId::from_uuid(placed(CHAIN, 5)),
            amount: Amount::from_u128(1),
            asset: ASSET.parse()?,
            destination: "0x00000000000000000000000000000000000000aa".into(),
            expires_at: Timestamp::from_micros(4_000_000_000_000_000),
            external_id: None,
            fee_max: None,
            memo: None,
            vault: writer.vault,
        };
        writer
            .put(
                writer.transfer.into(),
                Owner::Vault(writer.vault),
                vec![encode(&requested)?],
            )
            .await?;
        Ok((writer, format!("Bearer {}", secret.text_for(key))))
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
        switch: Arc::new(NoRebuild),
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

/// Appends to the log of a side.
pub struct Writer {
    log: Arc<SqliteLog>,
    organization: OrganizationId,
    incarnation: u32,
    vault: VaultId,
    transfer: TransferId,
    heads: BTreeMap<StreamId, (u64, Hash)>,
    serial: u128,
}

impl Writer {
    /// Approves a transfer some times; answers the events' names.
    pub async fn approve(&mut self, times: u32) -> Result<Vec<String>> {
        let events = (0..times)
            .map(|n| encode(&Approved { approvals: n }))
            .collect::<Result<_, _>>()?;
        self.put(self.transfer.into(), Owner::Vault(self.vault), events)
            .await
    }

    async fn put(&mut self, stream: StreamId, owner: Owner, events: Vec<Encoded>) -> Result<Vec<String>> {
        let (expected, mut previous) = self.heads.get(&stream).copied().unwrap_or((0, GENESIS));
        let mut hashed = Vec::with_capacity(events.len());
        for (sequence, event) in (expected + 1..).zip(events) {
            let event =
                HashedEvent::try_new(self.envelope(stream, owner, sequence, &event), event, previous)?;
            previous = event.hash;
            hashed.push(event);
        }
        let names = hashed
            .iter()
            .map(|e| e.envelope.event_ref().to_string())
            .collect::<Vec<_>>();
        let written = u64::try_from(names.len())?;
        let streams = vec![StreamAppend {
            stream,
            expected,
            events: hashed,
        }];
        let answer = self
            .log
            .append(
                vec![AppendCommand {
                    shard: stream.shard(),
                    streams,
                }],
                None,
            )
            .await?
            .pop();
        let Some(AppendOutcome::Committed { .. }) = answer else {
            bail!("not committed: {answer:?}")
        };
        self.heads.insert(stream, (expected + written, previous));
        Ok(names)
    }

    fn envelope(&mut self, stream: StreamId, owner: Owner, sequence: u64, event: &Encoded) -> Envelope {
        self.serial += 1;
        let command: Uuid = id::random(1_800_000_000_000, self.serial);
        Envelope {
            actor: Actor::system("bench"),
            causation: None,
            command: CommandId::from_uuid(command),
            incarnation: self.incarnation,
            occurred_at: Timestamp::from_micros(1_800_000_000_000_000),
            organization: self.organization,
            owner,
            sequence,
            shard: stream.shard(),
            stream,
            trace: None,
            event_type: event.event_type.to_owned(),
            version: event.version,
        }
    }
}
