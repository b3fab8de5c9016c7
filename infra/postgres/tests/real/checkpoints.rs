//! The list of checkpoints in a database of its own: its contract, and what it refuses.

use std::sync::Mutex;

use async_trait::async_trait;
use sqlx::{Connection, Executor};
use vaultstream_domain::ports::Checkpoints;
use vaultstream_domain::ports::conformance::checkpoints::{self, sample};
use vaultstream_infra_postgres::{Migrate, OpenError, PgCheckpoints};

use super::ground::{connect, database, open, options};

async fn list(url: &str) -> PgCheckpoints {
    PgCheckpoints::open(url, "test", Migrate::Apply)
        .await
        .expect("opens")
}

/// Makes lists in databases of their own; the last one made is the one that is reopened.
#[derive(Default)]
struct Databases(Mutex<String>);

#[async_trait]
impl checkpoints::Harness for Databases {
    type Checkpoints = PgCheckpoints;
    async fn fresh(&self) -> PgCheckpoints {
        let url = database().await;
        self.0.lock().expect("no test panics here").clone_from(&url);
        list(&url).await
    }
    async fn reopen(&self, before: PgCheckpoints) -> PgCheckpoints {
        before.close().await;
        let url = self.0.lock().expect("no test panics here").clone();
        PgCheckpoints::open(&url, "test", Migrate::Refuse)
            .await
            .expect("opens again")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_should_keep_the_contract_of_checkpoints() {
    checkpoints::suite(&Databases::default()).await;
}

#[tokio::test]
async fn database_of_a_log_should_be_refused() {
    let url = database().await;
    open(&options(&url)).await.close().await;
    for migrate in [Migrate::Apply, Migrate::Refuse] {
        let said = PgCheckpoints::open(&url, "test", migrate)
            .await
            .expect_err("a log")
            .to_string();
        assert!(
            said.starts_with("postgres.checkpoints: url: this database keeps an event log"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn tables_should_be_made_by_the_migration_only_and_belong_to_one_installation() {
    let url = database().await;
    let refused = PgCheckpoints::open(&url, "test", Migrate::Refuse).await;
    assert!(
        matches!(refused, Err(OpenError::Older { found: 0, .. })),
        "{refused:?}"
    );
    list(&url).await.close().await;
    let other = PgCheckpoints::open(&url, "another", Migrate::Apply).await;
    assert!(matches!(other, Err(OpenError::OtherCluster { .. })), "{other:?}");
}

#[tokio::test]
async fn rows_should_resist_change_and_removal() {
    let url = database().await;
    let list = list(&url).await;
    list.append(&sample(1, 0)).await.expect("kept");
    let mut stranger = connect(&url).await;
    for statement in [
        "UPDATE vaultstream_checkpoints.checkpoint SET note = 'x'",
        "DELETE FROM vaultstream_checkpoints.checkpoint",
        "TRUNCATE vaultstream_checkpoints.checkpoint",
    ] {
        let said = stranger
            .execute(statement)
            .await
            .expect_err(statement)
            .to_string();
        assert!(said.contains("never changed or removed"), "{said}");
    }
    stranger.close().await.expect("closes");
    assert_eq!(list.newest().await.expect("readable"), Some(sample(1, 0)));
}
