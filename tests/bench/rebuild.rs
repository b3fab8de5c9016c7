//! Views: how fast projectors keep up with a backlog, all views of a family together, and how fast a view of a million
//! events is rebuilt while reads of it go on; no read may fail.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::Event;
use vaultstream_domain::execution::ExecutionEvent;
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_domain::transfer::TransferEvent;
use vaultstream_event_schemas::chain::{BlockRef, EvmPlan, Intent, Plan, RawTransaction};
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner};
use vaultstream_event_schemas::execution::v1 as ev1;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::transfer::v1 as tv1;
use vaultstream_event_schemas::{
    AccountId, Actor, CommandId, ExecutionId, Family, OrganizationId, ShardNumber, Slug, StreamId, Timestamp,
    TransferId, VaultId, id,
};
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, SqliteViews, Synchronous, ViewOptions};
use vaultstream_kernel::tailer::{TailOptions, Tailer};
use vaultstream_kernel::{LogBus, TracingObserver};
use vaultstream_projectors::read::{PageRequest, TransferFilter, TransferSort};
use vaultstream_projectors::{
    Generations, OnlyNumbers, Projector, ProjectorOptions, ProjectorParts, Reads, ReadsParts, ViewName,
    Watermarks,
};

use crate::line::BenchLine;

/// Events in the log.
const EVENTS: usize = 1_000_000;
/// Lives that go on at the same time; their events alternate in the log.
const ALONGSIDE: usize = 500;
const VAULTS: u128 = 200;
/// A version that no build reads.
const UNKNOWN: u16 = 9_999;
const START_US: i64 = 1_795_000_000_000_000;

/// Measures; the files lie in cargo's directory for such things, which is on a disk.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
    let node = Node::open(dir.path())?;
    let events = node.fill_log(EVENTS).await?;
    node.projector.prepare().await?;
    let shutdown = CancellationToken::new();
    let started = Instant::now();
    let running = tokio::spawn({
        let (projector, shutdown) = (node.projector.clone(), shutdown.clone());
        async move { projector.run(shutdown).await }
    });
    let heads = node.log.heads().await?;
    let place = |h: &vaultstream_domain::ports::event_log::Head| Place {
        incarnation: h.incarnation,
        position: h.position,
    };
    let positions = Positions(heads.iter().map(|(shard, head)| (*shard, place(head))).collect());
    node.reads.wait(&ViewName::ALL, &positions, 600_000).await?;
    let keep_up = per_second(events, started.elapsed());
    let stop = Arc::new(AtomicBool::new(false));
    let reading: Vec<_> = (0..2)
        .map(|_| tokio::spawn(read(node.reads.clone(), stop.clone())))
        .collect();
    let begun = Instant::now();
    let rebuilt = node
        .projector
        .rebuild(ViewName::Transfers, &node.family, "bench", &shutdown)
        .await?;
    let whole = begun.elapsed();
    stop.store(true, Ordering::SeqCst);
    let mut reads = 0;
    for reader in reading {
        reads += reader.await?.context("a read failed during the rebuild")?;
    }
    shutdown.cancel();
    running.await??;
    let fill = Duration::from_micros(rebuilt.fill_us);
    let rate = per_second(usize::try_from(rebuilt.events)?, fill);
    eprintln!(
        "rebuild: {} events in {fill:.1?}, compared and switched after {whole:.1?}, {reads} reads beside it",
        rebuilt.events
    );
    ensure!(
        rebuilt.same == Some(true) && reads > 0,
        "the rebuild must equal what it replaces"
    );
    out.push(BenchLine::at_least(
        "projectors, backlog, all views of a chain",
        keep_up,
        "events/s",
        20_000.0,
    ));
    out.push(BenchLine::at_least(
        "rebuild of 1,000,000 events, reads going on",
        rate,
        "events/s",
        100_000.0,
    ));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
pub fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn organization() -> OrganizationId {
    OrganizationId::from_uuid(id::with_shard(id::random(1, 1), ShardNumber(0)))
}

