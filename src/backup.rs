//! `vaultstream backup` and `restore`: a copy of an installation that runs, and an installation made of it again.
//!
//! A backup is a folder: the log in segments with a journal, the signed checkpoints, the configuration that was given, and
//! keys as they are sealed on disk. Never in it: subject keys, the master key's file, anything in the clear. A restore
//! fills an empty place, begins another life of every shard and says what follows.

mod copy;
mod home;
mod keys;
mod notes;
mod restore;
mod told;

pub use restore::echo;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::Args;
use vaultstream_event_schemas::{ShardNumber, Timestamp};
use vaultstream_kernel::backup::Until;

use crate::config::{Config, Overrides};

/// Sealed keys in the folder.
const KEYSTORE: &str = "keystore";
/// The list of checkpoints in the folder.
const NOTES: &str = "checkpoints.notes";
/// The configuration file that was given.
const CONFIG: &str = "config.toml";

/// Which installation.
#[derive(Debug, Args)]
struct Which {
    /// A TOML file that overrides the committed defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything durable lies.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Which {
    fn load(&self) -> Result<Config> {
        let overrides = Overrides {
            data_dir: self.data_dir.clone(),
            ..Overrides::default()
        };
        Config::load(self.config.as_deref(), &overrides)
    }
}

/// Options of `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    which: Which,
    /// The folder; made when it is not there. A later run into the same folder adds only what is new.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Go on adding what is new, until stopped.
    #[arg(long)]
    follow: bool,
    /// Seconds between two looks with --follow: what a loss of the machine may cost.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    which: Which,
    /// The folder that `backup` wrote; nothing in it is changed.
    #[arg(long, value_name = "DIR", required_unless_present = "declare")]
    from: Option<PathBuf>,
    /// Put back what had happened by this moment, such as 2026-11-26T10:00:00Z.
    #[arg(long, value_name = "RFC3339", conflicts_with = "to_position")]
    to_time: Option<Timestamp>,
    /// Put back what had happened when this event had, as SHARD:POSITION.
    #[arg(long, value_name = "SHARD:POSITION", value_parser = place)]
    to_position: Option<(ShardNumber, u64)>,
    /// The keystore's file `key`, which is in no backup; not needed where a passphrase is configured.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The data directory that is replaced, when it still exists: its keys, those of subjects among them, and its
    /// sandbox chains were not lost and are taken from there. Embedded only.
    #[arg(long, value_name = "DIR")]
    surviving: Option<PathBuf>,
    /// Public keys of checkpoints that were kept apart, instead of those of the restored keystore.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The log was put back by other means (PostgreSQL's base backup and WAL, a provider's restore, a copy of the file):
    /// compare it with the checkpoints where it stands, and begin its next life.
    #[arg(long, conflicts_with_all = ["from", "to_time", "to_position", "surviving", "key_file"])]
    declare: bool,
}

fn place(text: &str) -> Result<(ShardNumber, u64), String> {
    let wrong = || format!("{text:?} is no SHARD:POSITION such as 3:5123");
    let (shard, position) = text.split_once(':').ok_or_else(wrong)?;
    let shard = shard.parse().map_err(|_| wrong())?;
    let position = position.parse().ok().filter(|position| *position > 0);
    Ok((ShardNumber(shard), position.ok_or_else(wrong)?))
}

impl Restore {
    fn until(&self) -> Until {
        match (self.to_time, self.to_position) {
            (Some(time), _) => Until::Time(time),
            (None, Some((shard, position))) => Until::Event { shard, position },
            (None, None) => Until::Newest,
        }
    }
}

/// Adds what is new to a backup, once or until stopped.
pub fn run_backup(options: &Backup) -> Result<()> {
    let config = options.which.load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(copy::run(&config, options))
}

/// Makes an installation of a backup, or declares one that was put back otherwise.
pub fn run_restore(options: &Restore) -> Result<()> {
    let config = options.which.load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match &options.from {
            Some(from) => restore::from_backup(&config, options, from).await,
            None if options.declare => restore::declare(&config, options).await,
            None => bail!("give --from DIR, or --declare for a log that was put back by other means"),
        }
    })
}

/// Refuses a folder that holds anything.
fn ensure_empty(dir: &std::path::Path, remedy: &str) -> Result<()> {
    let is_empty = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    ensure!(is_empty, "{} is not empty; {remedy}", dir.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_should_be_read_or_refused_with_its_text() {
        assert_eq!(place("3:5123"), Ok((ShardNumber(3), 5123)));
        for wrong in ["", "3", "3:", ":5", "3:0", "70000:1", "3:x"] {
            assert!(place(wrong).expect_err(wrong).contains(wrong));
        }
    }
}
