//! A log on PostgreSQL with an open account in every shard, an executor on it, and callers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::ports::{Clock, EventLog, Ids};
use vaultstream_domain::transfer::RequestTransfer;
use vaultstream_domain::{CommandContext, Event};
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, HashedEvent, Owner};
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::{
    AccountId, Actor, ApiKeyId, AssetId, CommandId, Family, OrganizationId, ShardNumber, Slug, TransferId,
    VaultId, canonical, id,
};
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions};
use vaultstream_infra_runtime::{SystemClock, SystemIds, TokioSpawn};
use vaultstream_kernel::{Executor, Options, Ports, TracingObserver};

use super::{WARM, per_second};
use crate::load;
use crate::tenant::{TRACE, open_account};

const HALF_LOAD: Duration = Duration::from_secs(8);
const LINE_MS: u64 = 120_000;

/// A request to spend a little from the account of a shard.
pub fn request(shard: ShardNumber) -> Result<RequestTransfer> {
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
    let events = open_account(request.vault)?;
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

/// Shard 0 is `core`.
fn numbers(shards: u16) -> impl Iterator<Item = ShardNumber> {
    (1..=shards).map(ShardNumber)
}

/// The log: `core` and one chain.
pub async fn log(url: &str, shards: u16) -> Result<PgLog> {
    let families = vec![
        (Family::Core, 1),
        (Family::Chain(Slug::try_new("eth_bench")?), shards),
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
pub struct Bed {
    pub log: Arc<PgLog>,
    executor: Executor,
    requests: Vec<RequestTransfer>,
    shards: u16,
}

impl Bed {
    /// One in an empty database.
    pub async fn open(url: &str, shards: u16) -> Result<Self> {
        let log = Arc::new(log(url, shards).await?);
        log.append(numbers(shards).map(account).collect::<Result<_>>()?, None)
            .await?;
        let ports = Ports {
            log: log.clone(),
            clock: Arc::new(SystemClock),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            observer: Arc::new(TracingObserver),
        };
        // Callers come by the thousand at once to an executor that knows nothing yet; here nobody is turned away.
        let options = Options {
            line_ms: LINE_MS,
            ..Options::default()
        };
        let executor = Executor::start(options, ports, CancellationToken::new());
        Ok(Self {
            log,
            executor,
            requests: numbers(shards).map(request).collect::<Result<_>>()?,
            shards,
        })
    }

    /// Commands a second when every caller waits for its answer.
    pub async fn load(&self, callers: usize, commands: usize) -> Result<f64> {
        let started = Instant::now();
        let running: Vec<_> = (0..callers)
            .map(|n| {
                let (executor, request) = (
                    self.executor.clone(),
                    self.requests[n % self.requests.len()].clone(),
                );
                tokio::spawn(async move {
                    // Numbers, because a histogram for each of sixteen thousand callers would be what is measured.
                    let mut micros = Vec::with_capacity(commands / callers);
                    for _ in 0..commands / callers {
                        let sent = Instant::now();
                        one(&executor, &request).await?;
                        micros.push(u64::try_from(sent.elapsed().as_micros())?);
                    }
                    anyhow::Ok(micros)
                })
            })
            .collect();
        let mut latencies = load::histogram()?;
        for caller in running {
            caller
                .await??
                .into_iter()
                .for_each(|micros| latencies.saturating_record(micros));
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
    pub async fn at(&self, rate: f64) -> Result<f64> {
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
        let mut latencies = load::histogram()?;
        while let Some(answer) = answered.recv().await {
            latencies.saturating_record(answer?);
        }
        offered.await?;
        let p99 = latencies.value_at_quantile(0.99);
        eprintln!(
            "PostgreSQL at {rate:.0}/s: {count} commands, p50 {} µs, p99 {p99} µs, longest {} µs",
            latencies.value_at_quantile(0.5),
            latencies.max(),
        );
        Ok(load::p99_ms(&latencies))
    }

    /// Reads back what was appended, as single-event commands on new streams.
    pub async fn rows(&self, most: usize) -> Result<Vec<AppendCommand>> {
        let mut rows = Vec::with_capacity(most);
        for shard in numbers(self.shards) {
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
