//! Checkpoints: what sealing costs those who append, how long an auditor waits for a million events, and what a proof of
//! one event weighs. The auditor is the product's own binary on files, as strangers run it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::ports::{EventLog, SealText};
use vaultstream_event_schemas::envelope::{GENESIS, HashedEvent};
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::proof::Proof;
use vaultstream_event_schemas::{ShardNumber, StreamId, TransferId, canonical, id};
use vaultstream_infra_keystore::{CheckpointKeys, Keystore, Options as KeystoreOptions};
use vaultstream_infra_runtime::{FileNoteList, SystemClock};
use vaultstream_infra_sqlite::{SqliteLog, SqliteProgress};
use vaultstream_kernel::archive::{Range, export};
use vaultstream_kernel::{Options, Sealer, SealerOptions, SealerPorts, TracingObserver};

use crate::line::BenchLine;
use crate::process::program;
use crate::{Extent, executor, fold, restore};

const EVENTS: u64 = 1_000_000;
/// Five gigabytes of log. With its lines, its backup and what is put back it is twenty.
const FULL: u64 = 8_000_000;
/// Six events a transfer.
const LIFE: u64 = 6;
/// The shard of the one chain.
const SHARD: ShardNumber = ShardNumber(1);
/// Commands of one side of a pair: several rounds of the sealer.
const COMMANDS: usize = 256 * 2_000;
/// Pairs after one that warms up; the middle of each side counts, because the machine has other things to do.
const PAIRS: usize = 3;
const CHECKS: u32 = 500;

/// Measures.
pub async fn run(out: &mut Vec<BenchLine>, extent: Extent) -> Result<()> {
    let part = if extent == Extent::Quick { 10 } else { 1 };
    let events = match extent {
        Extent::Full => FULL,
        _ => EVENTS / part,
    };
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
    sealing(out, dir.path(), COMMANDS / usize::try_from(part)?).await?;
    verifying(out, dir.path(), events).await
}

/// A sealer as the product runs it, with its list in a directory.
async fn sealer(log: Arc<dyn EventLog>, dir: &Path) -> Result<(Sealer, Keys)> {
    let keystore = KeystoreOptions {
        dir: dir.join("keys"),
        passphrase: None,
    };
    // The name that an installation without a configuration has.
    let seal = CheckpointKeys::try_new(Keystore::open(&keystore)?, "vaultstream/vaultstream/log")?;
    let keys = seal.public_keys().await?;
    let ports = SealerPorts {
        log,
        checkpoints: Arc::new(FileNoteList::checkpoints(&dir.join("data-checkpoints"))?),
        seal: Arc::new(seal),
        progress: Arc::new(SqliteProgress::open(&dir.join("progress.db"))?),
        clock: Arc::new(SystemClock),
        observer: Arc::new(TracingObserver),
    };
    Ok((Sealer::new(ports, SealerOptions::default()), keys))
}

/// The rate of appends alone and beside a sealer, in turns.
async fn sealing(out: &mut Vec<BenchLine>, dir: &Path, commands: usize) -> Result<()> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for pair in 0..=PAIRS {
        let open = |name: &str| -> Result<_> {
            let dir = dir.join(format!("{name}-{pair}"));
            std::fs::create_dir(&dir)?;
            let log = Arc::new(SqliteLog::open(&executor::log_options(&dir.join("log.db"))?)?);
            Ok((log, dir))
        };
        let (log, place) = open("alone")?;
        alone.push(executor::rate(&log, "alone", Options::default(), commands).await?);
        drop(log);
        std::fs::remove_dir_all(place)?;

        let (log, place) = open("sealed")?;
        let (sealer, _) = sealer(log.clone(), &place).await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (sealer, stop) = (sealer.clone(), stop.clone());
            async move { sealer.run(&stop).await }
        });
        beside.push(executor::rate(&log, "beside a sealer", Options::default(), commands).await?);
        stop.cancel();
        task.await?;
        drop((log, sealer));
        std::fs::remove_dir_all(place)?;
    }
    let middle = |rates: &[f64]| {
        let mut rates = rates[1..].to_vec();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let (alone, beside) = (middle(&alone), middle(&beside));
    eprintln!("appends alone {alone:.0}/s, beside a sealer {beside:.0}/s");
    out.push(BenchLine::against(
        "append rate beside a sealer / alone",
        beside,
        "commands/s",
        alone,
        0.95,
    ));
    Ok(())
}

