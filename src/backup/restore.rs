//! `restore`: everything is looked at before anything is written, and an embedded installation appears whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use vaultstream_domain::ports::note_list::KeptNote;
use vaultstream_domain::ports::{BackupStore, Clock, NoteList};
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::{Registry, ShardNumber};
use vaultstream_infra_runtime::{BackupFolder, SystemClock};
use vaultstream_kernel::audit::Chain;
use vaultstream_kernel::backup::{BackupEcho, Journal, RestoredLog, put_back, verify};

use super::{Restore, ensure_empty, home, keys, notes, told};
use crate::config::{Config, Kind};

/// What a restore left behind for who asks later.
const RECORD: &str = "restored.json";

/// Makes an installation of a backup.
pub async fn from_backup(config: &Config, options: &Restore, from: &Path) -> Result<()> {
    let (journal, folder) = of_ours(config, from)?;
    fits(config, &journal.begun.shards)?;
    let restoring = Restoring {
        config,
        options,
        from,
        journal,
        store: folder,
    };
    if config.assembly.kind == Kind::Cluster {
        ensure!(
            options.surviving.is_none(),
            "--surviving is for the embedded assembly; the keys of a cluster lie in keystore.dir"
        );
        println!("{}", restoring.fill(&config.data_dir).await?);
        return Ok(());
    }
    ensure_empty(
        &config.data_dir,
        "move what is there away, or choose another --data-dir",
    )?;
    let filled = beside(&config.data_dir)?;
    ensure_empty(&filled, "an earlier restore was cut there: remove it")?;
    match restoring.fill(&filled).await {
        Ok(told) => {
            appear(&filled, &config.data_dir)?;
            println!("{told}");
            Ok(())
        }
        Err(error) => {
            // It was empty before. What cannot be removed is named by the next restore.
            let _ = std::fs::remove_dir_all(&filled);
            Err(error)
        }
    }
}

/// A backup on its way back.
struct Restoring<'a> {
    config: &'a Config,
    options: &'a Restore,
    from: &'a Path,
    journal: Journal,
    store: Arc<dyn BackupStore>,
}

impl Restoring<'_> {
    /// Puts everything in place, an embedded log and keys into `filled`.
    async fn fill(&self, filled: &Path) -> Result<told::Restored> {
        let (config, options) = (self.config, self.options);
        if let Some(surviving) = &options.surviving {
            keys::take_over(surviving, filled)?;
        }
        let placed = keys::place(config, options, (self.from, filled))?;
        let public = keys::public(config, options.keys.as_deref(), &placed.dir).await?;
        let list = home::own_list(config).await?;
        let (chain, missing) = checkpoints(&*list, notes::read(self.from)?, &public).await?;
        let mut target = home::target(config, filled).await?;
        let restored = put_back(&self.journal, &self.store, &mut *target, &chain, options.until()).await?;
        drop(target);
        for note in &missing {
            list.append(note).await?;
        }
        record(filled, &restored)?;
        Ok(told::Restored {
            log: restored,
            checkpoints: chain.held().len(),
            keys: Some(placed.from),
            data_dir: (config.assembly.kind == Kind::Embedded).then(|| config.data_dir.clone()),
        })
    }
}

/// Compares a log that was put back by other means, and begins its next life.
pub async fn declare(config: &Config, options: &Restore) -> Result<()> {
    let mut source = home::source(config).await?;
    let public = keys::public(config, options.keys.as_deref(), &home::keystore_dir(config)).await?;
    let list = home::own_list(config).await?;
    let (chain, _) = checkpoints(&*list, Vec::new(), &public).await?;
    // Before it is read, so that nobody writes meanwhile; the cluster's log refuses who decides on an older life.
    let mut target = home::target(config, &config.data_dir).await?;
    let restored = verify(&mut *source, &chain).await?;
    let lives: BTreeMap<ShardNumber, u32> = restored.shards.iter().map(|s| (s.shard, s.life)).collect();
    target.finish(&lives).await?;
    drop(target);
    record(&config.data_dir, &restored)?;
    let told = told::Restored {
        log: restored,
        checkpoints: chain.held().len(),
        keys: None,
        data_dir: None,
    };
    println!("{told}");
    Ok(())
}

