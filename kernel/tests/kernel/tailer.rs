//! Following: from scan to live, over a bus that repeats and loses, from marks that are right and wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::conformance::sample::{Writer, at, stream};
use vaultstream_domain::ports::{Bus, EventLog};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::SqliteLog;
use vaultstream_kernel::consumer::RunError;
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{Batch, Consumer, ConsumerError, LogBus, Mark, TailError, Tailer, TracingObserver};

use crate::node::Disk;

const SHARD: ShardNumber = ShardNumber(0);

fn tailer(bus: Arc<dyn Bus>, log: Arc<SqliteLog>, batch: usize) -> Tailer {
    let options = TailOptions {
        batch,
        pause_ms: 1,
        ..TailOptions::default()
    };
    Tailer::new(
        bus,
        log,
        Arc::new(SystemClock),
        Arc::new(TracingObserver),
        options,
    )
}

fn embedded(log: &Arc<SqliteLog>, batch: usize) -> Tailer {
    tailer(Arc::new(LogBus::new(log.clone())), log.clone(), batch)
}

async fn append(log: &SqliteLog, writer: &mut Writer, count: usize) {
    for _ in 0..count {
        log.append(vec![writer.command("x", 1)], Some(at(0)))
            .await
            .expect("taken");
    }
}

/// Fails, repeats what was asked before, loses records in the middle and at the start.
struct BadBus {
    inner: LogBus,
    calls: AtomicU64,
}

#[async_trait]
impl Bus for BadBus {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call % 5 == 4 {
            return Err(BusError {
                doing: "fetch",
                source: "the broker is away".into(),
            });
        }
        let mut records = self
            .inner
            .fetch(shard, after.saturating_sub(call % 3 * 4), limit)
            .await?;
        match call % 4 {
            1 => drop(records.drain(..records.len() / 2)),
            2 => records.retain(|r| r.position % 7 != 3),
            3 => records.extend(records.clone()),
            _ => {}
        }
        Ok(records)
    }
}