/// Fills a log with the lives of transfers.
async fn fill(log: &SqliteLog, round: u64, events: u64) -> Result<StreamId> {
    let mut last = None;
    let mut batch = Vec::new();
    let transfers = events / LIFE;
    for n in round * transfers..(round + 1) * transfers {
        let transfer = TransferId::from_uuid(id::with_shard(
            id::random(u64::from(u32::MAX) + n, n.into()),
            SHARD,
        ));
        let stream: StreamId = transfer.into();
        let mut hash = GENESIS;
        let mut hashed = Vec::new();
        for event in fold::life(stream)? {
            let envelope_bytes = canonical::to_bytes(&event.envelope)?;
            let event = HashedEvent {
                envelope_bytes,
                envelope: event.envelope,
                payload: event.payload,
                previous: hash,
                hash: event.hash,
            };
            hash = event.hash;
            hashed.push(event);
        }
        batch.push(AppendCommand {
            shard: SHARD,
            streams: vec![StreamAppend {
                stream,
                expected: 0,
                events: hashed,
            }],
        });
        last = Some(stream);
        if batch.len() == 500 {
            log.append(std::mem::take(&mut batch), None).await?;
        }
    }
    log.append(batch, None).await?;
    last.context("there are events")
}

async fn verifying(out: &mut Vec<BenchLine>, dir: &Path, events: u64) -> Result<()> {
    let dir = dir.join("audited");
    let data = dir.join("data");
    std::fs::create_dir_all(&data)?;
    let log = Arc::new(SqliteLog::open(&executor::log_options(&data.join("log.db"))?)?);
    let (sealer, keys) = sealer(log.clone(), &dir).await?;
    let mut sealing = sealer.resume().await?;
    let mut last = None;
    // Several checkpoints, so that there is a chain to follow.
    for round in 0..10 {
        last = Some(fill(&log, round, events / 10).await?);
        sealing.round().await?;
    }
    let archive = dir.join("log.jsonl");
    let mut file = BufWriter::new(File::create(&archive)?);
    let heads = log.heads().await?;
    let ranges: Vec<Range> = heads
        .iter()
        .map(|(shard, head)| Range {
            shard: *shard,
            after: 0,
            upto: head.position,
        })
        .collect();
    let count = export(log.as_ref(), &ranges, |line| {
        file.write_all(line)?;
        file.write_all(b"\n")
    })
    .await?;
    file.flush()?;
    drop(sealing);
    drop((sealer, log));
    std::fs::write(dir.join("checkpoints.keys"), keys.to_string())?;
    let list = FileNoteList::checkpoint_files(&dir.join("data-checkpoints"))?;
    let list = list.first().context("a list of checkpoints")?;
    eprintln!(
        "{} events in {} bytes of lines",
        count.events,
        std::fs::metadata(&archive)?.len()
    );
    let by_file = verify(list, &dir, ("--log", &archive))?;
    let by_rows = verify(list, &dir, ("--data-dir", &data))?;
    eprintln!("verified in {by_file:.2} s from lines, in {by_rows:.2} s from the file of the log");
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
    let whole = EVENTS as f64 / count.events as f64;
    out.push(BenchLine::at_most(
        "audit verify, 1,000,000 events",
        by_file * whole,
        "s",
        8.0,
    ));
    out.push(BenchLine::at_most(
        "audit verify, 1,000,000 events of a data directory",
        by_rows * whole,
        "s",
        8.0,
    ));
    restore::measure(out, &dir)?;
    proof(out, &dir, &data, last.context("a transfer")?, &keys)
}

/// Runs the auditor; how long it took.
fn verify(list: &Path, dir: &Path, (which, log): (&str, &Path)) -> Result<f64> {
    let begun = Instant::now();
    let output = Command::new(program("VAULTSTREAM_BIN")?)
        .args(["audit", "verify", "--checkpoint"])
        .arg(list)
        .arg("--keys")
        .arg(dir.join("checkpoints.keys"))
        .arg(which)
        .arg(log)
        .output()?;
    let took = begun.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && said.contains("whole: this is the log that was sealed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(took.as_secs_f64())
}

fn proof(out: &mut Vec<BenchLine>, dir: &Path, data: &Path, stream: StreamId, keys: &Keys) -> Result<()> {
    let file = dir.join("proof.json");
    let output = Command::new(program("VAULTSTREAM_BIN")?)
        .args(["audit", "prove", &format!("{stream}/1"), "--data-dir"])
        .arg(data)
        .arg("--out")
        .arg(&file)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let bytes = std::fs::read(&file)?;
    let proof = Proof::from_file(&bytes)?;
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..CHECKS {
        let begun = Instant::now();
        Proof::from_file(&bytes)?.check(keys)?;
        took.push(begun.elapsed());
    }
    took.sort();
    let middle = took[took.len() / 2];
    eprintln!(
        "a proof of {} bytes, checked in {middle:?}, at worst {:?}",
        bytes.len(),
        took[took.len() - 1]
    );
    #[expect(clippy::cast_precision_loss, reason = "a path has 2,048 bytes at most")]
    let path = proof.path_bytes() as f64;
    out.push(BenchLine::at_most(
        "hash path of an inclusion proof",
        path,
        "bytes",
        2_048.0,
    ));
    out.push(BenchLine::at_most(
        "inclusion proof checked",
        middle.as_secs_f64() * 1_000.0,
        "ms",
        1.0,
    ));
    Ok(())
}
