//! Durable commands a second on PostgreSQL: 256 callers request transfers in 16 shards through the executor, each
//! waiting for its answer; against stock postgres-es with the same payload on the same server in the same run, at
//! whichever of three counts of callers is its best. Raw combined inserts of the same rows are printed beside. Then
//! the time of one command at half of that load, offered whether or not earlier ones are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use hdrhistogram::Histogram;
use postgres_es::PostgresEventRepository;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Executor as _, PgConnection, PgPool};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::ports::{Clock, EventLog, Ids};
use vaultstream_domain::transfer::{RequestTransfer, Transfer, TransferCommand};
use vaultstream_domain::vault::AccountEvent;
use vaultstream_domain::{CommandContext, Event};
use vaultstream_engines::Postgres;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, HashedEvent, Owner};
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::vault::v1;
use vaultstream_event_schemas::{
    AccountId, Actor, ApiKeyId, AssetId, CommandId, Family, OrganizationId, ShardNumber, Slug, TransferId,
    VaultId, canonical, id,
};
use vaultstream_infra_cqrs::Wrapped;
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions, baseline};
use vaultstream_infra_runtime::{SystemClock, SystemIds, TokioSpawn};
use vaultstream_kernel::{Executor, Options, Ports, TracingObserver};

use crate::line::BenchLine;

const CALLERS: usize = 256;
const SHARDS: u16 = 16;
const COMMANDS: usize = 256 * 400;
const WARM: usize = 256 * 40;
/// Stock is slow: fewer tell enough.
const STOCK_COMMANDS: usize = 256 * 80;
const STOCK_CALLERS: [usize; 3] = [64, 128, 256];
const HALF_LOAD: Duration = Duration::from_secs(8);
const UNIT: &str = "commands/s";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// The table of the postgres-es documentation.
const STOCK_TABLE: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
     sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
     payload json NOT NULL, metadata json NOT NULL, timestamp timestamptz DEFAULT current_timestamp, \
     PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// Measures, on a server of its own.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    // Room for both sides, so that neither is measured while the server catches up with the other's pages.
    let settings = [
        ("shared_buffers", "512MB"),
        ("max_wal_size", "8GB"),
        ("checkpoint_timeout", "30min"),
    ];
    let server = tokio::task::spawn_blocking(move || Postgres::with(&settings)).await??;
    let mut stock: f64 = 0.0;
    for callers in STOCK_CALLERS {
        stock = stock.max(measure_stock(&server.url(), callers).await?);
    }
    let bed = Bed::open(&database(&server.url(), "ours").await?).await?;
    bed.load(WARM).await?;
    let rate = bed.load(COMMANDS).await?;
    let p99_ms = bed.at(rate / 2.0).await?;
    let rows = bed.rows(COMMANDS).await?;
    let raw = raw(&database(&server.url(), "raw").await?, &rows).await?;
    out.push(BenchLine::against(
        "PostgreSQL: durable commands / stock postgres-es",
        rate,
        UNIT,
        stock,
        5.0,
    ));
    out.push(BenchLine::against(
        "PostgreSQL: durable commands / raw combined inserts",
        rate,
        UNIT,
        raw,
        0.3,
    ));
    out.push(BenchLine::at_most(
        "PostgreSQL: append p99 at half load",
        p99_ms,
        "ms",
        10.0,
    ));
    Ok(())
}

