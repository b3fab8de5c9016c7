//! Marks in append-only files of a directory, which is neither the log's nor the checkpoints'.
//!
//! They lie as checkpoints do, two thousand in a file, `marks-<key id>-<first number>.notes`; the id is that of the key
//! that signs them, so that another installation's marks in the same folder are no marks of this one. A mark is forced to
//! disk before it counts as kept; one that was torn by a crash was never acknowledged and is put aside. Whole files may be
//! removed by hand, the oldest first; the newest stays.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use vaultstream_domain::ports::checkpoints::{CheckpointsError, KeptCheckpoint};
use vaultstream_domain::ports::marks::{KeptMark, MAX_MARKS_READ, MarksError};
use vaultstream_domain::ports::{Checkpoints, Marks};

use crate::checkpoints::files::{Files, Kind};
use crate::{FileCheckpoints, OpenCheckpointsError};

/// The list. Clones share it.
#[derive(Debug, Clone)]
pub struct FileMarks {
    list: FileCheckpoints,
    dir: PathBuf,
    kind: Kind,
}

impl FileMarks {
    /// Opens the list of marks that the key with an id signs, or begins it. Blocks.
    pub fn open(dir: &Path, key: u32) -> Result<Self, OpenCheckpointsError> {
        let kind = Kind::Marks(format!("{key:08x}"));
        Ok(Self {
            list: FileCheckpoints::open_list(dir, kind.clone())?,
            dir: dir.to_owned(),
            kind,
        })
    }

    /// The number before the oldest mark that is still there.
    fn before_oldest(&self) -> Result<u64, MarksError> {
        let oldest = Files::new(&self.dir, self.kind.clone()).oldest();
        let oldest = oldest.map_err(|error| MarksError::Store {
            doing: "listed",
            source: Box::new(error),
        })?;
        Ok(oldest.map_or(0, |first| first.saturating_sub(1)))
    }
}

fn refused(error: CheckpointsError) -> MarksError {
    match error {
        CheckpointsError::Store { doing, source } => MarksError::Store { doing, source },
        CheckpointsError::Number { number, newest } => MarksError::Number { number, newest },
        CheckpointsError::Malformed { number } => MarksError::Malformed { number },
    }
}

fn mark(KeptCheckpoint { number, note }: KeptCheckpoint) -> KeptMark {
    KeptMark { number, note }
}

#[async_trait]
impl Marks for FileMarks {
    async fn append(&self, mark: &KeptMark) -> Result<(), MarksError> {
        let KeptMark { number, note } = mark.clone();
        let appended = self.list.append(&KeptCheckpoint { number, note }).await;
        appended.map_err(refused)
    }

    async fn newest(&self) -> Result<Option<KeptMark>, MarksError> {
        let newest = self.list.newest().await.map_err(refused)?;
        Ok(newest.map(mark))
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptMark>, MarksError> {
        let after = after.max(self.before_oldest()?);
        let read = self.list.read(after, limit.min(MAX_MARKS_READ)).await;
        Ok(read.map_err(refused)?.into_iter().map(mark).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Mutex;

    use tempfile::TempDir;
    use vaultstream_domain::ports::conformance::marks::{self, sample};

    use super::*;

    const KEY: u32 = 0x00c0_ffee;

    struct Directories(Mutex<Vec<TempDir>>);

    #[async_trait]
    impl marks::Harness for Directories {
        type Marks = FileMarks;
        async fn fresh(&self) -> FileMarks {
            let dir = TempDir::new().expect("a directory");
            let list = FileMarks::open(dir.path(), KEY).expect("opens");
            self.0.lock().expect("no test panics here").push(dir);
            list
        }
        async fn reopen(&self, list: FileMarks) -> FileMarks {
            let dir = list.dir.clone();
            drop(list);
            FileMarks::open(&dir, KEY).expect("opens again")
        }
    }

    fn files(dir: &TempDir) -> Vec<PathBuf> {
        Files::new(dir.path(), Kind::Marks(format!("{KEY:08x}")))
            .all()
            .expect("listed")
    }

    #[tokio::test]
    async fn files_should_keep_the_contract_of_marks() {
        marks::suite(&Directories(Mutex::default())).await;
    }

    #[tokio::test]
    async fn torn_mark_should_never_have_been_there() {
        let whole = format!("{}\n", sample(3, 0).note);
        for cut in [1, 60, whole.len() - 2, whole.len() - 1] {
            let dir = TempDir::new().expect("a directory");
            let list = FileMarks::open(dir.path(), KEY).expect("opens");
            for number in 1..=2 {
                list.append(&sample(number, 0)).await.expect("kept");
            }
            drop(list);
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.append(true).open(&files(&dir)[0]).expect("opens");
            file.write_all(&whole.as_bytes()[..cut]).expect("written");
            let list = FileMarks::open(dir.path(), KEY).expect("opens");
            assert_eq!(list.newest().await.expect("readable"), Some(sample(2, 0)));
            list.append(&sample(3, 1)).await.expect("goes on");
        }
    }

    #[tokio::test]
    async fn marks_of_another_key_should_be_no_marks() {
        let dir = TempDir::new().expect("a directory");
        let list = FileMarks::open(dir.path(), KEY).expect("opens");
        list.append(&sample(1, 0)).await.expect("kept");
        drop(list);
        let other = FileMarks::open(dir.path(), KEY + 1).expect("opens");
        assert_eq!(other.newest().await.expect("readable"), None);
    }

    #[tokio::test]
    async fn removed_files_should_be_passed_over() {
        let dir = TempDir::new().expect("a directory");
        let list = FileMarks::open(dir.path(), KEY).expect("opens");
        for number in 1..=2_003 {
            list.append(&sample(number, 0)).await.expect("kept");
        }
        std::fs::remove_file(&files(&dir)[0]).expect("removed");
        let numbers = list.read(0, 2).await.expect("readable");
        let numbers: Vec<u64> = numbers.iter().map(|kept| kept.number).collect();
        assert_eq!(numbers, [2_001, 2_002]);
        drop(list);
        let list = FileMarks::open(dir.path(), KEY).expect("opens again");
        list.append(&sample(2_004, 0)).await.expect("goes on");
    }
}
