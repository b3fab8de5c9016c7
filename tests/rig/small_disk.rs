//! A disk of the product's own that can be filled and given room again.
//!
//! A tmpfs in a mount namespace: the process really meets `ENOSPC`, at any file and any step, and nobody else on the
//! machine does. Root may mount one; anybody else may inside a user namespace, where the system allows those. Where
//! neither is so, [`SmallDisk::try_new`] says why, for the test to be skipped aloud. A limit on the size of files
//! (`RLIMIT_FSIZE`) would need no rights, but answers `EFBIG`, for one file at a time and never for a directory: another
//! fault than the one that happens.
//!
//! The disk is there for as long as the process is; what is kept over a restart is kept by a second process that holds
//! the namespace.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::Child;

/// What fills the disk.
const BALLAST: &str = "ballast";

/// A small disk that lives as long as this.
pub struct SmallDisk {
    /// Holds the namespace.
    keeper: Child,
    /// Where it is mounted, inside.
    place: TempDir,
}

impl SmallDisk {
    /// A disk of so many MiB; the error says why this machine cannot have one.
    pub fn try_new(mib: u32) -> Result<Self> {
        let place = tempfile::tempdir()?;
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .arg(r#"mount -t tmpfs -o "size=$1m" tmpfs "$0" && echo mounted && exec sleep infinity"#)
            .arg(place.path())
            .arg(mib.to_string())
            .stderr(Stdio::inherit());
        let keeper = Child::start(command, "unshare")?;
        keeper.line("mounted", Duration::from_secs(10)).context(
            "this system lets nobody mount a disk in a namespace of their own (unshare --user --mount)",
        )?;
        Ok(Self { keeper, place })
    }

    /// Its directory, as the product sees it.
    pub fn inside(&self) -> &Path {
        self.place.path()
    }

    /// The same directory as everybody else sees it.
    pub fn outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        let inside = self.place.path();
        root.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// A command that runs a program with this disk.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.keeper.id()))
            .args(["--user", "--mount", "--preserve-credentials", "--"])
            .arg(program);
        command
    }

    /// Fills it to the last page.
    pub fn fill(&self) -> Result<()> {
        // `dd` ends at "no space left on device", which is what is wanted.
        let dd = Command::new("dd")
            .args([
                "if=/dev/zero",
                "bs=4096",
                "oflag=append",
                "conv=notrunc",
                "status=none",
            ])
            .arg(format!("of={}", self.outside().join(BALLAST).display()))
            .stderr(Stdio::null())
            .status()
            .context("dd cannot be started")?;
        ensure!(!dd.success(), "the disk took everything");
        Ok(())
    }

    /// Gives it room again.
    pub fn make_room(&self) -> Result<()> {
        std::fs::remove_file(self.outside().join(BALLAST)).context("the ballast cannot be removed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_should_refuse_inside_and_take_again() {
        let disk = match SmallDisk::try_new(1) {
            Ok(disk) => disk,
            Err(why) => {
                println!("SKIPPED: {why:#}");
                return;
            }
        };
        let write = |name: &str| {
            let mut command = disk.command(Path::new("sh"));
            command.arg("-c").arg(format!(
                "head -c 9000 /dev/zero > {}/{name}",
                disk.inside().display()
            ));
            command.stderr(Stdio::null()).status().expect("starts").success()
        };
        assert!(write("one"), "there is room");
        assert_eq!(
            std::fs::metadata(disk.outside().join("one"))
                .expect("there")
                .len(),
            9_000
        );
        assert!(
            !disk.inside().join("one").exists(),
            "nobody else sees it at that place"
        );
        disk.fill().expect("filled");
        assert!(!write("two"));
        disk.make_room().expect("emptied");
        assert!(write("three"));
    }
}
