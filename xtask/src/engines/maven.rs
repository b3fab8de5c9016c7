//! Engines whose binaries Maven carries, each in a directory named after its project's digest.
//!
//! Maven works in a temporary copy, because it writes beside the project it is given. It checks every file against
//! the registry's checksum and fails where they differ. Which registry, a user's own Maven settings say.

use super::install;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use vaultstream_engines::Set;

/// The archive inside the jar of the PostgreSQL set.
const POSTGRES_ARCHIVE: &str = "postgres-linux-x86_64.txz";

/// Its directory, filled when it was not there.
pub fn fetch(paths: &Paths, set: Set) -> Result<PathBuf> {
    let place = set.place_in(&paths.engines());
    install::once(&place, |dir| match set {
        Set::Postgres => postgres(paths, dir),
        Set::Kafka | Set::Cassandra => maven(paths, set, "copy-dependencies", dir),
    })?;
    Ok(place)
}

fn postgres(paths: &Paths, dir: &Path) -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the fetched PostgreSQL runs on 64-bit x86 Linux only");
    }
    let unpacked = tempfile::tempdir().context("no temporary directory")?;
    maven(paths, Set::Postgres, "unpack-dependencies", unpacked.path())?;
    let mut tar = process::command(paths, "tar");
    tar.arg("-xJf").arg(unpacked.path().join(POSTGRES_ARCHIVE));
    process::run(tar.arg("-C").arg(dir)).context("tar needs xz to unpack PostgreSQL")
}

fn maven(paths: &Paths, set: Set, goal: &str, output: &Path) -> Result<()> {
    let project = tempfile::tempdir().context("no temporary directory")?;
    fs::write(project.path().join("pom.xml"), set.pom()).context("cannot write the project")?;
    let mut mvn = process::command(paths, "mvn");
    mvn.current_dir(project.path());
    mvn.args([
        "--quiet",
        "--batch-mode",
        "--strict-checksums",
        "-DincludeScope=runtime",
    ]);
    mvn.arg(format!("-DoutputDirectory={}", output.display()));
    process::run(mvn.arg(format!("dependency:{goal}")))?;
    // Maven is content with a project that resolves to nothing.
    let found = fs::read_dir(output)
        .context("cannot look at what Maven left")?
        .count();
    if found == 0 {
        bail!("Maven left nothing for {}", set.title());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_should_pin_every_version_and_name_no_registry() {
        for set in Set::ALL {
            let pom = set.pom();
            let artifacts = pom.matches("<artifactId>").count();
            assert_eq!(pom.matches("<version>").count(), artifacts, "{}", set.name());
            for open in [
                "LATEST",
                "RELEASE",
                "SNAPSHOT",
                "<repositor",
                "<version>[",
                "<version>(",
            ] {
                assert!(!pom.contains(open), "{}: {open}", set.name());
            }
        }
    }
}