/// Pages through lists as a dashboard would, some hundred reads a second.
pub async fn read(reads: Reads, stop: Arc<AtomicBool>) -> Result<usize> {
    let mut count = 0;
    while !stop.load(Ordering::SeqCst) {
        let (filter, page) = (TransferFilter::default(), PageRequest::first(50));
        let list = reads
            .transfers(organization(), &filter, TransferSort::Newest, &page)
            .await?;
        ensure!(list.items.len() == 50, "the list is never empty");
        reads.totals(organization()).await?;
        count += 2;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(count)
}

pub struct Node {
    pub log: Arc<SqliteLog>,
    pub family: Family,
    pub projector: Projector,
    pub reads: Reads,
}

/// The one chain.
pub fn slug() -> Result<Slug> {
    Ok(Slug::try_new("eth_bench")?)
}

impl Node {
    pub fn open(dir: &Path) -> Result<Self> {
        let families = vec![Family::Core, Family::Chain(slug()?)];
        let store = Arc::new(SqliteViews::open(&ViewOptions::new(dir, families))?);
        Self::over(dir, store)
    }

    /// A log in a directory, views on any store.
    pub fn over(dir: &Path, store: Arc<dyn ViewStore>) -> Result<Self> {
        let slug = slug()?;
        let family = Family::Chain(slug.clone());
        let options = LogOptions {
            synchronous: Synchronous::Normal,
            ..LogOptions::new(dir.join("log.db"), vec![(Family::Core, 1), (family.clone(), 2)])
        };
        let log = Arc::new(SqliteLog::open(&options)?);
        let (registry, clock) = (log.registry(), Arc::new(SystemClock));
        let (generations, watermarks) = (Arc::new(Generations::default()), Arc::new(Watermarks::default()));
        let bus = Arc::new(LogBus::new(log.clone()));
        let observer = Arc::new(TracingObserver);
        let tailer = Tailer::new(bus, log.clone(), clock.clone(), observer, TailOptions::default());
        let projector = Projector::new(ProjectorParts {
            store: store.clone(),
            log: log.clone(),
            tailer,
            clock: clock.clone(),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            registry: registry.clone(),
            generations: generations.clone(),
            watermarks: watermarks.clone(),
            switch: Arc::new(OnlyNumbers::default()),
            observer: Arc::new(vaultstream_projectors::Unobserved),
            options: ProjectorOptions::default(),
        });
        let chains = BTreeMap::from([("eip155:31337".parse()?, slug)]);
        let reads = Reads::new(ReadsParts {
            store,
            clock,
            registry,
            chains,
            generations,
            watermarks,
        });
        Ok(Self {
            log,
            family,
            projector,
            reads,
        })
    }

    /// Lives of transfers, from request to finality, many at a time.
    pub async fn fill_log(&self, events: usize) -> Result<usize> {
        self.fill_log_with(events, |_| false).await
    }

    /// The same, where some lives hold an event that nobody can fold yet.
    pub async fn fill_log_with(&self, events: usize, is_poisoned: impl Fn(u128) -> bool) -> Result<usize> {
        let (mut written, mut number) = (0, 0u128);
        while written < events {
            let mut lives = Vec::new();
            for _ in 0..ALONGSIDE {
                lives.push(life(number, is_poisoned(number))?.into_iter());
                number += 1;
            }
            let mut batch = Vec::new();
            loop {
                let before = batch.len();
                batch.extend(lives.iter_mut().filter_map(Iterator::next));
                if batch.len() == before {
                    break;
                }
            }
            written += batch.len();
            for commands in batch.chunks(1_000) {
                self.log.append(commands.to_vec(), None).await?;
            }
        }
        Ok(written)
    }
}

/// One stream while its events are made.
struct Stream {
    id: StreamId,
    vault: VaultId,
    version: u64,
    hash: Hash,
}

impl Stream {
    fn append(&mut self, event: Event) -> Result<AppendCommand> {
        self.append_as(event, None)
    }

    /// The same, said to be of another version.
    fn append_as(&mut self, event: Event, version: Option<u16>) -> Result<AppendCommand> {
        let mut encoded = event.encode()?;
        encoded.version = version.unwrap_or(encoded.version);
        let envelope = Envelope {
            actor: Actor::system("bench"),
            causation: None,
            command: CommandId::from_uuid(self.id.id),
            incarnation: 1,
            occurred_at: Timestamp::from_micros(START_US),
            organization: organization(),
            owner: Owner::Vault(self.vault),
            sequence: self.version + 1,
            shard: self.id.shard(),
            stream: self.id,
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            event_type: encoded.event_type.to_owned(),
            version: encoded.version,
        };
        let event = HashedEvent::try_new(envelope, encoded, self.hash)?;
        self.hash = event.hash;
        let part = StreamAppend {
            stream: self.id,
            expected: self.version,
            events: vec![event],
        };
        self.version += 1;
        Ok(AppendCommand {
            shard: self.id.shard(),
            streams: vec![part],
        })
    }
}

/// The thirteen events of one transfer and its execution.
fn life(number: u128, is_poisoned: bool) -> Result<Vec<AppendCommand>> {
    let shard = ShardNumber(u16::try_from(number % 2)? + 1);
    let spread = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let at_ms = 1_795_000_000_000 + u64::try_from(number)?;
    let made = |salt: u128| id::with_shard(id::random(at_ms, spread ^ salt), shard);
    let vault = VaultId::from_uuid(id::with_shard(
        id::random(1, 2 * (number % VAULTS) + 2),
        ShardNumber(0),
    ));
    let account = AccountId::from_uuid(id::with_shard(id::random(1, 2 * (number % VAULTS) + 3), shard));
    let (transfer, execution) = (TransferId::from_uuid(made(1)), ExecutionId::from_uuid(made(2)));
    let stream = |id: StreamId| Stream {
        id,
        vault,
        version: 0,
        hash: GENESIS,
    };
    let (mut intent, mut moves) = (stream(transfer.into()), stream(execution.into()));
    let mut commands = Vec::new();
    for (at, event) in requested(account, vault, execution)?.into_iter().enumerate() {
        commands.push(intent.append_as(event.into(), (is_poisoned && at == 1).then_some(UNKNOWN))?);
    }
    for event in settled(number, account, transfer)? {
        commands.push(moves.append(event.into())?);
    }
    let (block, txid) = (block(number), txid(number));
    commands.push(
        intent.append(
            TransferEvent::from(tv1::Completed {
                block,
                fee: "21000".parse()?,
                txid,
            })
            .into(),
        )?,
    );
    Ok(commands)
}

fn requested(account: AccountId, vault: VaultId, execution: ExecutionId) -> Result<[TransferEvent; 4]> {
    Ok([
        tv1::Requested {
            account,
            amount: "1000000000000".parse()?,
            asset: "eip155:31337/slip44:60".parse()?,
            destination: "0x8617E340B3D01FA5F11F306F4090FD50E238070D".into(),
            expires_at: Timestamp::from_micros(START_US),
            external_id: None,
            fee_max: Some("1000000".parse()?),
            memo: None,
            vault,
        }
        .into(),
        tv1::Screened {
            approvals_needed: 1,
            rule: "one approval".into(),
        }
        .into(),
        tv1::Approved { approvals: 1 }.into(),
        tv1::ExecutionStarted { execution }.into(),
    ])
}

fn settled(number: u128, account: AccountId, transfer: TransferId) -> Result<[ExecutionEvent; 8]> {
    let plan = Plan::Evm(EvmPlan {
        chain_id: 31_337,
        data: "0x".into(),
        from: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
        gas_limit: 21_000,
        max_fee_per_gas: "2000000000".parse()?,
        max_priority_fee_per_gas: "1000000000".parse()?,
        nonce: u64::try_from(number)?,
        to: "0x8617E340B3D01FA5F11F306F4090FD50E238070D".into(),
        value: "1000000000000".parse()?,
    });
    let (fee, txid, block) = ("21000".parse()?, txid(number), block(number));
    Ok([
        ev1::Queued {
            account,
            chain: "eip155:31337".parse()?,
            intent: Intent {
                amount: "1000000000000".parse()?,
                asset: "eip155:31337/slip44:60".parse()?,
                destination: "0x8617E340B3D01FA5F11F306F4090FD50E238070D".into(),
                source: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
            },
            transfers: vec![transfer],
        }
        .into(),
        ev1::Planned { plan: plan.clone() }.into(),
        ev1::Bound {
            digest: txid.clone(),
            plan,
        }
        .into(),
        ev1::Signed {
            attempt: 1,
            transaction: RawTransaction {
                raw: format!("0x02{}", "ab".repeat(110)),
                txid: txid.clone(),
            },
        }
        .into(),
        ev1::BroadcastTried {
            attempt: 1,
            detail: "taken".into(),
            node: "n1".into(),
            outcome: ev1::BroadcastOutcome::Accepted,
        }
        .into(),
        ev1::Seen {
            node: "n1".into(),
            txid: txid.clone(),
        }
        .into(),
        ev1::Included {
            block: block.clone(),
            fee,
            succeeded: true,
            txid: txid.clone(),
        }
        .into(),
        ev1::Finalized {
            block,
            fee,
            succeeded: true,
            txid,
        }
        .into(),
    ])
}

fn block(number: u128) -> BlockRef {
    BlockRef {
        hash: format!("0x{:064x}", number / 100),
        height: u64::try_from(number / 100).unwrap_or(0),
    }
}

fn txid(number: u128) -> String {
    format!("0x{number:064x}")
}
