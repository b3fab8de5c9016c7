//! Keys of a restored installation: from the backup, or from what was not lost; and the public keys that say which
//! checkpoints are to be believed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use vaultstream_domain::ports::SealText;
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_infra_keystore::backup::{copy_sealed, copy_survivor, put_key_file};
use vaultstream_infra_sqlite::database::FileLock;

use super::{KEYSTORE, Restore, home};
use crate::assembly;
use crate::config::Config;

/// Where the keys are now, and where they come from.
pub struct Placed {
    /// The folder.
    pub dir: PathBuf,
    /// In words.
    pub from: &'static str,
}

fn holds_a_keystore(dir: &Path) -> bool {
    dir.join("keystore.json").is_file()
}

/// Puts the keys in place: a folder that has some is left as it is; else those of the surviving data directory,
/// else the sealed ones of the backup. `data_dir` is the directory that is being filled.
pub fn place(config: &Config, options: &Restore, (from, data_dir): (&Path, &Path)) -> Result<Placed> {
    let dir = config
        .keystore
        .dir
        .clone()
        .unwrap_or_else(|| data_dir.join("keys"));
    if holds_a_keystore(&dir) {
        return Ok(Placed {
            dir,
            from: "those that are there, which were left as they are",
        });
    }
    if let Some(surviving) = &options.surviving {
        let old = surviving.join("keys");
        ensure!(
            holds_a_keystore(&old),
            "{} has no keystore; leave out --surviving",
            surviving.display()
        );
        copy_survivor(&old, &dir).context("the surviving keys cannot be copied")?;
        return Ok(Placed {
            dir,
            from: "those of the surviving data directory, subject keys and erasures with them",
        });
    }
    let sealed = from.join(KEYSTORE);
    copy_sealed(&sealed, &dir).context("the keys of the backup cannot be copied")?;
    if let Some(file) = &options.key_file {
        put_key_file(file, &dir).with_context(|| format!("{} cannot be copied", file.display()))?;
    }
    Ok(Placed {
        dir,
        from: "those of the backup; subject keys are in no backup, so personal data reads as erased",
    })
}

/// Takes over what else was not lost with a data directory: its sandbox chains. Nobody may run on it.
pub fn take_over(surviving: &Path, data_dir: &Path) -> Result<()> {
    let _lock = FileLock::take(&home::log_file(surviving))?;
    let chains = surviving.join("sandbox");
    if chains.is_dir() {
        copy_survivor(&chains, &data_dir.join("sandbox")).context("the sandbox chains cannot be copied")?;
    }
    Ok(())
}

/// The public keys: those that were given, else those of the keystore.
pub async fn public(config: &Config, given: Option<&Path>, keystore: &Path) -> Result<Keys> {
    if let Some(file) = given {
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
        return Keys::parse(&text).with_context(|| format!("{} holds no public keys", file.display()));
    }
    if !holds_a_keystore(keystore) {
        bail!(
            "{} has no keystore, so nothing says which checkpoints are ours; give public keys that were kept apart with --keys",
            keystore.display()
        );
    }
    let mut there = config.clone();
    there.keystore.dir = Some(keystore.to_owned());
    let opened = tokio::task::spawn_blocking(move || {
        let keystore = assembly::open_keystore(&there)?;
        assembly::checkpoint_keys(&there, keystore)
    });
    let keys = opened.await?.context(
        "the restored keys cannot be opened: give the keystore's file `key`, which was kept apart, with --key-file, or \
         configure the passphrase",
    )?;
    Ok(keys.public_keys().await?)
}
