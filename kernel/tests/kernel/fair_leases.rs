//! Several processes that ask for the same leases, on a real book of leases: each comes to hold its part.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::{Clock, Leases};
use vaultstream_event_schemas::Timestamp;
use vaultstream_infra_sqlite::SqliteLeases;
use vaultstream_kernel::{FairLeases, TracingObserver};

const TTL: Duration = Duration::from_secs(60);

/// Time that passes when a round ends.
#[derive(Default)]
struct Rounds(AtomicI64);

#[async_trait]
impl Clock for Rounds {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
    async fn sleep_ms(&self, _: u64) {}
}

struct Book {
    leases: Arc<SqliteLeases>,
    clock: Arc<Rounds>,
    names: Vec<String>,
    _dir: tempfile::TempDir,
}

/// A process that works under every lease it gets and lets go of what it is told it has lost.
struct Process {
    name: &'static str,
    leases: FairLeases,
    working: BTreeSet<String>,
}

impl Book {
    fn new(names: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let leases = SqliteLeases::open(&dir.path().join("leases.db")).expect("opens");
        Self {
            leases: Arc::new(leases),
            clock: Arc::default(),
            names: (0..names).map(|n| format!("relay/{n}")).collect(),
            _dir: dir,
        }
    }

    fn process(&self, name: &'static str) -> Process {
        let (clock, observer) = (self.clock.clone(), Arc::new(TracingObserver));
        Process {
            name,
            leases: FairLeases::new(self.leases.clone(), clock, observer),
            working: BTreeSet::new(),
        }
    }

    /// Every process asks for everything once. No lease is ever worked under twice.
    async fn round(&self, processes: &mut [Process]) -> Vec<usize> {
        self.clock.0.fetch_add(2_100_000, Ordering::SeqCst);
        for process in processes.iter_mut() {
            process.ask_for_all(&self.names).await;
        }
        let counts: Vec<usize> = processes.iter().map(|p| p.working.len()).collect();
        let all: BTreeSet<_> = processes.iter().flat_map(|p| &p.working).collect();
        assert_eq!(all.len(), counts.iter().sum::<usize>(), "one at a time");
        for process in processes.iter() {
            for name in &self.names {
                assert_eq!(
                    process.leases.holds(name),
                    process.working.contains(name),
                    "{name}"
                );
            }
        }
        counts
    }
}

impl Process {
    async fn ask(&self, name: &str) -> bool {
        self.leases.acquire(name, self.name, TTL).await.expect("answered")
    }

    async fn give_back(&mut self, name: &str) {
        self.leases.release(name, self.name).await.expect("given back");
        self.working.remove(name);
    }

    async fn ask_for_all(&mut self, names: &[String]) {
        for name in names {
            match (self.ask(name).await, self.working.contains(name)) {
                (true, _) => drop(self.working.insert(name.clone())),
                (false, true) => self.give_back(name).await,
                (false, false) => {}
            }
        }
    }

    async fn stop(mut self) {
        for name in self.working.clone() {
            self.give_back(&name).await;
        }
        self.leases.leave(self.name).await.expect("left");
    }
}

#[tokio::test]
async fn leases_should_be_shared_out_as_processes_come_and_go() {
    let book = Book::new(4);
    let mut processes = vec![book.process("a")];
    assert_eq!(book.round(&mut processes).await, [4], "alone it has all");
    processes.push(book.process("b"));
    book.round(&mut processes).await;
    assert_eq!(book.round(&mut processes).await, [2, 2]);
    processes.push(book.process("c"));
    for _ in 0..2 {
        book.round(&mut processes).await;
    }
    assert_eq!(book.round(&mut processes).await, [2, 1, 1], "nobody idles");
    let settled: Vec<_> = processes.iter().map(|p| p.working.clone()).collect();
    assert_eq!(book.round(&mut processes).await, [2, 1, 1]);
    let after: Vec<_> = processes.iter().map(|p| p.working.clone()).collect();
    assert_eq!(after, settled, "what is fair stays where it is");
    processes.remove(0).stop().await;
    book.round(&mut processes).await;
    assert_eq!(book.round(&mut processes).await, [2, 2], "the others take over");
    processes.remove(0).stop().await;
    book.round(&mut processes).await;
    assert_eq!(book.round(&mut processes).await, [4]);
}

#[tokio::test]
async fn processes_beyond_the_leases_should_wait_for_one() {
    let book = Book::new(2);
    let mut processes = vec![book.process("a"), book.process("b"), book.process("c")];
    for _ in 0..3 {
        book.round(&mut processes).await;
    }
    assert_eq!(book.round(&mut processes).await, [1, 1, 0]);
    processes.remove(1).stop().await;
    book.round(&mut processes).await;
    assert_eq!(book.round(&mut processes).await, [1, 1]);
}

#[tokio::test]
async fn leases_should_be_given_back_one_after_the_other() {
    let book = Book::new(4);
    let mut all = vec![book.process("a")];
    book.round(&mut all).await;
    let (mut first, mut second) = (all.remove(0), book.process("b"));
    book.clock.0.fetch_add(2_100_000, Ordering::SeqCst);
    second.ask_for_all(&book.names).await;
    assert!(second.working.is_empty(), "nothing is free yet");
    let mut lost = Vec::new();
    for name in &book.names {
        if !first.ask(name).await {
            lost.push(name.clone());
        }
    }
    assert_eq!(
        lost,
        ["relay/0"],
        "its work has to end before the next is given up"
    );
    for name in &book.names[1..] {
        assert!(first.ask(name).await, "{name} is renewed meanwhile");
    }
    first.give_back("relay/0").await;
    assert!(!first.ask("relay/1").await, "now the next");
    first.give_back("relay/1").await;
    assert!(
        first.ask("relay/2").await && first.ask("relay/3").await,
        "its part"
    );
    assert!(
        !first.ask("relay/0").await,
        "what it gave up is the other's, although it is free"
    );
    second.ask_for_all(&book.names).await;
    assert_eq!(second.working.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_asked_for_at_once_should_not_be_more_than_the_part() {
    let book = Book::new(8);
    let (one, two) = (Arc::new(book.process("a")), Arc::new(book.process("b")));
    for process in [&one, &two] {
        for name in &book.names {
            // Known and counted, and nothing held yet.
            process.ask(name).await;
            process
                .leases
                .release(name, process.name)
                .await
                .expect("given back");
        }
    }
    book.clock.0.fetch_add(2_100_000, Ordering::SeqCst);
    let asked = book.names.iter().flat_map(|name| [(&one, name), (&two, name)]);
    let asked: Vec<_> = asked
        .map(|(process, name)| {
            let (process, name) = (Arc::clone(process), name.clone());
            tokio::spawn(async move { (process.name, process.ask(&name).await) })
        })
        .collect();
    let mut held = [0, 0];
    for task in asked {
        let (name, is_held) = task.await.expect("ends well");
        held[usize::from(name == "b")] += usize::from(is_held);
    }
    assert!(held[0] <= 4 && held[1] <= 4, "{held:?}");
}
