//! A foreign write transaction that is held open changes nothing for who lives beside it: streams that grow, the relay,
//! Kafka, a consumer. Six seconds in a plain run, a minute under `cargo xtask soak`.
//!
//! Nothing that was written meanwhile can be cleared away, so whatever is looked for among its own old versions gets
//! slower and slower, and what waits for open transactions to end does not come at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::watch;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, stream};
use vaultstream_domain::ports::event_log::AppendOutcome;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::TracingObserver;
use vaultstream_kernel::tailer::{TailOptions, Tailer};

use crate::way::Way;

/// The shard whose streams grow.
const SHARD: ShardNumber = ShardNumber(0);
/// Streams that grow, each by an event at every beat.
const STREAMS: u64 = 16;
/// How long a consumer may take to hear of an event.
const PATIENCE: Duration = Duration::from_secs(10);

fn hold() -> Duration {
    let is_soak = std::env::var_os("VAULTSTREAM_SOAK").is_some();
    Duration::from_secs(if is_soak { 60 } else { 6 })
}

/// What one append took, and how long after its beginning a consumer behind Kafka had heard of it.
#[derive(Debug, Clone, Copy)]
struct Beat {
    append: Duration,
    heard: Duration,
}

struct Life {
    way: Way,
    writers: Vec<Writer>,
    heard: watch::Receiver<u64>,
}

impl Life {
    async fn start() -> Result<Self> {
        let way = Way::new("standstill", sample::families()).await?;
        let tailer = Tailer::new(
            Arc::new(way.bus()?),
            way.log.clone(),
            Arc::new(SystemClock),
            Arc::new(TracingObserver),
            TailOptions::default(),
        );
        let mut follower = tailer.follow_from_start(SHARD).await?;
        let (say, heard) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok(batch) = follower.next().await {
                let position = batch.map(|batch| batch.mark.position);
                position.map(|position| say.send_replace(position));
            }
        });
        let writers = (0..STREAMS).map(|n| Writer::new(stream(SHARD.0, n))).collect();
        Ok(Self { way, writers, heard })
    }

    async fn beat(&mut self) -> Result<Beat> {
        let batch = self.writers.iter_mut().map(|w| w.command("beat", 1)).collect();
        let begun = Instant::now();
        let outcomes = self.way.log.append(batch, None).await?;
        let append = begun.elapsed();
        let Some(AppendOutcome::Committed { last, .. }) = outcomes.last() else {
            bail!("not committed: {outcomes:?}");
        };
        let waited = tokio::time::timeout(PATIENCE, self.heard.wait_for(|position| position >= last)).await;
        waited.context("the consumer hears nothing any more")??;
        let heard = begun.elapsed();
        Ok(Beat { append, heard })
    }

    /// Lives until everybody has found everybody: leases, brokers, partitions.
    async fn settle(&mut self) -> Result<()> {
        for _ in 0..60 {
            let [_, heard] = quarter(&self.live(Duration::from_secs(1)).await?);
            if heard < 100.0 {
                return Ok(());
            }
        }
        bail!("hearing of an event still takes more than 100 ms after a minute");
    }

    async fn live(&mut self, so_long: Duration) -> Result<Vec<Beat>> {
        let (begun, mut beats) = (Instant::now(), Vec::new());
        while begun.elapsed() < so_long {
            beats.push(self.beat().await?);
        }
        Ok(beats)
    }
}

/// What append and hearing took in a good quarter of all beats, in milliseconds: what else the machine does shows in the
/// others.
#[expect(
    clippy::float_arithmetic,
    reason = "milliseconds are shown with their fraction"
)]
fn quarter(beats: &[Beat]) -> [f64; 2] {
    let of: [fn(&Beat) -> Duration; 2] = [|beat| beat.append, |beat| beat.heard];
    of.map(|of| {
        let mut times: Vec<Duration> = beats.iter().map(of).collect();
        times.sort_unstable();
        times
            .get(times.len() / 4)
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_transaction_held_open_should_change_nothing() -> Result<()> {
    let (mut life, hold) = (Life::start().await?, hold());
    let (stop, relaying) = life.way.relay()?;
    life.settle().await?;
    let before = life.live(hold / 3).await?;

    let mut stranger = PgConnection::connect(&crate::url(&format!("vs_{}", life.way.name)).await?).await?;
    stranger
        .execute("CREATE TABLE foreign_work (x integer); INSERT INTO foreign_work VALUES (1)")
        .await?;
    let mut held = stranger.begin().await?;
    held.execute("UPDATE foreign_work SET x = x + 1; SELECT pg_current_xact_id()")
        .await?;
    life.live(hold * 2 / 3).await?;
    let during = life.live(hold / 3).await?;
    held.rollback().await?;
    let after = life.live(hold / 3).await?;
    stop.cancel();
    relaying.ended().await;

    let [before, during, after] = [before, during, after].map(|beats| quarter(&beats));
    println!(
        "append and hearing in ms: {before:.2?} before, {during:.2?} at the end of {} s, {after:.2?} after",
        hold.as_secs()
    );
    for (what, index) in [("an append", 0), ("hearing of it", 1)] {
        for (when, then) in [("at the end of the hold", during), ("after it", after)] {
            ensure!(
                then[index] <= before[index] * 2.0 + 5.0,
                "{what} took {:.2} ms before and {:.2} ms {when}",
                before[index],
                then[index]
            );
        }
    }
    Ok(())
}