/// A new database on the server.
async fn database(server: &str, name: &str) -> Result<String> {
    let mut connection = PgConnection::connect(server).await?;
    connection
        .execute(format!("CREATE DATABASE {name}").as_str())
        .await?;
    connection.close().await?;
    let (server, _) = server.rsplit_once('/').context("a url names its database")?;
    Ok(format!("{server}/{name}"))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

type Stock =
    CqrsFramework<Wrapped<Transfer>, PersistedEventStore<PostgresEventRepository, Wrapped<Transfer>>>;

/// Stock commands a second: the framework loads nothing, decides, and commits one event of a new aggregate.
async fn measure_stock(server: &str, callers: usize) -> Result<f64> {
    let url = database(server, &format!("stock_{callers}")).await?;
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(64)
        .min_connections(64)
        .connect(&url)
        .await?;
    pool.execute(STOCK_TABLE).await?;
    let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool.clone()));
    let stock: Arc<Stock> = Arc::new(CqrsFramework::new(store, Vec::new(), ()));
    let request = request(ShardNumber(1))?.request;
    let commands = STOCK_COMMANDS / callers;
    let started = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (stock, request) = (Arc::clone(&stock), request.clone());
            tokio::spawn(async move {
                for _ in 0..commands {
                    let name = TransferId::from_uuid(id::with_shard(SystemIds.next(), ShardNumber(1)));
                    let notes = [
                        ("actor", format!("key:{}", ApiKeyId::from_uuid(name.uuid()))),
                        ("command", CommandId::from_uuid(SystemIds.next()).to_string()),
                        ("organization", OrganizationId::from_uuid(name.uuid()).to_string()),
                        ("occurredAt", SystemClock.now().to_string()),
                        ("trace", TRACE.to_owned()),
                    ];
                    let notes = notes
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect();
                    let command = TransferCommand::Request(request.clone());
                    stock
                        .execute_with_metadata(&name.to_string(), command, notes)
                        .await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    let count = callers.len() * commands;
    for caller in callers {
        caller.await??;
    }
    let rate = per_second(count, started.elapsed());
    eprintln!("stock postgres-es, {} callers: {rate:.0}/s", count / commands);
    pool.close().await;
    Ok(rate)
}

/// A request to spend a little from the account of a shard.
fn request(shard: ShardNumber) -> Result<RequestTransfer> {
    let fixed =
        |n: u128, shard| id::with_shard(id::random(1, n << 16 | u128::from(shard)), ShardNumber(shard));
    let vault = VaultId::from_uuid(fixed(1, 0));
    let asset: AssetId = "eip155:31337/slip44:60".parse()?;
    Ok(RequestTransfer {
        transfer: TransferId::from_uuid(fixed(2, shard.0)),
        organization: OrganizationId::from_uuid(fixed(3, 0)),
        request: Requested {
            account: AccountId::from_uuid(fixed(4, shard.0)),
            amount: "1000".parse()?,
            asset,
            destination: "0x8617E340B3D01FA5F11F306F4090FD50E238070D".into(),
            expires_at: SystemClock.now().plus_seconds(86_400),
            external_id: Some("invoice 2026-11-21/0001".into()),
            fee_max: Some("1000000".parse()?),
            memo: None,
            vault,
        },
    })
}

/// An open account that holds a fortune.
fn account(shard: ShardNumber) -> Result<AppendCommand> {
    let RequestTransfer {
        organization,
        request,
        ..
    } = request(shard)?;
    let block = BlockRef {
        hash: format!("0x{}", "ab".repeat(32)),
        height: 1,
    };
    let events: [AccountEvent; 3] = [
        v1::AccountRequested {
            chain: request.asset.chain(),
            custody: v1::Custody::Software,
            vault: request.vault,
        }
        .into(),
        v1::AccountOpened {
            address: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
            public_key: format!("02{}", "cd".repeat(32)),
        }
        .into(),
        v1::BalanceObserved {
            asset: request.asset.clone(),
            block,
            minor: "1000000000000000000000".parse()?,
        }
        .into(),
    ];
    let stream = request.account.into();
    let mut hash = GENESIS;
    let mut hashed = Vec::new();
    for (event, sequence) in events.into_iter().zip(1..) {
        let encoded = Event::from(event).encode()?;
        let envelope = Envelope {
            actor: Actor::system("bench"),
            causation: None,
            command: CommandId::from_uuid(SystemIds.next()),
            incarnation: 1,
            occurred_at: SystemClock.now(),
            organization,
            owner: Owner::Vault(request.vault),
            sequence,
            shard,
            stream,
            trace: None,
            event_type: encoded.event_type.to_owned(),
            version: encoded.version,
        };
        let event = HashedEvent::try_new(envelope, encoded, hash)?;
        hash = event.hash;
        hashed.push(event);
    }
    Ok(AppendCommand {
        shard,
        streams: vec![StreamAppend {
            stream,
            expected: 0,
            events: hashed,
        }],
    })
}

fn shards() -> impl Iterator<Item = ShardNumber> {
    // Shard 0 is `core`.
    (1..=SHARDS).map(ShardNumber)
}

async fn log(url: &str) -> Result<PgLog> {
    let families = vec![
        (Family::Core, 1),
        (Family::Chain(Slug::try_new("eth_bench")?), SHARDS),
    ];
    let databases = vec![DatabaseConfig::new("bench", url)];
    Ok(PgLog::open(&PgLogOptions::new(
        "bench",
        databases,
        families,
        Arc::new(SystemClock),
    ))
    .await?)
}

/// A log with open accounts and an executor on it.
struct Bed {
    log: Arc<PgLog>,
    executor: Executor,
    requests: Vec<RequestTransfer>,
}

impl Bed {
    async fn open(url: &str) -> Result<Self> {
        let log = Arc::new(log(url).await?);
        log.append(shards().map(account).collect::<Result<_>>()?, None)
            .await?;
        let ports = Ports {
            log: log.clone(),
            clock: Arc::new(SystemClock),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            observer: Arc::new(TracingObserver),
        };
        let executor = Executor::start(Options::default(), ports, CancellationToken::new());
        Ok(Self {
            log,
            executor,
            requests: shards().map(request).collect::<Result<_>>()?,
        })
    }

    /// Commands a second when every caller waits for its answer.
    async fn load(&self, commands: usize) -> Result<f64> {
        let started = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let (executor, request) = (
                    self.executor.clone(),
                    self.requests[n % self.requests.len()].clone(),
                );
                tokio::spawn(async move {
                    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
                    for _ in 0..commands / CALLERS {
                        let sent = Instant::now();
                        one(&executor, &request).await?;
                        latencies.record(u64::try_from(sent.elapsed().as_micros())?)?;
                    }
                    anyhow::Ok(latencies)
                })
            })
            .collect();
        let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
        for caller in callers {
            latencies.add(caller.await??)?;
        }
        let rate = per_second(commands, started.elapsed());
        eprintln!(
            "PostgreSQL: {commands} commands, {rate:.0}/s, p50 {} µs, p99 {} µs, longest {} µs",
            latencies.value_at_quantile(0.5),
            latencies.value_at_quantile(0.99),
            latencies.max(),
        );
        Ok(rate)
    }

    /// The 99th percentile in milliseconds when commands come at a rate of their own.
    async fn at(&self, rate: f64) -> Result<f64> {
        let (answers, mut answered) = tokio::sync::mpsc::channel::<Result<u64>>(8_192);
        let count = per_window(rate);
        let started = Instant::now();
        let offered = {
            let (executor, requests) = (self.executor.clone(), self.requests.clone());
            tokio::spawn(async move {
                let mut tick = tokio::time::interval(Duration::from_millis(1));
                let mut sent = 0;
                while sent < count {
                    tick.tick().await;
                    let due = due(started.elapsed(), rate).min(count);
                    for n in sent..due {
                        let (executor, request) = (executor.clone(), requests[n % requests.len()].clone());
                        let answers = answers.clone();
                        let planned = started + planned(n, rate);
                        tokio::spawn(async move {
                            let told = one(&executor, &request).await;
                            let late = Instant::now().saturating_duration_since(planned);
                            let told = told.and_then(|()| Ok(u64::try_from(late.as_micros())?));
                            // The receiver outlives all senders unless the bench has failed already.
                            let _ = answers.send(told).await;
                        });
                    }
                    sent = due;
                }
            })
        };
        let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
        while let Some(answer) = answered.recv().await {
            latencies.record(answer?)?;
        }
        offered.await?;
        let p99 = latencies.value_at_quantile(0.99);
        eprintln!(
            "PostgreSQL at {rate:.0}/s: {count} commands, p50 {} µs, p99 {p99} µs, longest {} µs",
            latencies.value_at_quantile(0.5),
            latencies.max(),
        );
        Ok(u32::try_from(p99).map_or(f64::MAX, f64::from) / 1_000.0)
    }

    /// Reads back what was appended, as single-event commands on new streams.
    async fn rows(&self, most: usize) -> Result<Vec<AppendCommand>> {
        let mut rows = Vec::with_capacity(most);
        for shard in shards() {
            let mut after = 3;
            while let page @ [_, ..] = self.log.read_shard(shard, after, 5_000).await?.as_slice() {
                after += page.len() as u64;
                for stored in page {
                    let event = HashedEvent {
                        envelope_bytes: canonical::to_bytes(&stored.envelope)?,
                        envelope: stored.envelope.clone(),
                        payload: stored.payload.clone(),
                        previous: stored.previous,
                        hash: stored.hash,
                    };
                    let part = StreamAppend {
                        stream: stored.envelope.stream,
                        expected: 0,
                        events: vec![event],
                    };
                    rows.push(AppendCommand {
                        shard,
                        streams: vec![part],
                    });
                }
                if rows.len() >= most {
                    break;
                }
            }
        }
        ensure!(
            rows.len() >= most.min(WARM),
            "{} commands are in the log",
            rows.len()
        );
        rows.truncate(most);
        Ok(rows)
    }
}

