//! A Java 17: what Cassandra 5 runs on and Kafka 4 is content with.
//!
//! Newer ones refuse switches that Cassandra needs, so another version is passed over, not tried.

use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = "17";

/// The directory that holds `bin/java` and `bin/keytool` of a Java 17.
///
/// # Errors
/// There is none in `JAVA_HOME`, on the `PATH` or in `/usr/lib/jvm`.
pub fn home() -> Result<PathBuf> {
    candidates()
        .into_iter()
        .find(|home| is_wanted(home))
        .context("no Java 17: run `cargo xtask doctor --install`, or name one in JAVA_HOME")
}

/// A Java program with all jars of a directory.
pub(crate) fn program(home: &Path) -> PathBuf {
    home.join("bin/java")
}

/// `-cp` and its value; the star is Java's own.
pub(crate) fn class_path(jars: &Path) -> [OsString; 2] {
    ["-cp".into(), jars.join("*").into()]
}

/// A short run of a class, for tools: starts faster than what compiles for a long life.
pub(crate) fn tool(jars: &Path) -> Result<Command> {
    let mut command = Command::new(program(&home()?));
    command
        .args([
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "-Xmx256m",
        ])
        .args(class_path(jars));
    Ok(command)
}

fn candidates() -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> = env::var_os("JAVA_HOME").map(PathBuf::from).into_iter().collect();
    let path = env::var_os("PATH").unwrap_or_default();
    // `java` on the path is a chain of links into the real home.
    homes.extend(env::split_paths(&path).filter_map(|dir| {
        let real = fs::canonicalize(dir.join("java")).ok()?;
        Some(real.parent()?.parent()?.to_path_buf())
    }));
    let installed = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    homes.extend(installed.map(|entry| entry.path()));
    homes
}

/// Every Java since 9 says in a file which one it is.
fn is_wanted(home: &Path) -> bool {
    let release = fs::read_to_string(home.join("release")).unwrap_or_default();
    program(home).is_file() && version(&release) == Some(VERSION)
}

fn version(release: &str) -> Option<&str> {
    let line = release
        .lines()
        .find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    line.trim_matches('"').split('.').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_should_be_the_first_number() {
        assert_eq!(
            version("IMPLEMENTOR=\"X\"\nJAVA_VERSION=\"17.0.15\"\n"),
            Some("17")
        );
        assert_eq!(version("JAVA_VERSION=\"21\"\n"), Some("21"));
        assert_eq!(version("nothing"), None);
    }

    #[test]
    fn another_version_should_be_passed_over() {
        let home = tempfile::tempdir().expect("temp dir");
        fs::create_dir(home.path().join("bin")).expect("made");
        fs::write(home.path().join("bin/java"), "").expect("writes");
        fs::write(home.path().join("release"), "JAVA_VERSION=\"21.0.1\"\n").expect("writes");
        assert!(!is_wanted(home.path()));
        fs::write(home.path().join("release"), "JAVA_VERSION=\"17.0.1\"\n").expect("writes");
        assert!(is_wanted(home.path()));
        fs::remove_file(home.path().join("bin/java")).expect("removes");
        assert!(!is_wanted(home.path()));
    }
}
