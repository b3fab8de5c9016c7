//! The contract on files, and what crashes and strangers leave behind.

use tempfile::TempDir;
use vaultstream_domain::ports::conformance::note_list::{self, sample};

use super::files::PER_FILE;
use super::*;

const KEY: u32 = 0x00c0_ffee;
const KINDS: [NoteKind; 2] = [NoteKind::Checkpoint, NoteKind::Mark];

fn open(kind: NoteKind, dir: &Path) -> FileNoteList {
    let list = match kind {
        NoteKind::Checkpoint => FileNoteList::checkpoints(dir),
        NoteKind::Mark => FileNoteList::marks(dir, KEY),
    };
    list.expect("opens")
}

struct Directories(NoteKind, Mutex<Vec<TempDir>>);

#[async_trait]
impl note_list::Harness for Directories {
    type List = FileNoteList;
    fn kind(&self) -> NoteKind {
        self.0
    }
    async fn fresh(&self) -> FileNoteList {
        let dir = TempDir::new().expect("a directory");
        let list = open(self.0, dir.path());
        self.1.lock().expect("no test panics here").push(dir);
        list
    }
    async fn reopen(&self, list: FileNoteList) -> FileNoteList {
        let files = files_of(&list);
        drop(list);
        open(self.0, files[0].parent().expect("a directory"))
    }
}

fn files_of(list: &FileNoteList) -> Vec<PathBuf> {
    let writer = list.writer.lock().expect("no test panics here");
    writer.files.all().expect("listed")
}

#[tokio::test]
async fn files_should_keep_the_contract_of_checkpoints() {
    note_list::suite(&Directories(NoteKind::Checkpoint, Mutex::default())).await;
}

#[tokio::test]
async fn files_should_keep_the_contract_of_marks() {
    note_list::suite(&Directories(NoteKind::Mark, Mutex::default())).await;
}

async fn filled(kind: NoteKind, dir: &TempDir, numbers: std::ops::RangeInclusive<u64>) -> FileNoteList {
    let list = open(kind, dir.path());
    for number in numbers {
        list.append(&sample(kind, number, 0)).await.expect("kept");
    }
    list
}

fn numbers(kept: &[KeptNote]) -> Vec<u64> {
    kept.iter().map(|kept| kept.number).collect()
}

#[tokio::test]
async fn torn_note_should_be_put_aside_at_any_byte_and_the_list_go_on() {
    for kind in KINDS {
        let whole = note::listed(&sample(kind, 3, 0).note);
        for cut in [1, 2, 40, 60, 200, whole.len() - 2, whole.len() - 1] {
            let dir = TempDir::new().expect("a directory");
            let list = filled(kind, &dir, 1..=2).await;
            let path = files_of(&list).remove(0);
            drop(list);
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.append(true).open(path).expect("opens");
            file.write_all(&whole.as_bytes()[..cut]).expect("written");
            let list = open(kind, dir.path());
            assert_eq!(
                list.newest().await.expect("readable"),
                Some(sample(kind, 2, 0)),
                "cut at {cut}"
            );
            let aside = std::fs::read(dir.path().join("torn-3.part")).expect("put aside");
            assert_eq!(aside, &whole.as_bytes()[..cut]);
            list.append(&sample(kind, 3, 1)).await.expect("goes on");
            assert_eq!(list.read(0, 10).await.expect("readable").len(), 3);
        }
    }
}

#[tokio::test]
async fn list_should_go_over_its_files_and_only_marks_over_those_that_are_gone() {
    for kind in KINDS {
        let dir = TempDir::new().expect("a directory");
        let list = filled(kind, &dir, 1..=PER_FILE + 3).await;
        let files = files_of(&list);
        assert_eq!(files.len(), 2);
        let over = list.read(PER_FILE - 2, 4).await.expect("readable");
        assert_eq!(numbers(&over), (PER_FILE - 1..=PER_FILE + 2).collect::<Vec<_>>());
        std::fs::rename(&files[0], dir.path().join("away")).expect("moved");
        match (kind, list.read(0, 2).await) {
            (NoteKind::Mark, Ok(read)) => assert_eq!(numbers(&read), [PER_FILE + 1, PER_FILE + 2]),
            (NoteKind::Checkpoint, Err(NoteListError::Store { .. })) => {}
            (_, other) => panic!("{other:?}"),
        }
        drop(list);
        let list = open(kind, dir.path());
        list.append(&sample(kind, PER_FILE + 4, 0))
            .await
            .expect("goes on");
        drop(list);
        // All of the newest file was torn away: the file before it has the newest.
        std::fs::rename(dir.path().join("away"), &files[0]).expect("moved back");
        std::fs::write(&files[1], "vaultstream/te").expect("written");
        let list = open(kind, dir.path());
        let newest = list.newest().await.expect("readable");
        assert_eq!(newest.map(|kept| kept.number), Some(PER_FILE));
        list.append(&sample(kind, PER_FILE + 1, 0))
            .await
            .expect("goes on");
    }
}

#[tokio::test]
async fn marks_of_another_key_should_be_no_marks() {
    let dir = TempDir::new().expect("a directory");
    drop(filled(NoteKind::Mark, &dir, 1..=1).await);
    let other = FileNoteList::marks(dir.path(), KEY + 1).expect("opens");
    assert_eq!(other.newest().await.expect("readable"), None);
}

#[tokio::test]
async fn second_process_and_missing_notes_should_be_refused() {
    let dir = TempDir::new().expect("a directory");
    let list = filled(NoteKind::Checkpoint, &dir, 1..=3).await;
    let error = FileNoteList::checkpoints(dir.path()).expect_err("in use");
    assert!(matches!(error, OpenListError::InUse(_)), "{error}");
    let mut files = FileNoteList::checkpoint_files(dir.path()).expect("listed");
    assert_eq!(files, files_of(&list));
    let path = files.remove(0);
    drop(list);
    let text = std::fs::read_to_string(&path).expect("readable");
    let (notes, _) = note::split_list(&text);
    std::fs::write(&path, note::listed(notes[0]) + &note::listed(notes[2])).expect("written");
    let error = FileNoteList::checkpoints(dir.path()).expect_err("one is missing");
    assert!(matches!(error, OpenListError::Damaged(_)), "{error}");
}
