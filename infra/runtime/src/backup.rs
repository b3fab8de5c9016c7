//! A backup in a folder: `backup.journal`, `segment-000001.jsonl` and those after it, one process at a time.
//!
//! Files are readable by their owner only. What a call has answered is on disk, and so is the name of a new file. Refuses:
//! a second process that writes.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use vaultstream_domain::ports::BackupStore;

const JOURNAL: &str = "backup.journal";
const LOCK: &str = "backup.lock";

/// The folder.
#[derive(Debug)]
pub struct BackupFolder {
    dir: PathBuf,
    /// Held by who writes.
    _lock: Option<File>,
}

fn owned() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

impl BackupFolder {
    /// Opens a folder to be written, or makes it.
    pub fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let lock = owned()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                dir: dir.to_owned(),
                _lock: Some(lock),
            }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another backup writes there; give each a folder of its own",
            )),
            Err(TryLockError::Error(source)) => Err(source),
        }
    }

    /// Opens a folder to be read; nothing in it is changed.
    pub fn read(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            _lock: None,
        }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn segment(&self, segment: u32) -> PathBuf {
        self.dir.join(format!("segment-{segment:06}.jsonl"))
    }

    /// Writes bytes at an offset of a file, and nothing behind them.
    fn put(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let is_new = !path.exists();
        let mut file = owned().create(true).truncate(false).write(true).open(path)?;
        if file.metadata()?.len() < offset {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{} was cut; begin a new backup folder", path.display()),
            ));
        }
        file.set_len(offset)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        if is_new {
            File::open(&self.dir)?.sync_all()?;
        }
        Ok(())
    }
}

impl BackupStore for BackupFolder {
    fn journal(&self) -> io::Result<Vec<u8>> {
        match std::fs::read(self.dir.join(JOURNAL)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    fn append_journal(&self, length: u64, lines: &[u8]) -> io::Result<()> {
        self.put(&self.dir.join(JOURNAL), length, lines)
    }

    fn write_block(&self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.put(&self.segment(segment), offset, bytes)
    }

    fn read_block(&self, segment: u32, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.segment(segment))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_should_cut_what_a_killed_run_left_and_refuse_a_second_writer() {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = BackupFolder::open(dir.path()).expect("opens");
        assert_eq!(folder.journal().expect("none"), b"");
        folder.write_block(1, 0, b"onetorn").expect("written");
        folder.write_block(1, 3, b"two").expect("written");
        assert_eq!(folder.read_block(1, 0, 6).expect("read"), b"onetwo");
        let beyond = folder.read_block(1, 4, 9).expect_err("too far");
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        folder.append_journal(0, b"a\ntorn").expect("written");
        folder.append_journal(2, b"b\n").expect("written");
        assert_eq!(folder.journal().expect("read"), b"a\nb\n");
        folder.write_block(1, 99, b"x").expect_err("there is a gap");
        BackupFolder::open(dir.path()).expect_err("in use");
        assert_eq!(BackupFolder::read(dir.path()).journal().expect("read"), b"a\nb\n");
    }
}