/// What a backup still has of the log.
pub fn echo(config: &Config, from: &Path) -> Result<BackupEcho> {
    let (journal, folder) = of_ours(config, from)?;
    Ok(BackupEcho::new(journal, folder))
}

/// A backup of this installation, to be read.
fn of_ours(config: &Config, from: &Path) -> Result<(Journal, Arc<BackupFolder>)> {
    let folder = Arc::new(BackupFolder::read(from));
    let journal = read_journal(&folder)?;
    let origin = config.origin();
    ensure!(
        journal.begun.origin == origin,
        "the backup is of {:?} and this configuration is of {origin:?}; give the configuration it was made with",
        journal.begun.origin
    );
    Ok((journal, folder))
}

fn read_journal(folder: &BackupFolder) -> Result<Journal> {
    let shown = folder.dir().display();
    let bytes = folder
        .journal()
        .with_context(|| format!("{shown} cannot be read"))?;
    let journal = Journal::parse(&bytes)?;
    journal.with_context(|| {
        format!("{shown} holds no backup; give a folder that `vaultstream backup --to` wrote")
    })
}

/// Refuses a configuration whose log could not be opened afterwards.
fn fits(config: &Config, shards: &[ShardEntry]) -> Result<()> {
    let stored: Registry = serde_json::from_value(json!({ "entries": shards }))?;
    stored
        .extended(&config.families())
        .context("the configured families are not those of the backup; restore with the configuration it was made with")?;
    Ok(())
}

/// The checkpoints that are to be believed, and those of the backup that the installation's own list does not have. The
/// list that was not lost goes on; who has only the backup begins with its list.
async fn checkpoints(
    list: &dyn NoteList,
    backed_up: Vec<KeptNote>,
    public: &Keys,
) -> Result<(Chain, Vec<KeptNote>)> {
    let own = notes::above(list, 0).await?;
    let newest = own.last().map_or(0, |kept| kept.number);
    let named = |place: &'static str| {
        move |kept: &KeptNote| (format!("{place}, checkpoint {}", kept.number), kept.note.clone())
    };
    let notes: Vec<(String, String)> = own
        .iter()
        .map(named("the installation's list"))
        .chain(backed_up.iter().map(named("the backup's list")))
        .collect();
    let (chain, faults) = Chain::new(
        notes.iter().map(|(place, note)| (place.clone(), note.as_str())),
        public,
    );
    if let Some(fault) = faults.first() {
        bail!("the checkpoints contradict each other or are not ours: {fault}");
    }
    let missing = backed_up
        .into_iter()
        .filter(|kept| kept.number > newest)
        .collect();
    Ok((chain, missing))
}

/// The directory that is filled: beside the one that will be, on the same file system.
fn beside(data_dir: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(data_dir)?;
    let name = whole
        .file_name()
        .with_context(|| format!("{} has no name; give another --data-dir", data_dir.display()))?;
    let mut filled = name.to_owned();
    filled.push(".restoring");
    Ok(whole.with_file_name(filled))
}

fn record(dir: &Path, restored: &RestoredLog) -> Result<()> {
    let shards = restored.shards.iter().map(|shard| {
        json!({
            "shard": shard.shard, "endedIncarnation": shard.ended, "incarnation": shard.life, "kept": shard.kept,
            "sealed": shard.sealed,
        })
    });
    let record = json!({ "restoredAt": SystemClock.now(), "shards": shards.collect::<Vec<_>>() });
    std::fs::create_dir_all(dir)?;
    let path = dir.join(RECORD);
    let file =
        std::fs::File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    serde_json::to_writer_pretty(&file, &record)?;
    Ok(file.sync_all()?)
}

/// Gives a filled directory its name.
fn appear(filled: &Path, data_dir: &Path) -> Result<()> {
    let whole = std::path::absolute(data_dir)?;
    if whole.exists() {
        std::fs::remove_dir(&whole)?;
    }
    std::fs::rename(filled, &whole).with_context(|| format!("{} cannot be named", whole.display()))?;
    let parent = whole.parent().context("it has a parent")?;
    Ok(std::fs::File::open(parent)?.sync_all()?)
}
