//! The list of marks in the database of the checkpoints: its contract, and what it refuses.

use std::sync::Mutex;

use async_trait::async_trait;
use sqlx::{Connection, Executor};
use vaultstream_domain::ports::Marks;
use vaultstream_domain::ports::conformance::marks::{self, sample};
use vaultstream_infra_postgres::{Migrate, OpenError, PgCheckpoints, PgMarks};

use super::ground::{connect, database};

async fn checkpoints(url: &str, migrate: Migrate) -> PgCheckpoints {
    PgCheckpoints::open(url, "test", migrate).await.expect("opens")
}

/// Makes lists in databases of their own; the last one made is the one that is reopened.
#[derive(Default)]
struct Databases(Mutex<String>);

#[async_trait]
impl marks::Harness for Databases {
    type Marks = PgMarks;
    async fn fresh(&self) -> PgMarks {
        let url = database().await;
        self.0.lock().expect("no test panics here").clone_from(&url);
        let list = checkpoints(&url, Migrate::Apply).await;
        list.marks(Migrate::Apply).await.expect("opens")
    }
    async fn reopen(&self, before: PgMarks) -> PgMarks {
        drop(before);
        let url = self.0.lock().expect("no test panics here").clone();
        let list = checkpoints(&url, Migrate::Refuse).await;
        list.marks(Migrate::Refuse).await.expect("opens again")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_should_keep_the_contract_of_marks() {
    marks::suite(&Databases::default()).await;
}

#[tokio::test]
async fn table_of_marks_should_be_made_by_the_migration_only() {
    let url = database().await;
    let list = checkpoints(&url, Migrate::Apply).await;
    let refused = list.marks(Migrate::Refuse).await;
    assert!(
        matches!(refused, Err(OpenError::Older { found: 1, .. })),
        "{refused:?}"
    );
    list.marks(Migrate::Apply).await.expect("made");
    list.marks(Migrate::Refuse).await.expect("there");
}

#[tokio::test]
async fn marks_should_resist_change_and_the_newest_its_removal() {
    let url = database().await;
    let list = checkpoints(&url, Migrate::Apply).await;
    let list = list.marks(Migrate::Apply).await.expect("opens");
    for number in 1..=3 {
        list.append(&sample(number, 0)).await.expect("kept");
    }
    let mut stranger = connect(&url).await;
    for statement in [
        "UPDATE vaultstream_checkpoints.mark SET note = 'x'",
        "DELETE FROM vaultstream_checkpoints.mark",
        "DELETE FROM vaultstream_checkpoints.mark WHERE number = 3",
        "TRUNCATE vaultstream_checkpoints.mark",
    ] {
        let said = stranger
            .execute(statement)
            .await
            .expect_err(statement)
            .to_string();
        assert!(said.contains("never changed"), "{statement}: {said}");
    }
    stranger
        .execute("DELETE FROM vaultstream_checkpoints.mark WHERE number < 3")
        .await
        .expect("old ones may go");
    stranger.close().await.expect("closes");
    assert_eq!(list.read(0, 10).await.expect("readable"), [sample(3, 0)]);
    list.append(&sample(4, 0)).await.expect("goes on");
}
