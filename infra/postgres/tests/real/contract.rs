//! The ports' suites, unchanged.

use std::sync::Mutex;

use async_trait::async_trait;
use vaultstream_domain::ports::conformance::{event_log, leases, progress, version_gate};
use vaultstream_infra_postgres::{PgLeases, PgLog, PgProgress, PgVersionGate};

use super::ground::{database, open, options};

/// Makes each adapter in a database of its own; the last one made is the one that is reopened.
#[derive(Default)]
struct Databases {
    last: Mutex<String>,
}

impl Databases {
    async fn next(&self) -> PgLog {
        let url = database().await;
        self.last
            .lock()
            .expect("no test panics while it holds this")
            .clone_from(&url);
        open(&options(&url)).await
    }
    async fn again(&self) -> PgLog {
        let url = self
            .last
            .lock()
            .expect("no test panics while it holds this")
            .clone();
        open(&options(&url)).await
    }
}

#[async_trait]
impl event_log::Harness for Databases {
    type Log = PgLog;
    async fn fresh(&self) -> PgLog {
        self.next().await
    }
    async fn reopen(&self, log: PgLog) -> PgLog {
        log.close().await;
        self.again().await
    }
}

#[async_trait]
impl progress::Harness for Databases {
    type Progress = PgProgress;
    async fn fresh(&self) -> PgProgress {
        PgProgress::new(self.next().await.first_database())
    }
    async fn reopen(&self, progress: PgProgress) -> PgProgress {
        drop(progress);
        PgProgress::new(self.again().await.first_database())
    }
}

#[async_trait]
impl leases::Harness for Databases {
    type Leases = PgLeases;
    async fn fresh(&self) -> PgLeases {
        PgLeases::new(self.next().await.first_database())
    }
    async fn reopen(&self, leases: PgLeases) -> PgLeases {
        drop(leases);
        PgLeases::new(self.again().await.first_database())
    }
}

#[async_trait]
impl version_gate::Harness for Databases {
    type Gate = PgVersionGate;
    async fn fresh(&self) -> PgVersionGate {
        PgVersionGate::new(self.next().await.first_database())
    }
    async fn reopen(&self, gate: PgVersionGate) -> PgVersionGate {
        drop(gate);
        PgVersionGate::new(self.again().await.first_database())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_log_should_keep_the_contract_of_the_event_log() {
    event_log::suite(&Databases::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_progress_should_keep_the_contract_of_progress() {
    progress::suite(&Databases::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_leases_should_keep_the_contract_of_leases() {
    leases::suite(&Databases::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_gate_should_keep_the_contract_of_the_version_gate() {
    version_gate::suite(&Databases::default()).await;
}
