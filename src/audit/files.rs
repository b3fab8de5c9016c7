//! Files of notes and keys.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::note::split_list;
use vaultstream_infra_runtime::FileNoteList;

use super::WhichLog;
use crate::config::{Config, Overrides};

/// The largest file of notes that is taken, in bytes.
const MAX_NOTES: u64 = 1 << 32;

/// Notes with where each stands.
#[derive(Debug, Default)]
pub struct Notes(Vec<(String, String)>);

impl Notes {
    /// Reads files, each with one note or a list. What stands behind the last whole note of a file is a note, too.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut notes = Self::default();
        for path in paths {
            let shown = path.display();
            let text = text(path)?;
            let (whole, rest) = split_list(&text);
            let rest = Some(rest).filter(|rest| !rest.trim().is_empty());
            for (note, number) in whole.into_iter().chain(rest).zip(1..) {
                notes.0.push((format!("{shown}, note {number}"), note.to_owned()));
            }
        }
        Ok(notes)
    }

    /// Adds the notes of another reading.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Each with where it stands.
    pub fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|(place, note)| (place.clone(), note.as_str()))
    }
}

fn text(path: &Path) -> Result<String> {
    let shown = path.display();
    let length = std::fs::metadata(path)
        .with_context(|| format!("{shown} cannot be read"))?
        .len();
    ensure!(
        length <= MAX_NOTES,
        "{shown} is larger than any list of checkpoints that is read at once"
    );
    let bytes = std::fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
    // What is no text is no note, and is said to be none.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads a file of public keys.
pub fn keys(path: &Path) -> Result<Keys> {
    let keys =
        Keys::parse(&text(path)?).with_context(|| format!("{} holds no public keys", path.display()))?;
    ensure!(!keys.all().is_empty(), "{} holds no public key", path.display());
    Ok(keys)
}

impl WhichLog {
    /// The checkpoints that lie beside a data directory.
    pub fn local_notes(&self) -> Result<Notes> {
        let Some(data_dir) = &self.data_dir else {
            return Ok(Notes::default());
        };
        let overrides = Overrides {
            data_dir: Some(data_dir.clone()),
            ..Overrides::default()
        };
        let dir = Config::load(None, &overrides)?.checkpoints_dir();
        Notes::read(&FileNoteList::checkpoint_files(&dir)?)
    }
}