#[tokio::test]
async fn bus_of_the_log_should_keep_the_contract_of_the_bus() {
    let disk = Disk::new();
    let log = disk.log();
    vaultstream_domain::ports::conformance::bus::suite(&*log, &LogBus::new(log.clone())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follower_should_be_dense_over_a_bad_bus_from_scan_to_live() {
    let disk = Disk::new();
    let log = disk.log();
    let mut writer = Writer::new(stream(0, 1));
    append(&log, &mut writer, 120).await;
    let bad = BadBus {
        inner: LogBus::new(log.clone()),
        calls: AtomicU64::new(0),
    };
    let mut follower = tailer(Arc::new(bad), log.clone(), 16)
        .follow_from_start(SHARD)
        .await
        .expect("starts");
    let live = {
        let log = log.clone();
        tokio::spawn(async move { append(&log, &mut writer, 180).await })
    };
    let mut next = 1;
    while next <= 300 {
        let Some(batch) = follower.next().await.expect("goes on") else {
            continue;
        };
        for event in &batch.events {
            assert_eq!(event.position, next);
            next += 1;
        }
        assert_eq!(
            (batch.mark.position, batch.mark.hash),
            (next - 1, batch.events.last().map(|e| e.hash))
        );
    }
    live.await.expect("ends well");
}

#[tokio::test]
async fn follower_should_start_only_on_its_own_history() {
    let disk = Disk::new();
    let log = disk.log();
    append(&log, &mut Writer::new(stream(0, 1)), 10).await;
    let tailer = embedded(&log, 100);
    let mut follower = tailer.follow_from_start(SHARD).await.expect("starts");
    let mark = follower.next().await.expect("goes on").expect("ten events").mark;
    assert_eq!((mark.position, mark.incarnation), (10, 1));

    tailer.follow(mark).await.expect("its own history");
    tailer
        .follow(Mark { hash: None, ..mark })
        .await
        .expect("a place of a token has no hash");
    let middle = Mark {
        position: 4,
        hash: None,
        ..mark
    };
    let mut resumed = tailer.follow(middle).await.expect("resumes in the middle");
    let events = resumed.next().await.expect("goes on").expect("the rest").events;
    assert_eq!(
        events.iter().map(|e| e.position).collect::<Vec<_>>(),
        (5..=10).collect::<Vec<_>>()
    );

    let wrong = [
        Mark {
            hash: Some([7; 32]),
            ..mark
        },
        Mark { position: 9, ..mark },
        Mark {
            position: 11,
            hash: None,
            ..mark
        },
        Mark { position: 11, ..mark },
    ];
    for wrong in wrong {
        let refused = tailer.follow(wrong).await.err();
        assert!(
            matches!(refused, Some(TailError::History { .. })),
            "{wrong:?}: {refused:?}"
        );
    }
    let life = tailer
        .follow(Mark {
            incarnation: 2,
            ..mark
        })
        .await
        .err();
    assert!(matches!(
        life,
        Some(TailError::Incarnation {
            actual: 1,
            known: 2,
            ..
        })
    ));
    let unknown = tailer.follow_from_start(ShardNumber(99)).await.err();
    assert!(matches!(unknown, Some(TailError::Unknown(ShardNumber(99)))));
    let now = tailer.follow_from_now(SHARD).await.expect("starts at the head");
    assert_eq!(now.mark().position, 10);
}

/// Counts what it takes; fails as it is told to; keeps its mark across runs.
#[derive(Default)]
struct Counter {
    mark: Option<Mark>,
    taken: Vec<u64>,
    fail: Vec<bool>,
    until: u64,
    done: CancellationToken,
}

#[async_trait]
impl Consumer for Counter {
    fn id(&self) -> &str {
        "counter"
    }
    async fn mark(&mut self, _: ShardNumber) -> Result<Option<Mark>, ConsumerError> {
        Ok(self.mark)
    }
    async fn apply(&mut self, batch: &Batch) -> Result<(), ConsumerError> {
        match self.fail.pop() {
            Some(true) => return Err(ConsumerError::Stop("cannot go on".into())),
            Some(false) => return Err(ConsumerError::Retry("not now".into())),
            None => {}
        }
        self.taken.extend(batch.events.iter().map(|e| e.position));
        self.mark = Some(batch.mark);
        if batch.mark.position >= self.until {
            self.done.cancel();
        }
        Ok(())
    }
}

#[tokio::test]
async fn consumer_should_be_repeated_stopped_and_resumed() {
    let disk = Disk::new();
    let log = disk.log();
    append(&log, &mut Writer::new(stream(0, 1)), 25).await;
    let tailer = embedded(&log, 10);
    let mut counter = Counter {
        fail: vec![true, false, false],
        until: 25,
        ..Counter::default()
    };
    let done = counter.done.clone();
    let stopped = tailer.run(&mut counter, SHARD, &done).await;
    assert!(
        matches!(stopped, Err(RunError::Consumer(ConsumerError::Stop(_)))),
        "retried twice, then stopped"
    );
    assert!(counter.taken.is_empty());
    tailer
        .run(&mut counter, SHARD, &done)
        .await
        .expect("ends when it is done");
    assert_eq!(counter.taken, (1..=25).collect::<Vec<_>>());

    counter.mark = counter.mark.map(|mark| Mark {
        hash: Some([0; 32]),
        ..mark
    });
    counter.done = CancellationToken::new();
    let lost = tailer.run(&mut counter, SHARD, &CancellationToken::new()).await;
    assert!(matches!(
        lost,
        Err(RunError::Tail(TailError::History { position: 25, .. }))
    ));
}

#[tokio::test]
async fn following_all_shards_should_merge_and_end_with_its_reader() {
    let disk = Disk::new();
    let log = disk.log();
    let spawn = TokioSpawn::new(Handle::current());
    let shards = [0u16, 1, 3];
    let marks = shards.iter().map(|s| Mark::start(ShardNumber(*s))).chain([Mark {
        position: 5,
        ..Mark::start(ShardNumber(4))
    }]);
    let shutdown = CancellationToken::new();
    let mut batches = embedded(&log, 8).follow_all(marks.collect(), &spawn, &shutdown);
    let seen = Mutex::new([0u64; 5]);
    for shard in shards {
        append(&log, &mut Writer::new(stream(shard, 1)), 20).await;
    }
    let mut errors = 0;
    let all = async {
        while seen.lock().expect("single task").iter().sum::<u64>() < 60 {
            match batches.recv().await.expect("goes on") {
                Ok(batch) => {
                    let mut seen = seen.lock().expect("single task");
                    let last = &mut seen[usize::from(batch.mark.shard.0)];
                    assert_eq!(batch.events[0].position, *last + 1, "in order within its shard");
                    *last = batch.mark.position;
                }
                Err(TailError::History {
                    shard: ShardNumber(4),
                    ..
                }) => errors += 1,
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all)
        .await
        .expect("all come");
    assert_eq!(
        errors, 1,
        "a follower that cannot start says so, the others go on"
    );
    shutdown.cancel();
    let ended = async { while batches.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), ended)
        .await
        .expect("the followers end");
}

/// A bus that keeps only what is beyond `floor`, is silent, or is gone.
struct ThinBus {
    inner: LogBus,
    floor: u64,
    gone: bool,
    fetches: AtomicU64,
}

#[async_trait]
impl Bus for ThinBus {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        if self.gone {
            return Err(BusError {
                doing: "fetch",
                source: "no broker answers".into(),
            });
        }
        if self.floor == u64::MAX {
            return Ok(Vec::new());
        }
        self.inner.fetch(shard, after.max(self.floor), limit).await
    }
}

/// Follows to `until` and gives the sizes of the batches.
async fn follow_to(follower: &mut vaultstream_kernel::Follower, until: u64) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut next = follower.mark().position + 1;
    while next <= until {
        let Some(batch) = follower.next().await.expect("goes on") else {
            continue;
        };
        for event in &batch.events {
            assert_eq!(event.position, next);
            next += 1;
        }
        sizes.push(batch.events.len());
    }
    sizes
}

#[tokio::test]
async fn start_below_retention_should_scan_the_log_and_then_join() {
    let disk = Disk::new();
    let log = disk.log();
    let mut writer = Writer::new(stream(0, 1));
    append(&log, &mut writer, 400).await;
    let bus = Arc::new(ThinBus {
        inner: LogBus::new(log.clone()),
        floor: 320,
        gone: false,
        fetches: AtomicU64::new(0),
    });
    let mut follower = tailer(bus.clone(), log.clone(), 32)
        .follow_from_start(SHARD)
        .await
        .expect("starts");
    let sizes = follow_to(&mut follower, 352).await;
    assert!(
        sizes.iter().all(|size| *size <= 32),
        "batches keep their bound: {sizes:?}"
    );
    assert_eq!(
        bus.fetches.load(Ordering::Relaxed),
        1,
        "the bus's first records wait while the log is read up to them"
    );
    append(&log, &mut writer, 5).await;
    follow_to(&mut follower, 405).await;
}

#[tokio::test]
async fn bus_that_is_silent_or_gone_should_delay_a_follower_and_not_stop_it() {
    for (floor, gone) in [(u64::MAX, false), (0, true)] {
        let disk = Disk::new();
        let log = disk.log();
        let mut writer = Writer::new(stream(0, 1));
        append(&log, &mut writer, 50).await;
        let bus = ThinBus {
            inner: LogBus::new(log.clone()),
            floor,
            gone,
            fetches: AtomicU64::new(0),
        };
        let mut follower = tailer(Arc::new(bus), log.clone(), 100)
            .follow_from_start(SHARD)
            .await
            .expect("starts");
        assert_eq!(follow_to(&mut follower, 50).await, [50]);
        append(&log, &mut writer, 10).await;
        follow_to(&mut follower, 60).await;
    }
}
