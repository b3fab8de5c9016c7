//! Lists of notes in a database of their own: their contract, and what they refuse.

use std::sync::Mutex;

use async_trait::async_trait;
use sqlx::{Connection, Executor};
use vaultstream_domain::ports::NoteList;
use vaultstream_domain::ports::conformance::note_list::{self, sample};
use vaultstream_domain::ports::note_list::NoteKind;
use vaultstream_infra_postgres::{Migrate, OpenError, PgNoteList};

use super::ground::{connect, database, open, options};

async fn list(url: &str, kind: NoteKind, migrate: Migrate) -> PgNoteList {
    let checkpoints = PgNoteList::open(url, "test", migrate).await.expect("opens");
    match kind {
        NoteKind::Checkpoint => checkpoints,
        NoteKind::Mark => checkpoints.marks(migrate).await.expect("opens"),
    }
}

/// Makes lists in databases of their own; the last one made is the one that is reopened.
struct Databases(NoteKind, Mutex<String>);

#[async_trait]
impl note_list::Harness for Databases {
    type List = PgNoteList;
    fn kind(&self) -> NoteKind {
        self.0
    }
    async fn fresh(&self) -> PgNoteList {
        let url = database().await;
        self.1.lock().expect("no test panics here").clone_from(&url);
        list(&url, self.0, Migrate::Apply).await
    }
    async fn reopen(&self, before: PgNoteList) -> PgNoteList {
        before.close().await;
        let url = self.1.lock().expect("no test panics here").clone();
        list(&url, self.0, Migrate::Refuse).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_should_keep_the_contract_of_checkpoints() {
    note_list::suite(&Databases(NoteKind::Checkpoint, Mutex::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_should_keep_the_contract_of_marks() {
    note_list::suite(&Databases(NoteKind::Mark, Mutex::default())).await;
}

#[tokio::test]
async fn database_of_a_log_should_be_refused() {
    let url = database().await;
    open(&options(&url)).await.close().await;
    for migrate in [Migrate::Apply, Migrate::Refuse] {
        let said = PgNoteList::open(&url, "test", migrate)
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
    let refused = PgNoteList::open(&url, "test", Migrate::Refuse).await;
    assert!(
        matches!(refused, Err(OpenError::Older { found: 0, .. })),
        "{refused:?}"
    );
    let checkpoints = list(&url, NoteKind::Checkpoint, Migrate::Apply).await;
    let refused = checkpoints.marks(Migrate::Refuse).await;
    assert!(
        matches!(refused, Err(OpenError::Older { found: 1, .. })),
        "{refused:?}"
    );
    checkpoints.marks(Migrate::Apply).await.expect("made");
    checkpoints.marks(Migrate::Refuse).await.expect("there");
    checkpoints.close().await;
    let other = PgNoteList::open(&url, "another", Migrate::Apply).await;
    assert!(matches!(other, Err(OpenError::OtherCluster { .. })), "{other:?}");
}

/// A stranger's statements are refused with these words.
async fn refused(url: &str, words: &str, statements: &[&str]) {
    let mut stranger = connect(url).await;
    for statement in statements {
        let said = stranger
            .execute(*statement)
            .await
            .expect_err(statement)
            .to_string();
        assert!(said.contains(words), "{statement}: {said}");
    }
    stranger.close().await.expect("closes");
}

#[tokio::test]
async fn checkpoints_should_resist_change_and_removal() {
    let url = database().await;
    let list = list(&url, NoteKind::Checkpoint, Migrate::Apply).await;
    let first = sample(NoteKind::Checkpoint, 1, 0);
    list.append(&first).await.expect("kept");
    let statements = [
        "UPDATE vaultstream_checkpoints.checkpoint SET note = 'x'",
        "DELETE FROM vaultstream_checkpoints.checkpoint",
        "TRUNCATE vaultstream_checkpoints.checkpoint",
    ];
    refused(&url, "never changed or removed", &statements).await;
    assert_eq!(list.newest().await.expect("readable"), Some(first));
}

#[tokio::test]
async fn marks_should_resist_change_and_the_newest_its_removal() {
    let url = database().await;
    let list = list(&url, NoteKind::Mark, Migrate::Apply).await;
    let mark = |number| sample(NoteKind::Mark, number, 0);
    for number in 1..=3 {
        list.append(&mark(number)).await.expect("kept");
    }
    let statements = [
        "UPDATE vaultstream_checkpoints.mark SET note = 'x'",
        "DELETE FROM vaultstream_checkpoints.mark",
        "DELETE FROM vaultstream_checkpoints.mark WHERE number = 3",
        "TRUNCATE vaultstream_checkpoints.mark",
    ];
    refused(&url, "never changed", &statements).await;
    let mut stranger = connect(&url).await;
    stranger
        .execute("DELETE FROM vaultstream_checkpoints.mark WHERE number < 3")
        .await
        .expect("old ones may go");
    stranger.close().await.expect("closes");
    assert_eq!(list.read(0, 10).await.expect("readable"), [mark(3)]);
    list.append(&mark(4)).await.expect("goes on");
}
