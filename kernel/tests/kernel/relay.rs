//! The relay over a bus that fails, answers late and half, notes that are lost, leases that are not kept, and crashes.
//!
//! What has to hold, always: a shard's records never skip a position, and the cursor never covers what was not
//! acknowledged. Repeats are allowed everywhere.

mod bench;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::conformance::publisher::history;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at, stream};
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, Head, LogError, Snapshot};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Registry, ShardNumber, StreamId, Timestamp};
use vaultstream_infra_runtime::TokioSpawn;
use vaultstream_infra_sqlite::SqliteLog;
use vaultstream_kernel::relay::Measure;
use vaultstream_kernel::{Mark, Relay, RelayOptions, RelayPorts, Waiting};

use self::bench::{Bench, Desk, Recorder, SHARD};
use crate::node::Disk;

async fn append(log: &SqliteLog, writer: &mut Writer, count: u64) {
    for _ in 0..count {
        log.append(vec![writer.command("x", 1)], Some(at(0)))
            .await
            .expect("taken");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_should_carry_every_shard_in_order_over_a_bad_bus() {
    for seed in 1..=4 {
        println!("seed {seed}");
        let disk = Disk::new();
        let log = disk.log();
        let bench = Bench::new(log.clone(), seed, 30);
        let shutdown = CancellationToken::new();
        let shards = [0u16, 1, 3].map(ShardNumber);
        let relaying = bench
            .relay("one")
            .start(shards, &TokioSpawn::new(Handle::current()), &shutdown);
        for shard in shards {
            append(&log, &mut Writer::new(stream(shard.0, 1)), 150).await;
        }
        bench
            .until("the cursors at rest", |b| {
                shards
                    .iter()
                    .all(|s| b.note_of(*s).is_some_and(|note| note.position == 150))
            })
            .await;
        shutdown.cancel();
        relaying.ended().await;
        for shard in shards {
            bench.bus.is_whole(shard, 150);
        }
        assert!(bench.diary.published.load(Ordering::Relaxed) >= 450);
        let stalls = bench.diary.stalls.lock().expect("no panic while held");
        assert!(
            stalls.iter().any(|s| s.contains("the broker is away")),
            "failures are said"
        );
        assert!(
            bench.desk.held.lock().expect("no panic while held").is_empty(),
            "leases are given back"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_at_any_point_should_repeat_and_never_skip() {
    for seed in 11..=13 {
        println!("seed {seed}");
        let disk = Disk::new();
        let log = disk.log();
        let bench = Bench::new(log.clone(), seed, 10);
        let writing = tokio::spawn({
            let log = log.clone();
            async move { append(&log, &mut Writer::new(stream(0, 1)), 600).await }
        });
        let mut life = 0;
        while bench.bus.highest(SHARD) < 600 {
            life += 1;
            let relay = bench.relay(&format!("life {life}"));
            // Dropped wherever it stands, without a word to anybody: its lease has to run out.
            let never = CancellationToken::new();
            let run = relay.run(SHARD, &never);
            let crash = Duration::from_micros(500 + bench.bus.dice.roll(60_000));
            assert!(tokio::time::timeout(crash, run).await.is_err());
            assert!(life < 3_000, "it gets on");
        }
        writing.await.expect("written");
        bench.bus.is_whole(SHARD, 600);
        assert!(life > 1, "it crashed at least once");
        let last = bench.relay("the last");
        let stop = CancellationToken::new();
        let ((), ()) = tokio::join!(last.run(SHARD, &stop), async {
            bench
                .until("the cursor", |b| {
                    b.note().is_some_and(|note| note.position == 600)
                })
                .await;
            stop.cancel();
        });
        let end = log.read_shard(SHARD, 599, 1).await.expect("readable");
        assert_eq!(bench.note().and_then(|note| note.hash), Some(end[0].hash));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_of_one_shard_should_stay_correct_without_leases() {
    let disk = Disk::new();
    let log = disk.log();
    let bench = Bench::new(log.clone(), 21, 20);
    bench.desk.gives_all.store(true, Ordering::Relaxed);
    let stop = CancellationToken::new();
    let (one, two) = (bench.relay("one"), bench.relay("two"));
    tokio::join!(one.run(SHARD, &stop), two.run(SHARD, &stop), async {
        append(&log, &mut Writer::new(stream(0, 1)), 300).await;
        bench
            .until("the cursor", |b| {
                b.note().is_some_and(|note| note.position == 300)
            })
            .await;
        stop.cancel();
    });
    bench.bus.is_whole(SHARD, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lease_should_keep_the_second_relay_at_rest_until_the_first_is_gone() {
    let disk = Disk::new();
    let log = disk.log();
    let bench = Bench::new(log.clone(), 31, 0);
    let mut writer = Writer::new(stream(0, 1));
    let (stop_one, stop_two) = (CancellationToken::new(), CancellationToken::new());
    let (one, two) = (bench.relay("one"), bench.relay("two"));
    tokio::join!(one.run(SHARD, &stop_one), two.run(SHARD, &stop_two), async {
        append(&log, &mut writer, 50).await;
        bench
            .until("the first fifty", |b| b.bus.highest(SHARD) == 50)
            .await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(bench.bus.positions(SHARD).len(), 50, "the work is done once");
        stop_one.cancel();
        append(&log, &mut writer, 50).await;
        bench.until("the others", |b| b.bus.highest(SHARD) == 100).await;
        stop_two.cancel();
    });
    assert_eq!(
        bench.bus.positions(SHARD).len(),
        100,
        "handed over with the cursor"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_should_be_the_age_of_the_first_event_that_waits_also_when_nobody_relays() {
    let disk = Disk::new();
    let log = disk.log();
    let bench = Bench::new(log.clone(), 35, 0);
    let mut writer = Writer::new(stream(0, 1));
    append(&log, &mut writer, 20).await;
    let (waiting, stamp) = (
        Waiting::default(),
        log.heads().await.expect("readable")[&SHARD].hlc.0,
    );
    let lag = async |after_s: i64| {
        let measure = Measure {
            log: &*log,
            progress: &*bench.notes,
            waiting: &waiting,
            now: Timestamp::from_micros(i64::try_from(stamp).expect("this century") + after_s * 1_000_000),
        };
        let heads = log.heads().await.expect("readable");
        let lags = measure.lag(&heads, [SHARD]).await.expect("measured");
        (lags[0].events, lags[0].age_us / 1_000_000)
    };
    assert_eq!(lag(7).await, (20, 7), "nobody has relayed");
    assert_eq!(lag(3_600).await, (20, 3_600), "and it grows old");
    let (relay, stop) = (bench.relay("one"), CancellationToken::new());
    tokio::join!(relay.run(SHARD, &stop), async {
        bench
            .until("the cursor", |b| b.note().is_some_and(|note| note.position == 20))
            .await;
        stop.cancel();
    });
    assert_eq!(lag(3_600).await, (0, 0), "an idle hour is no lag");
    append(&log, &mut writer, 3).await;
    let (events, age_s) = lag(3_600).await;
    assert!(events == 3 && (3_590..3_610).contains(&age_s), "{events} {age_s}");
}

#[tokio::test]
async fn foreign_history_should_rest_the_shard_and_be_said() {
    let disk = Disk::new();
    let log = disk.log();
    append(&log, &mut Writer::new(stream(0, 1)), 5).await;
    let cases = [
        Mark {
            position: 6,
            ..Mark::start(SHARD)
        },
        Mark {
            position: 5,
            hash: Some([7; 32]),
            ..Mark::start(SHARD)
        },
        Mark {
            incarnation: 2,
            ..Mark::start(SHARD)
        },
    ];
    for mark in cases {
        let bench = Bench::new(log.clone(), 41, 0);
        let note = serde_json::to_vec(&mark).expect("plain data");
        let kept = || bench.notes.kept.lock().expect("no panic while held");
        kept().insert("relay/0".into(), note.clone());
        let stop = CancellationToken::new();
        let relay = bench.relay("one");
        tokio::join!(relay.run(SHARD, &stop), async {
            bench
                .until("the word", |b| {
                    b.diary.stalls.lock().expect("no panic while held").len() > 2
                })
                .await;
            stop.cancel();
        });
        assert!(bench.bus.positions(SHARD).is_empty(), "{mark:?}");
        let stalls = bench.diary.stalls.lock().expect("no panic while held");
        assert!(stalls[0].contains("raise the shard's incarnation"), "{stalls:?}");
        assert_eq!(kept().get("relay/0"), Some(&note), "the note stays as it was");
    }
    let bench = Bench::new(log, 42, 0);
    bench
        .notes
        .kept
        .lock()
        .expect("no panic while held")
        .insert("relay/0".into(), b"rubbish".to_vec());
    let stop = CancellationToken::new();
    let relay = bench.relay("one");
    tokio::join!(relay.run(SHARD, &stop), async {
        bench.until("all", |b| b.bus.highest(SHARD) == 5).await;
        stop.cancel();
    });
    bench.bus.is_whole(SHARD, 5);
}

/// A log that was restored: it has what `history` says, in the life `incarnation`.
struct Restored {
    history: Vec<StoredEvent>,
    incarnation: u32,
    reads: AtomicU64,
}

impl Restored {
    /// `lives` says how many events each life wrote.
    fn new(lives: &[u64]) -> Arc<Self> {
        let mut history = history(0, lives.iter().sum());
        let mut incarnation = 0;
        let mut end = 0;
        for life in lives {
            incarnation += 1;
            for event in history
                .iter_mut()
                .skip(end)
                .take(usize::try_from(*life).expect("small"))
            {
                event.envelope.incarnation = incarnation;
            }
            end += usize::try_from(*life).expect("small");
        }
        Arc::new(Self {
            history,
            incarnation,
            reads: AtomicU64::new(0),
        })
    }
}

#[async_trait]
impl EventLog for Restored {
    fn registry(&self) -> Arc<Registry> {
        Arc::new(Registry::try_new(&sample::families()).expect("valid"))
    }
    async fn append(
        &self,
        _: Vec<AppendCommand>,
        _: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        Err(LogError::Malformed("this log is only read".into()))
    }
    async fn read_stream(&self, _: StreamId, _: u64, _: usize) -> Result<Vec<StoredEvent>, LogError> {
        Ok(Vec::new())
    }
    async fn read_shard(
        &self,
        _: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let after = usize::try_from(after).expect("small");
        Ok(self.history.iter().skip(after).take(limit).cloned().collect())
    }
    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        let head = Head {
            incarnation: self.incarnation,
            position: self.history.len() as u64,
            hlc: Hlc(1),
        };
        Ok(BTreeMap::from([(SHARD, head)]))
    }
    async fn wait_beyond(&self, _: ShardNumber, _: u64) -> Result<(), LogError> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(())
    }
    async fn load_snapshot(&self, _: StreamId, _: u32) -> Result<Option<Snapshot>, LogError> {
        Ok(None)
    }
    async fn save_snapshot(&self, _: StreamId, _: u32, _: Snapshot) -> Result<(), LogError> {
        Ok(())
    }
}

#[tokio::test]
async fn new_life_should_be_published_from_its_first_event() {
    // Written by each life, the cursor that was kept in an earlier one, and where publishing has to begin.
    let cases: [(&[u64], u64, u64); 5] = [
        (&[500, 30], 900, 501),
        (&[500, 30], 400, 401),
        (&[500, 0], 900, 501),
        (&[200, 100, 50], 1_000, 301),
        (&[0, 40], 7, 1),
    ];
    for (lives, cursor, first) in cases {
        let log = Restored::new(lives);
        let bench = Bench::new(log.clone(), 51, 0);
        let mark = Mark {
            position: cursor,
            hash: Some([9; 32]),
            ..Mark::start(SHARD)
        };
        bench
            .notes
            .kept
            .lock()
            .expect("no panic while held")
            .insert("relay/0".into(), serde_json::to_vec(&mark).expect("plain data"));
        let last = lives.iter().sum::<u64>();
        let stop = CancellationToken::new();
        let relay = bench.relay("one");
        tokio::join!(relay.run(SHARD, &stop), async {
            if first > last {
                let before = log.reads.load(Ordering::Relaxed);
                bench
                    .until("reads", |_| log.reads.load(Ordering::Relaxed) > before + 20)
                    .await;
            } else {
                bench
                    .until("the cursor", |b| {
                        b.note().is_some_and(|note| note.position == last)
                    })
                    .await;
            }
            stop.cancel();
        });
        let seen = bench.bus.seen.lock().expect("no panic while held");
        let expected: Vec<_> = (first..=last).map(|p| (log.incarnation, p)).collect();
        assert_eq!(
            seen.get(&SHARD).cloned().unwrap_or_default(),
            expected,
            "{lives:?} {cursor}"
        );
    }
}

/// Time that passes only while somebody sleeps, and remembers for how long.
#[derive(Default)]
struct Sleepless {
    now: AtomicU64,
    pauses: Mutex<Vec<u64>>,
}

#[async_trait]
impl Clock for Sleepless {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(i64::try_from(self.now.load(Ordering::Relaxed)).expect("small"))
    }
    async fn sleep_ms(&self, ms: u64) {
        self.now.fetch_add(ms * 1_000, Ordering::Relaxed);
        self.pauses.lock().expect("no panic while held").push(ms);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn repetitions_should_come_ever_less_often_and_not_in_step() {
    let disk = Disk::new();
    let log = disk.log();
    append(&log, &mut Writer::new(stream(0, 1)), 1).await;
    let mut bench = Bench::new(log, 61, 0);
    bench.bus = Recorder::new(61, 100);
    let clock = Arc::new(Sleepless::default());
    bench.clock = clock.clone();
    let mut ports = RelayPorts {
        log: bench.log.clone(),
        publisher: bench.bus.clone(),
        progress: bench.notes.clone(),
        leases: bench.desk.clone(),
        clock: clock.clone(),
        rng: bench.bus.dice.clone(),
        observer: bench.diary.clone(),
    };
    ports.leases = Arc::new(Desk {
        gives_all: AtomicBool::new(true),
        ..Desk::default()
    });
    let relay = Relay::new(ports, RelayOptions::default(), "one");
    let stop = CancellationToken::new();
    tokio::join!(relay.run(SHARD, &stop), async {
        bench
            .until("enough failures", |b| b.bus.calls.load(Ordering::Relaxed) > 40)
            .await;
        stop.cancel();
    });
    let pauses = clock.pauses.lock().expect("no panic while held");
    for (n, pause) in pauses.iter().take(40).enumerate() {
        let whole = (100u64 << n.min(16)).min(10_000);
        assert!(
            (whole / 2..=whole).contains(pause),
            "pause {n} was {pause} ms of {whole}"
        );
    }
    let late: std::collections::BTreeSet<_> = pauses.iter().skip(10).take(30).collect();
    assert!(late.len() > 10, "spread by chance: {late:?}");
}
