//! The executor on a log that fails, answers unclearly, blocks, or is written by others at the worst moment.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::join_all;
use proptest::prelude::*;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Coded;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::Writer;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, Head, LogError, Snapshot};
use vaultstream_domain::vault::VaultError;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{ErrorCode, Registry, ShardNumber, StreamId, Timestamp};
use vaultstream_kernel::{ExecuteError, Executor, Options};

use crate::node::{
    Case, Disk, Still, change, events, increment, number, ports, renamed, run, shift, stored_number, vault,
};

/// What happens to one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    None,
    /// It fails, and nothing was written.
    Before,
    /// It is written, and then the answer is lost.
    After,
    /// The shard is said to live another life.
    Incarnation,
    /// Somebody else appends to vault 1 first.
    Race,
}

/// The real log behind faults: each append takes the next one of the plan, and the last one for ever.
pub struct Faulty {
    inner: Arc<dyn EventLog>,
    plan: Mutex<Vec<Fault>>,
    appends: AtomicU32,
    /// A permit an append; who takes them all holds appends up.
    pub gate: Semaphore,
}

impl Faulty {
    pub fn new(inner: Arc<dyn EventLog>, plan: &[Fault]) -> Arc<Self> {
        let plan = Mutex::new(plan.iter().rev().copied().collect());
        Arc::new(Self {
            inner,
            plan,
            appends: AtomicU32::new(0),
            gate: Semaphore::new(100),
        })
    }

    fn next(&self) -> Fault {
        self.appends.fetch_add(1, Ordering::Relaxed);
        let mut plan = self.plan.lock().expect("no test panics while it holds this");
        if plan.len() > 1 {
            plan.pop().unwrap_or(Fault::None)
        } else {
            plan.last().copied().unwrap_or(Fault::None)
        }
    }

    fn lost() -> LogError {
        LogError::Engine {
            doing: "append",
            source: "the line was cut".into(),
        }
    }

    async fn race(&self) {
        let events = self
            .inner
            .read_stream(vault(1), 0, 10_000)
            .await
            .expect("readable");
        let mut writer = Writer::new(vault(1));
        if let Some(last) = events.last() {
            writer = Writer {
                version: last.envelope.sequence,
                hash: last.hash,
                ..writer
            };
        }
        let name = (writer.version + 1).to_string();
        self.inner
            .append(vec![writer.command(&name, 1)], None)
            .await
            .expect("taken");
    }
}

#[async_trait]
impl EventLog for Faulty {
    fn registry(&self) -> Arc<Registry> {
        self.inner.registry()
    }
    async fn append(
        &self,
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        let _permit = self.gate.acquire().await.expect("the gate is never closed");
        match self.next() {
            Fault::None => self.inner.append(batch, now).await,
            Fault::Before => Err(Self::lost()),
            Fault::After => {
                self.inner.append(batch, now).await?;
                Err(Self::lost())
            }
            Fault::Incarnation => Err(LogError::Incarnation {
                shard: ShardNumber(0),
                actual: 2,
                given: 1,
            }),
            Fault::Race => {
                self.race().await;
                self.inner.append(batch, now).await
            }
        }
    }
    async fn read_stream(&self, s: StreamId, after: u64, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.inner.read_stream(s, after, limit).await
    }
    async fn read_shard(
        &self,
        s: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.inner.read_shard(s, after, limit).await
    }
    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        self.inner.heads().await
    }
    async fn wait_beyond(&self, shard: ShardNumber, position: u64) -> Result<(), LogError> {
        self.inner.wait_beyond(shard, position).await
    }
    async fn load_snapshot(&self, stream: StreamId, fold: u32) -> Result<Option<Snapshot>, LogError> {
        self.inner.load_snapshot(stream, fold).await
    }
    async fn save_snapshot(&self, stream: StreamId, fold: u32, snapshot: Snapshot) -> Result<(), LogError> {
        self.inner.save_snapshot(stream, fold, snapshot).await
    }
}

/// An executor whose pauses take no time, on a log with faults.
fn node(disk: &Disk, plan: &[Fault], options: Options) -> (Arc<Faulty>, Executor) {
    let log = Faulty::new(disk.log(), plan);
    let mut ports = ports(log.clone());
    ports.clock = Arc::new(Still(0));
    (log, Executor::start(options, ports, CancellationToken::new()))
}

