//! Durable commands a second: 256 callers request transfers from an open account through the executor, each waiting for
//! its answer; against the same with one transaction a command, and against raw batched inserts of the same rows.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::CommandContext;
use vaultstream_domain::Event;
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::ports::{Clock, EventLog, Ids};
use vaultstream_domain::transfer::RequestTransfer;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, HashedEvent, Owner};
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::{
    AccountId, Actor, ApiKeyId, CommandId, Family, OrganizationId, ShardNumber, Slug, TransferId, VaultId,
    canonical, id,
};
use vaultstream_infra_runtime::{SystemClock, SystemIds, TokioSpawn};
use vaultstream_infra_sqlite::log::baseline;
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog};
use vaultstream_kernel::{Executor, Options, Ports, TracingObserver};

use crate::line::BenchLine;
use crate::tenant;

const CALLERS: usize = 256;
const COMMANDS: usize = 256 * 400;
/// One transaction a command is slow: fewer tell enough.
const SINGLE_COMMANDS: usize = 256 * 16;
const UNIT: &str = "commands/s";

/// Measures; the files lie in cargo's directory for such things, which is on a disk.
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
    let single = Options {
        batch_commands: 1,
        in_flight: 1,
        ..Options::default()
    };
    let (slow, _) = measure(&dir.path().join("single.db"), single, SINGLE_COMMANDS).await?;
    let (rate, rows) = measure(&dir.path().join("batched.db"), Options::default(), COMMANDS).await?;
    let raw = raw(&dir.path().join("raw.db"), &rows)?;
    out.push(BenchLine::at_least(
        "durable commands, 256 callers",
        rate,
        UNIT,
        30_000.0,
    ));
    out.push(BenchLine::against(
        "durable commands / one transaction each",
        rate,
        UNIT,
        slow,
        4.0,
    ));
    out.push(BenchLine::against(
        "durable commands / raw batched inserts",
        rate,
        UNIT,
        raw,
        0.5,
    ));
    Ok(())
}

/// A core shard and one of a chain.
pub fn log_options(path: &Path) -> Result<LogOptions> {
    let slug = Slug::try_new("eth_bench")?;
    Ok(LogOptions::new(
        path,
        vec![(Family::Core, 1), (Family::Chain(slug), 1)],
    ))
}

/// The shard of the one chain.
const SHARD: ShardNumber = ShardNumber(1);

/// The rate, and what was appended, one command a transfer.
async fn measure(path: &Path, options: Options, commands: usize) -> Result<(f64, Vec<AppendCommand>)> {
    let log = Arc::new(SqliteLog::open(&log_options(path)?)?);
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("log");
    let rate = rate(&log, name, options, commands).await?;
    Ok((rate, rows(&log, commands).await?))
}

/// The rate at which callers append to a log that is open.
pub async fn rate(log: &Arc<SqliteLog>, name: &str, options: Options, commands: usize) -> Result<f64> {
    let request = open_account(log).await?;
    let ports = Ports {
        log: log.clone(),
        clock: Arc::new(SystemClock),
        spawn: Arc::new(TokioSpawn::new(Handle::current())),
        observer: Arc::new(TracingObserver),
    };
    let executor = Executor::start(options, ports, CancellationToken::new());
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(call(executor.clone(), request.clone(), commands / CALLERS)))
        .collect();
    let mut latencies = Histogram::<u64>::new(3)?;
    for caller in callers {
        latencies.add(caller.await??)?;
    }
    let rate = per_second(commands, started.elapsed());
    eprintln!(
        "{}: {commands} commands, {rate:.0}/s, p50 {} µs, p99 {} µs, p99.9 {} µs, longest {} µs",
        name,
        latencies.value_at_quantile(0.5),
        latencies.value_at_quantile(0.99),
        latencies.value_at_quantile(0.999),
        latencies.max(),
    );
    Ok(rate)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

async fn call(executor: Executor, request: RequestTransfer, commands: usize) -> Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    for _ in 0..commands {
        let transfer = TransferId::from_uuid(id::with_shard(SystemIds.next(), SHARD));
        let actor = Actor::ApiKey(ApiKeyId::from_uuid(request.organization.uuid()));
        let command = CommandId::from_uuid(SystemIds.next());
        let trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        let context = CommandContext {
            actor,
            command,
            causation: None,
            trace,
        };
        let started = Instant::now();
        let use_case = Arc::new(RequestTransfer {
            transfer,
            ..request.clone()
        });
        let committed = executor.execute(context, use_case).await?;
        ensure!(committed.events.len() == 1, "a new transfer is one event");
        latencies.record(u64::try_from(started.elapsed().as_micros())?)?;
    }
    Ok(latencies)
}

/// An open account that holds a fortune, and a request that spends a little of it.
async fn open_account(log: &SqliteLog) -> Result<RequestTransfer> {
    let account = AccountId::from_uuid(id::with_shard(SystemIds.next(), SHARD));
    let vault = VaultId::from_uuid(id::with_shard(SystemIds.next(), ShardNumber(0)));
    let organization = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), ShardNumber(0)));
    let asset: vaultstream_event_schemas::AssetId = "eip155:31337/slip44:60".parse()?;
    let mut hash = GENESIS;
    let mut hashed = Vec::new();
    for (event, sequence) in tenant::open_account(vault)?.into_iter().zip(1..) {
        let encoded = Event::from(event).encode()?;
        let envelope = Envelope {
            actor: Actor::system("bench"),
            causation: None,
            command: CommandId::from_uuid(SystemIds.next()),
            incarnation: 1,
            occurred_at: SystemClock.now(),
            organization,
            owner: Owner::Vault(vault),
            sequence,
            shard: SHARD,
            stream: account.into(),
            trace: None,
            event_type: encoded.event_type.to_owned(),
            version: encoded.version,
        };
        let event = HashedEvent::try_new(envelope, encoded, hash)?;
        hash = event.hash;
        hashed.push(event);
    }
    let part = StreamAppend {
        stream: account.into(),
        expected: 0,
        events: hashed,
    };
    log.append(
        vec![AppendCommand {
            shard: SHARD,
            streams: vec![part],
        }],
        None,
    )
    .await?;
    Ok(RequestTransfer {
        transfer: TransferId::from_uuid(id::with_shard(SystemIds.next(), SHARD)),
        organization,
        request: Requested {
            account,
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

/// Reads back what the executor appended, as commands.
async fn rows(log: &SqliteLog, commands: usize) -> Result<Vec<AppendCommand>> {
    let mut rows = Vec::with_capacity(commands);
    let mut after = 3;
    loop {
        let page = log.read_shard(SHARD, after, 5_000).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for stored in page {
            let stream = stored.envelope.stream;
            let event = HashedEvent {
                envelope_bytes: canonical::to_bytes(&stored.envelope)?,
                envelope: stored.envelope,
                payload: stored.payload,
                previous: stored.previous,
                hash: stored.hash,
            };
            let part = StreamAppend {
                stream,
                expected: 0,
                events: vec![event],
            };
            rows.push(AppendCommand {
                shard: SHARD,
                streams: vec![part],
            });
        }
    }
    ensure!(
        rows.len() == commands,
        "{} of {commands} commands are in the log",
        rows.len()
    );
    Ok(rows)
}

fn raw(path: &Path, rows: &[AppendCommand]) -> Result<f64> {
    let took = baseline::insert(&log_options(path)?, rows, Options::default().batch_commands)?;
    let rate = per_second(rows.len(), took);
    eprintln!("raw batched inserts: {rate:.0}/s");
    Ok(rate)
}
