//! Files that are whole or absent: written beside their place, synced, then moved there, and the directory synced.
//!
//! `create` never overwrites: it links the finished file to its name, which fails when the name is taken, so of several
//! racing writers (also of other processes) exactly one wins. A leftover of a killed writer has a name nothing reads and
//! is swept at the next start once it is old.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cipher::random;
use crate::error::StoreError;

/// No file of a keystore is larger.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// A writer needs milliseconds; what is older belongs to nobody.
const LEFTOVER_AGE: Duration = Duration::from_secs(600);
const LEFTOVER_SUFFIX: &str = ".writing";

/// The keystore's directory.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path, source }
}

/// Makes new entries of a directory survive a power loss.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(io_error("sync", path))
}

impl Directory {
    /// Opens the directory with its rooms, making what is absent, and sweeps leftovers.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        for room in [
            path.to_owned(),
            path.join("keys"),
            path.join("subjects"),
            path.join("erasures"),
            path.join("secrets"),
        ] {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(&room).map_err(io_error("make", &room))?;
            sweep(&room)?;
        }
        sync_directory(path)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The whole file, when it exists.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.file(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        let mut bytes = Vec::new();
        let limit = FILE_BYTES_MAX + 1;
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(io_error("read", &path))?;
        if bytes.len() as u64 == limit {
            return Err(StoreError::Damaged(path));
        }
        Ok(Some(bytes))
    }

    /// The permission bits of a file.
    pub(crate) fn mode(&self, name: &str) -> Result<u32, StoreError> {
        let path = self.file(name);
        let metadata = fs::metadata(&path).map_err(io_error("look at", &path))?;
        Ok(metadata.permissions().mode() & 0o777)
    }

    /// Whether a room holds any finished file.
    pub(crate) fn holds_any(&self, room: &str) -> Result<bool, StoreError> {
        let path = self.file(room);
        let entries = fs::read_dir(&path).map_err(io_error("list", &path))?;
        for entry in entries {
            let entry = entry.map_err(io_error("list", &path))?;
            if !is_leftover(&entry.path()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a new file; `false`, changing nothing, when the name is taken.
    pub(crate) fn create(&self, name: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        let path = self.file(name);
        let written = self.write_beside(&path, bytes)?;
        let linked = fs::hard_link(&written, &path);
        fs::remove_file(&written).map_err(io_error("remove", &written))?;
        match linked {
            Ok(()) => self.sync_room_of(&path).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // The winner may not have synced yet, and we are about to rely on its file.
                self.sync_room_of(&path).map(|()| false)
            }
            Err(error) => Err(io_error("name", &path)(error)),
        }
    }

    /// Puts a file in the place of another, then overwrites the bytes the old one had. Journals, snapshots and worn
    /// flash cells may still hold them; they are encrypted.
    pub(crate) fn replace_and_wipe(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.file(name);
        let old = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        let written = self.write_beside(&path, bytes)?;
        fs::rename(&written, &path).map_err(io_error("replace", &path))?;
        self.sync_room_of(&path)?;
        old.map_or(Ok(()), wipe).map_err(io_error("wipe", &path))
    }

    /// Puts a file in the place of another.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.file(name);
        let written = self.write_beside(&path, bytes)?;
        fs::rename(&written, &path).map_err(io_error("replace", &path))?;
        self.sync_room_of(&path)
    }

    fn write_beside(&self, path: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let tag = hex::encode(&random::<8>()?[..]);
        let beside = path.with_extension(format!("{tag}{LEFTOVER_SUFFIX}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&beside).map_err(io_error("make", &beside))?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(io_error("write", &beside))?;
        Ok(beside)
    }

    fn sync_room_of(&self, path: &Path) -> Result<(), StoreError> {
        sync_directory(path.parent().unwrap_or(&self.path))
    }
}

fn wipe(mut file: File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len().min(FILE_BYTES_MAX)).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

fn is_leftover(path: &Path) -> bool {
    path.to_string_lossy().ends_with(LEFTOVER_SUFFIX)
}

/// Removes what killed writers left behind.
#[expect(
    clippy::disallowed_methods,
    reason = "a file's age is read from the file system, by the same clock that wrote it"
)]
fn sweep(room: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(room).map_err(io_error("list", room))? {
        let path = entry.map_err(io_error("list", room))?.path();
        let old = || {
            let modified = fs::metadata(&path).ok()?.modified().ok()?;
            modified.elapsed().ok().map(|age| age > LEFTOVER_AGE)
        };
        if is_leftover(&path) && old() == Some(true) {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}
