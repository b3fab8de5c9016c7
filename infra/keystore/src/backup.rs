//! What of a keystore may lie in a backup: account keys and the installation's secrets, as they are sealed on disk.
//!
//! Invariants: a file is copied whole or not at all. Never copied: subject keys (`subjects/`) and the record of erasures
//! (`erasures/`), because a key that lies in a backup is not destroyed by an erasure; and the master key's file (`key`),
//! because whoever had it beside the sealed keys would have them all. Nothing is decrypted, so no passphrase is needed.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// What a copy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that were new or had changed.
    pub files: usize,
    /// Whether the master key is a file, which was left out.
    pub leaves_key_file: bool,
}

const HEADER: &str = "keystore.json";
const KEY_FILE: &str = "key";
/// Rooms whose files are sealed under the master key and live as long as it; whether a file of one ever changes.
const ROOMS: [(&str, bool); 2] = [("keys", false), ("secrets", true)];

/// Copies what is sealed and not there yet from one folder into another.
pub fn copy_sealed(from: &Path, to: &Path) -> io::Result<Copied> {
    let mut copied = Copied {
        files: 0,
        leaves_key_file: from.join(KEY_FILE).exists(),
    };
    make(to)?;
    for (room, changes) in ROOMS {
        let (from, to) = (from.join(room), to.join(room));
        make(&to)?;
        let entries = match std::fs::read_dir(&from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            if Path::new(&name).extension().is_some_and(|kind| kind == "json") {
                copied.files += usize::from(copy(&from.join(&name), &to.join(&name), changes)?);
            }
        }
    }
    // Last: sealed files without it are not mistaken for a keystore.
    if from.join(HEADER).exists() {
        copied.files += usize::from(copy(&from.join(HEADER), &to.join(HEADER), true)?);
    }
    Ok(copied)
}

/// Puts the master key's file, which was kept apart, beside what was sealed under it.
pub fn put_key_file(file: &Path, keystore: &Path) -> io::Result<()> {
    copy(file, &keystore.join(KEY_FILE), false).map(|_| ())
}

/// Copies a whole keystore that was not lost: subject keys and the record of erasures with it.
pub fn copy_survivor(from: &Path, to: &Path) -> io::Result<()> {
    make(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_survivor(&entry.path(), &to)?;
        } else {
            copy(&entry.path(), &to, false)?;
        }
    }
    Ok(())
}

fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Whether the file was new or had changed.
fn copy(from: &Path, to: &Path, changes: bool) -> io::Result<bool> {
    if to.exists() && !changes {
        return Ok(false);
    }
    let bytes = zeroize::Zeroizing::new(std::fs::read(from)?);
    if to.exists() && *bytes == std::fs::read(to)? {
        return Ok(false);
    }
    let mut beside = to.as_os_str().to_owned();
    beside.push(".part");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, to)?;
    if let Some(room) = to.parent() {
        File::open(room)?.sync_all()?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keystore() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, bytes) in [
            ("keystore.json", "header"),
            ("key", "master"),
            ("keys/a.json", "account"),
            ("secrets/s.json", "secret"),
            ("subjects/p.json", "person"),
            ("erasures/upto.json", "mark"),
            ("keys/b.1234.writing", "torn"),
        ] {
            let path = dir.path().join(name);
            make(path.parent().expect("a room")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        dir
    }

    #[test]
    fn sealed_files_should_be_copied_once_and_no_key_of_a_subject_ever() {
        let (from, to) = (keystore(), tempfile::tempdir().expect("a directory"));
        let first = copy_sealed(from.path(), to.path()).expect("copied");
        assert_eq!((first.files, first.leaves_key_file), (3, true));
        for absent in ["key", "subjects", "erasures", "keys/b.1234.writing"] {
            assert!(!to.path().join(absent).exists(), "{absent}");
        }
        assert_eq!(copy_sealed(from.path(), to.path()).expect("copied").files, 0);
        std::fs::write(from.path().join("keys/c.json"), "new").expect("written");
        std::fs::write(from.path().join("secrets/s.json"), "changed").expect("written");
        assert_eq!(copy_sealed(from.path(), to.path()).expect("copied").files, 2);
        put_key_file(&from.path().join("key"), to.path()).expect("put");
        assert_eq!(std::fs::read(to.path().join("key")).expect("there"), b"master");
    }

    #[test]
    fn survivor_should_keep_everything() {
        let (from, to) = (keystore(), tempfile::tempdir().expect("a directory"));
        copy_survivor(from.path(), &to.path().join("keys")).expect("copied");
        assert!(to.path().join("keys/subjects/p.json").exists() && to.path().join("keys/key").exists());
    }
}
