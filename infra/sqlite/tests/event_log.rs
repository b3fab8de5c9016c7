//! The embedded log, progress, leases and gate of event versions against the suites of their ports, on real files.

use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use vaultstream_domain::ports::conformance::{event_log, leases, progress, sample, version_gate};
use vaultstream_infra_sqlite::{Options, SqliteLeases, SqliteLog, SqliteProgress, SqliteVersionGate};

/// Makes each log in a file of its own; the last one made is the one that is reopened.
struct Files {
    dir: tempfile::TempDir,
    last: Mutex<(u32, PathBuf)>,
}

impl Files {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
            last: Mutex::default(),
        }
    }
    fn next(&self) -> PathBuf {
        let mut last = self.last.lock().expect("no test panics while it holds this");
        last.0 += 1;
        last.1 = self.dir.path().join(format!("{}.db", last.0));
        last.1.clone()
    }
    fn last(&self) -> PathBuf {
        self.last
            .lock()
            .expect("no test panics while it holds this")
            .1
            .clone()
    }
}

fn open(path: PathBuf) -> SqliteLog {
    SqliteLog::open(&Options::new(path, sample::families())).expect("the log opens")
}

#[async_trait]
impl event_log::Harness for Files {
    type Log = SqliteLog;
    async fn fresh(&self) -> SqliteLog {
        open(self.next())
    }
    async fn reopen(&self, log: SqliteLog) -> SqliteLog {
        drop(log);
        open(self.last())
    }
}

#[async_trait]
impl progress::Harness for Files {
    type Progress = SqliteProgress;
    async fn fresh(&self) -> SqliteProgress {
        SqliteProgress::open(&self.next()).expect("the file opens")
    }
    async fn reopen(&self, progress: SqliteProgress) -> SqliteProgress {
        drop(progress);
        SqliteProgress::open(&self.last()).expect("the file opens")
    }
}

#[async_trait]
impl leases::Harness for Files {
    type Leases = SqliteLeases;
    async fn fresh(&self) -> SqliteLeases {
        SqliteLeases::open(&self.next()).expect("the file opens")
    }
    async fn reopen(&self, leases: SqliteLeases) -> SqliteLeases {
        drop(leases);
        SqliteLeases::open(&self.last()).expect("the file opens")
    }
}

#[async_trait]
impl version_gate::Harness for Files {
    type Gate = SqliteVersionGate;
    async fn fresh(&self) -> SqliteVersionGate {
        SqliteVersionGate::open(&self.next()).expect("the file opens")
    }
    async fn reopen(&self, gate: SqliteVersionGate) -> SqliteVersionGate {
        drop(gate);
        SqliteVersionGate::open(&self.last()).expect("the file opens")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_log_should_keep_the_contract_of_the_event_log() {
    event_log::suite(&Files::new()).await;
}

#[tokio::test]
async fn sqlite_progress_should_keep_the_contract_of_progress() {
    progress::suite(&Files::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_leases_should_keep_the_contract_of_leases() {
    leases::suite(&Files::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_gate_should_keep_the_contract_of_the_version_gate() {
    version_gate::suite(&Files::new()).await;
}