async fn one(executor: &Executor, request: &RequestTransfer) -> Result<()> {
    let shard = request.transfer.shard();
    let transfer = TransferId::from_uuid(id::with_shard(SystemIds.next(), shard));
    let context = CommandContext {
        actor: Actor::ApiKey(ApiKeyId::from_uuid(request.organization.uuid())),
        command: CommandId::from_uuid(SystemIds.next()),
        causation: None,
        trace: Some(TRACE.to_owned()),
    };
    let committed = executor
        .execute(
            context,
            Arc::new(RequestTransfer {
                transfer,
                ..request.clone()
            }),
        )
        .await?;
    ensure!(committed.events.len() == 1, "a new transfer is one event");
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and times of a bench are positive and far below 2^53"
)]
fn due(elapsed: Duration, rate: f64) -> usize {
    (elapsed.as_secs_f64() * rate) as usize
}

fn per_window(rate: f64) -> usize {
    due(HALF_LOAD, rate)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
fn planned(n: usize, rate: f64) -> Duration {
    Duration::from_secs_f64(n as f64 / rate)
}

async fn raw(url: &str, rows: &[AppendCommand]) -> Result<f64> {
    let log = log(url).await?;
    let took = baseline::insert(&log.first_database(), rows, Options::default().batch_commands).await?;
    let rate = per_second(rows.len(), took);
    eprintln!("raw combined inserts: {rate:.0}/s");
    Ok(rate)
}
