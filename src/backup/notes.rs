//! Checkpoints in a backup: the list as it was, note behind note, each added once.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use vaultstream_domain::ports::NoteList;
use vaultstream_domain::ports::note_list::{KeptNote, NoteKind};
use vaultstream_event_schemas::note::{listed, split_list};
use vaultstream_infra_runtime::FileNoteList;

use super::NOTES;

/// Where the checkpoints of an installation lie.
pub enum List {
    /// Files, which a product may be writing.
    Files(PathBuf),
    /// A store that several processes use.
    Shared(Arc<dyn NoteList>),
}

/// Notes of a text, each with its number; what is torn or none is left to who verifies.
fn kept(text: &str) -> Vec<KeptNote> {
    let (notes, _) = split_list(text);
    let numbered = notes.into_iter().filter_map(|note| {
        Some(KeptNote {
            number: NoteKind::Checkpoint.number_of(note)?,
            note: note.to_owned(),
        })
    });
    numbered.collect()
}

impl List {
    /// Every checkpoint above a number, in order.
    pub async fn above(&self, after: u64) -> Result<Vec<KeptNote>> {
        match self {
            Self::Files(dir) => files(dir, after),
            Self::Shared(list) => above(&**list, after).await,
        }
    }
}

/// Every note of a list above a number, in order.
pub async fn above(list: &dyn NoteList, mut after: u64) -> Result<Vec<KeptNote>> {
    let mut all = Vec::new();
    loop {
        let page = list.read(after, usize::MAX).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.number;
        all.extend(page);
    }
}

/// The newest file first: in most runs it is the only one with something new.
fn files(dir: &Path, after: u64) -> Result<Vec<KeptNote>> {
    let mut found: Vec<KeptNote> = Vec::new();
    for path in FileNoteList::checkpoint_files(dir)?.iter().rev() {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut notes = kept(&String::from_utf8_lossy(&bytes));
        let begins_before = notes.first().is_some_and(|first| first.number <= after + 1);
        notes.retain(|kept| kept.number > after);
        notes.append(&mut found);
        found = notes;
        if begins_before {
            break;
        }
    }
    Ok(found)
}

/// The list in a backup.
pub struct Copied {
    file: File,
    newest: u64,
}

impl Copied {
    /// Takes up the list in a folder; a note that a killed run left half is cut off.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(NOTES);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let text = std::fs::read_to_string(&path)?;
        let (_, rest) = split_list(&text);
        file.set_len((text.len() - rest.len()) as u64)?;
        let newest = kept(&text).last().map_or(0, |kept| kept.number);
        Ok(Self { file, newest })
    }

    /// Adds what the list has beyond.
    pub async fn add(&mut self, list: &List) -> Result<usize> {
        let new = list.above(self.newest).await?;
        let text: String = new.iter().map(|kept| listed(&kept.note)).collect();
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        self.newest = new.last().map_or(self.newest, |kept| kept.number);
        Ok(new.len())
    }
}

/// The list of a backup.
pub fn read(folder: &Path) -> Result<Vec<KeptNote>> {
    match std::fs::read(folder.join(NOTES)) {
        Ok(bytes) => Ok(kept(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("{NOTES} of the backup cannot be read")),
    }
}
