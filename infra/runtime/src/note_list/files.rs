//! The files of a directory: which number stands in which, and what a crash left behind.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use vaultstream_domain::ports::note_list::{KeptNote, NoteKind};
use vaultstream_event_schemas::note::split_list;

use super::OpenListError;

/// Notes of a file. A checkpoint of a few shards is about 5 KB.
pub(super) const PER_FILE: u64 = 2_000;

/// The first number in the file that a number stands in.
pub(super) const fn first_of(number: u64) -> u64 {
    (number.saturating_sub(1) / PER_FILE) * PER_FILE + 1
}

#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    pub(super) kind: NoteKind,
    /// What the names of its files begin with; the first number follows.
    prefix: String,
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenListError {
    let path = path.to_owned();
    move |source| OpenListError::Io { doing, path, source }
}

impl Files {
    pub(super) fn checkpoints(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            kind: NoteKind::Checkpoint,
            prefix: "checkpoints-".to_owned(),
        }
    }

    /// Marks that the key with this id signs: each installation's are a list of their own.
    pub(super) fn marks(dir: &Path, key: u32) -> Self {
        Self {
            dir: dir.to_owned(),
            kind: NoteKind::Mark,
            prefix: format!("marks-{key:08x}-"),
        }
    }

    fn path(&self, first: u64) -> PathBuf {
        self.dir.join(format!("{}{first:012}.notes", self.prefix))
    }

    /// Makes the directory and takes it for this process.
    pub(super) fn lock(&self) -> Result<File, OpenListError> {
        fs::create_dir_all(&self.dir).map_err(io_error("made", &self.dir))?;
        let path = self.dir.join("lock");
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(io_error("opened", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(OpenListError::InUse(self.dir.clone())),
            Err(TryLockError::Error(source)) => Err(io_error("locked", &path)(source)),
        }
    }

    /// All files, in order of number.
    pub(super) fn all(&self) -> Result<Vec<PathBuf>, OpenListError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("listed", &self.dir)(error)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry.map_err(io_error("listed", &self.dir))?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.starts_with(&self.prefix) && name.ends_with(".notes") {
                all.push(path);
            }
        }
        all.sort();
        Ok(all)
    }

    /// The first number of the oldest file that is still there.
    pub(super) fn oldest(&self) -> Result<Option<u64>, OpenListError> {
        let all = self.all()?;
        let first = all.first().and_then(|path| path.file_name()?.to_str());
        let number = |name: &str| {
            let rest = name.strip_prefix(&self.prefix)?;
            rest.strip_suffix(".notes")?.parse().ok()
        };
        Ok(first.and_then(number))
    }

    /// Puts aside what a crash tore, and answers the newest.
    pub(super) fn recover(&self) -> Result<Option<KeptNote>, OpenListError> {
        for path in self.all()?.into_iter().rev() {
            let text = fs::read(&path).map_err(io_error("read", &path))?;
            // A crash may have cut a character in two.
            let whole = match std::str::from_utf8(&text) {
                Ok(all) => all,
                Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
            };
            let (notes, _) = split_list(whole);
            let kept: usize = notes.iter().map(|note| note.len() + 1).sum();
            let damaged = || OpenListError::Damaged(path.clone());
            let newest = match notes.last() {
                Some(note) => Some(KeptNote {
                    number: self.kind.number_of(note).ok_or_else(damaged)?,
                    note: (*note).to_owned(),
                }),
                None => None,
            };
            let torn = &text[kept..];
            if !torn.is_empty() {
                self.put_aside(&path, kept, torn, newest.as_ref().map_or(0, |kept| kept.number))?;
            }
            if let Some(newest) = newest {
                let first = first_of(newest.number);
                let expected = usize::try_from(newest.number - first + 1).unwrap_or(usize::MAX);
                if path != self.path(first) || notes.len() != expected {
                    return Err(damaged());
                }
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }

    fn put_aside(&self, path: &Path, kept: usize, torn: &[u8], number: u64) -> Result<(), OpenListError> {
        let aside = self.dir.join(format!("torn-{}.part", number + 1));
        fs::write(&aside, torn).map_err(io_error("written", &aside))?;
        let file = OpenOptions::new().write(true).open(path);
        let file = file.map_err(io_error("opened", path))?;
        file.set_len(kept as u64)
            .and_then(|()| file.sync_all())
            .map_err(io_error("cut", path))?;
        tracing::warn!(
            file = %path.display(), aside = %aside.display(), bytes = torn.len(), after = number,
            "a {} was torn by a crash and put aside; it was never acknowledged", self.kind
        );
        Ok(())
    }

    /// The file that begins with a number, for writing at its end; made when absent.
    pub(super) fn for_append(&self, first: u64) -> io::Result<File> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(first))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(file)
    }

    /// The notes of the file that begins with a number.
    pub(super) fn read(&self, first: u64) -> io::Result<Vec<KeptNote>> {
        let text = fs::read_to_string(self.path(first))?;
        let (notes, _) = split_list(&text);
        let kept = notes.into_iter().zip(first..).map(|(note, number)| KeptNote {
            number,
            note: note.to_owned(),
        });
        Ok(kept.collect())
    }
}
