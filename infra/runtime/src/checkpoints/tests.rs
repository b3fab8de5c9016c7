//! The contract on files, and what crashes and strangers leave behind.

use tempfile::TempDir;
use vaultstream_domain::ports::conformance::checkpoints::{self, sample};

use super::files::PER_FILE;
use super::*;

struct Directories(Mutex<Vec<TempDir>>);

#[async_trait]
impl checkpoints::Harness for Directories {
    type Checkpoints = FileCheckpoints;
    async fn fresh(&self) -> FileCheckpoints {
        let dir = TempDir::new().expect("a directory");
        let list = FileCheckpoints::open(dir.path()).expect("opens");
        self.0.lock().expect("no test panics here").push(dir);
        list
    }
    async fn reopen(&self, list: FileCheckpoints) -> FileCheckpoints {
        let path = list
            .writer
            .lock()
            .expect("no test panics here")
            .files
            .all()
            .expect("listed");
        drop(list);
        FileCheckpoints::open(path[0].parent().expect("a directory")).expect("opens again")
    }
}

#[tokio::test]
async fn files_should_keep_the_contract_of_checkpoints() {
    checkpoints::suite(&Directories(Mutex::default())).await;
}

async fn filled(dir: &TempDir, numbers: std::ops::RangeInclusive<u64>) -> FileCheckpoints {
    let list = FileCheckpoints::open(dir.path()).expect("opens");
    for number in numbers {
        list.append(&sample(number, 0)).await.expect("kept");
    }
    list
}

fn last_file(dir: &TempDir) -> PathBuf {
    FileCheckpoints::list(dir.path())
        .expect("listed")
        .pop()
        .expect("a file")
}

#[tokio::test]
async fn torn_note_should_be_put_aside_at_any_byte_and_the_list_go_on() {
    let whole = note::listed(&sample(3, 0).note);
    for cut in [1, 2, 40, 200, whole.len() - 2, whole.len() - 1] {
        let dir = TempDir::new().expect("a directory");
        drop(filled(&dir, 1..=2).await);
        let path = last_file(&dir);
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("opens");
        file.write_all(&whole.as_bytes()[..cut]).expect("written");
        let list = FileCheckpoints::open(dir.path()).expect("opens");
        assert_eq!(
            list.newest().await.expect("readable"),
            Some(sample(2, 0)),
            "cut at {cut}"
        );
        let aside = std::fs::read(dir.path().join("torn-3.part")).expect("put aside");
        assert_eq!(aside, &whole.as_bytes()[..cut]);
        list.append(&sample(3, 0)).await.expect("goes on");
        assert_eq!(list.read(0, 10).await.expect("readable").len(), 3);
    }
}

#[tokio::test]
async fn list_should_go_over_its_files() {
    let dir = TempDir::new().expect("a directory");
    let list = filled(&dir, 1..=PER_FILE + 3).await;
    assert_eq!(FileCheckpoints::list(dir.path()).expect("listed").len(), 2);
    let numbers = |kept: Vec<KeptCheckpoint>| kept.iter().map(|k| k.number).collect::<Vec<_>>();
    let over = numbers(list.read(PER_FILE - 2, 4).await.expect("readable"));
    assert_eq!(over, (PER_FILE - 1..=PER_FILE + 2).collect::<Vec<_>>());
    drop(list);
    // All of the newest file was torn away: the file before it has the newest.
    std::fs::write(last_file(&dir), "vaultstream/te").expect("written");
    let list = FileCheckpoints::open(dir.path()).expect("opens");
    assert_eq!(
        list.newest().await.expect("readable").map(|k| k.number),
        Some(PER_FILE)
    );
    list.append(&sample(PER_FILE + 1, 0)).await.expect("goes on");
}

#[tokio::test]
async fn second_process_and_missing_notes_should_be_refused() {
    let dir = TempDir::new().expect("a directory");
    let list = filled(&dir, 1..=3).await;
    let error = FileCheckpoints::open(dir.path()).expect_err("in use");
    assert!(matches!(error, OpenCheckpointsError::InUse(_)), "{error}");
    drop(list);
    let path = last_file(&dir);
    let text = std::fs::read_to_string(&path).expect("readable");
    let (notes, _) = note::split_list(&text);
    std::fs::write(&path, note::listed(notes[0]) + &note::listed(notes[2])).expect("written");
    let error = FileCheckpoints::open(dir.path()).expect_err("one is missing");
    assert!(matches!(error, OpenCheckpointsError::Damaged(_)), "{error}");
}
