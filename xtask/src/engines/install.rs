//! Puts a directory in its place whole or not at all.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Lets `install` fill a fresh directory and moves it to `place`; where that is there already, does nothing.
pub fn once(place: &Path, install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if place.is_dir() {
        return Ok(());
    }
    let parent = place.parent().context("an install needs a directory above it")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    // On the same file system, or it could not be moved at one stroke.
    let staging = tempfile::Builder::new()
        .prefix(".")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in(parent)
        .context("cannot stage an install")?;
    install(staging.path())?;
    match fs::rename(staging.path(), place) {
        Ok(()) => drop(staging.keep()),
        // Another run finished first: its copy is as good as ours.
        Err(_) if place.is_dir() => {}
        Err(error) => return Err(error).with_context(|| format!("cannot move into {}", place.display())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::cell::Cell;

    fn entries(dir: &Path) -> usize {
        fs::read_dir(dir).map_or(0, Iterator::count)
    }

    #[test]
    fn once_should_run_once_a_place() {
        let engines = tempfile::tempdir().expect("temp dir");
        let runs = Cell::new(0);
        let install = |dir: &Path| -> Result<()> {
            runs.set(runs.get() + 1);
            fs::write(dir.join("jar"), "jar").map_err(Into::into)
        };
        let one = engines.path().join("below/kafka-1");
        once(&one, install).expect("installs");
        once(&one, install).expect("finds");
        assert_eq!(runs.get(), 1);
        assert!(one.join("jar").is_file());

        let two = engines.path().join("below/kafka-2");
        once(&two, install).expect("installs");
        assert_eq!(runs.get(), 2, "a changed version must not find the old one");
        let both = engines.path().join("below");
        assert_eq!(entries(&both), 2, "no staging directory may stay");
    }

    #[test]
    fn broken_install_should_leave_nothing_behind() {
        let engines = tempfile::tempdir().expect("temp dir");
        let place = engines.path().join("kafka-1");
        let failed = once(&place, |dir| {
            fs::write(dir.join("half"), "half")?;
            bail!("connection lost")
        });
        assert!(failed.is_err());
        assert_eq!(entries(engines.path()), 0);
        once(&place, |_| Ok(())).expect("installs");
        assert!(!place.join("half").exists());
    }

    #[test]
    fn second_to_finish_should_take_what_the_first_left() {
        let engines = tempfile::tempdir().expect("temp dir");
        let place = engines.path().join("kafka-1");
        once(&place, |_| {
            fs::create_dir(&place)?;
            fs::write(place.join("jar"), "first").map_err(Into::into)
        })
        .expect("the other run's copy will do");
        assert_eq!(fs::read_to_string(place.join("jar")).expect("there"), "first");
        assert_eq!(entries(engines.path()), 1);
    }
}