#[tokio::test]
async fn unclear_answers_should_be_resolved_by_sending_again() {
    for plan in [
        vec![Fault::After, Fault::None],
        vec![
            Fault::Before,
            Fault::After,
            Fault::After,
            Fault::Before,
            Fault::None,
        ],
        vec![Fault::None, Fault::After, Fault::None],
        vec![Fault::After, Fault::Incarnation, Fault::None],
        vec![Fault::Before, Fault::Incarnation, Fault::None],
    ] {
        let disk = Disk::new();
        let (log, executor) = node(&disk, &plan, Options::default());
        let answers = join_all((0..20).map(|_| run(&executor, increment(vault(1))))).await;
        let mut sequences: Vec<_> = answers
            .iter()
            .map(|a| a.as_ref().expect("committed").events[0].sequence)
            .collect();
        sequences.sort_unstable();
        assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
        assert_eq!(events(&*log).await.len(), 20, "nothing twice");
    }
}

#[tokio::test]
async fn log_that_stays_away_should_be_reported_and_recover() {
    let disk = Disk::new();
    let options = Options {
        append_tries: 3,
        in_flight: 1,
        ..Options::default()
    };
    let plan = [
        Fault::None,
        Fault::After,
        Fault::Before,
        Fault::Before,
        Fault::None,
    ];
    let (log, executor) = node(&disk, &plan, options);
    run(&executor, increment(vault(1))).await.expect("committed");
    let failed = run(&executor, increment(vault(1)))
        .await
        .expect_err("three tries are in vain");
    assert!(matches!(failed, ExecuteError::Log(_)));
    assert_eq!(failed.code(), ErrorCode::StorageUnavailable);
    assert_eq!(events(&*log).await.len(), 2, "it became durable all the same");
    run(&executor, increment(vault(1))).await.expect("committed");
    assert_eq!(
        stored_number(&*log, vault(1)).await,
        3,
        "decided on what is durable, not on what was in memory"
    );
}

#[tokio::test]
async fn races_should_be_decided_again_and_end_as_contention() {
    let disk = Disk::new();
    let (log, executor) = node(
        &disk,
        &[Fault::Race, Fault::Race, Fault::None],
        Options::default(),
    );
    let committed = run(&executor, increment(vault(1)))
        .await
        .expect("committed at last");
    assert_eq!(committed.events[0].sequence, 3);
    assert_eq!(stored_number(&*log, vault(1)).await, 3);

    let disk = Disk::new();
    let (log, executor) = node(&disk, &[Fault::Race], Options::default());
    let (gave_up, neighbour) = tokio::join!(
        run(&executor, increment(vault(1))),
        run(&executor, increment(vault(2)))
    );
    assert!(matches!(gave_up, Err(ExecuteError::Contention(16))));
    neighbour.expect("not touched");
    assert_eq!(stored_number(&*log, vault(2)).await, 1);
}

/// One command writes vault 1, the next only reads it and writes vault 2 from what it read. The write loses a race, in
/// which vault 1 reaches the same version with another meaning. A version alone would not tell.
#[tokio::test]
async fn reader_of_a_state_that_was_lost_should_decide_again() {
    let disk = Disk::new();
    let (log, executor) = node(&disk, &[Fault::Race, Fault::None], Options::default());
    let write = Case::reading(vec![vault(1)], |states, _| match states.version(vault(1)) {
        0 => Ok(vec![change(vault(1), vec![renamed("mine")])]),
        _ => Err(VaultError::Archived.into()),
    });
    let copy = Case::reading(vec![vault(1), vault(2)], |states, _| {
        let name = crate::node::state(states, vault(1)).name.clone();
        Ok(vec![change(vault(2), vec![renamed(name)])])
    });
    let (write, copy) = tokio::join!(run(&executor, write), run(&executor, copy));
    assert!(
        matches!(write, Err(ExecuteError::Refused(_))),
        "refused on what the other wrote"
    );
    copy.expect("committed");
    assert_eq!(
        stored_number(&*log, vault(2)).await,
        1,
        "the name the other gave, not the one that was lost"
    );
}

#[tokio::test]
async fn reader_of_a_busy_stream_should_not_be_put_off_for_ever() {
    let disk = Disk::new();
    let (log, executor) = node(
        &disk,
        &[Fault::None],
        Options {
            batch_commands: 4,
            ..Options::default()
        },
    );
    let busy = {
        let executor = executor.clone();
        async move {
            for _ in 0..200 {
                join_all((0..8).map(|_| run(&executor, increment(vault(1))))).await;
            }
        }
    };
    let reader = async {
        let mut answered_at = Vec::new();
        for _ in 0..20 {
            let nothing = Case::reading(vec![vault(1)], |_, _| Ok(vec![]));
            let seen = run(&executor, nothing).await.expect("answered");
            answered_at.push(number(&seen.states, vault(1)));
        }
        answered_at
    };
    let ((), seen) = tokio::join!(busy, reader);
    assert_eq!(stored_number(&*log, vault(1)).await, 1_600);
    assert!(seen.is_sorted(), "what was read only grows: {seen:?}");
    assert!(
        seen.last().is_some_and(|last| *last < 1_600),
        "answered while the stream was busy: {seen:?}"
    );
}

#[tokio::test]
async fn another_life_of_the_shard_should_be_decided_on_anew() {
    let disk = Disk::new();
    let (log, executor) = node(
        &disk,
        &[Fault::None, Fault::Incarnation, Fault::None],
        Options::default(),
    );
    for _ in 0..3 {
        run(&executor, increment(vault(1))).await.expect("committed");
    }
    assert_eq!(stored_number(&*log, vault(1)).await, 3);
    assert_eq!(log.appends.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn full_queue_without_a_line_should_turn_commands_away_and_keep_its_promises() {
    let disk = Disk::new();
    let options = Options {
        queue: 8,
        line: 0,
        batch_commands: 2,
        in_flight: 1,
        ..Options::default()
    };
    let (log, executor) = node(&disk, &[Fault::None], options);
    let closed = log
        .gate
        .acquire_many(100)
        .await
        .expect("the gate is never closed for good");
    let pending = join_all((0..64).map(|_| run(&executor, increment(vault(1)))));
    let open = async {
        tokio::task::yield_now().await;
        drop(closed);
    };
    let (answers, ()) = tokio::join!(pending, open);
    let done = answers.iter().filter(|a| a.is_ok()).count();
    let turned_away = answers
        .iter()
        .filter(|a| matches!(a, Err(ExecuteError::Overloaded)))
        .count();
    assert_eq!(done + turned_away, 64);
    assert!(
        turned_away > 0 && done >= 8,
        "{done} done, {turned_away} turned away"
    );
    assert_eq!(
        stored_number(&*log, vault(1)).await,
        done as u64,
        "each promise kept, nothing else done"
    );
}

/// Commands of two nodes on one log, each behind its own faults: everything that was counted up is somewhere, once,
/// and every answer says what happened.
async fn totals_are_conserved(plans: [Vec<Fault>; 2], commands: Vec<(bool, u64, u64)>) {
    let disk = Disk::new();
    let log: Arc<dyn EventLog> = disk.log();
    let nodes: Vec<_> = plans
        .iter()
        .map(|plan| {
            let mut ports = ports(Faulty::new(
                log.clone(),
                &[plan.as_slice(), &[Fault::None]].concat(),
            ));
            ports.clock = Arc::new(Still(0));
            let options = Options {
                batch_commands: 3,
                attempts: 10_000,
                append_tries: 40,
                ..Options::default()
            };
            Executor::start(options, ports, CancellationToken::new())
        })
        .collect();
    let mut ups = 0;
    let mut running = Vec::new();
    for (n, (up, from, to)) in commands.into_iter().enumerate() {
        let case = if up || from == to {
            increment(vault(from))
        } else {
            shift(vault(from), vault(to))
        };
        ups += u64::from(up || from == to);
        running.push(run(&nodes[n % 2], case));
    }
    let answers = join_all(running).await;
    let mut told = 0;
    for answer in &answers {
        told += answer
            .as_ref()
            .expect("patience outlasts every fault")
            .events
            .len();
    }
    let stored = events(&*log).await;
    assert_eq!(stored.len(), told, "each event was told of, once");
    let mut total = 0;
    for n in 0..4 {
        total += stored_number(&*log, vault(n)).await;
    }
    assert_eq!(total, ups);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn totals_should_be_conserved_under_any_faults(
        plans in [prop::collection::vec(fault(), 0..12), prop::collection::vec(fault(), 0..12)],
        commands in prop::collection::vec((any::<bool>(), 0u64..4, 0u64..4), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(totals_are_conserved(plans, commands));
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::None),
        2 => Just(Fault::Before),
        2 => Just(Fault::After),
        1 => Just(Fault::Incarnation),
    ]
}
