//! One run of `backup`, or one after another.
//!
//! The log first: whatever it names by then, an account's key among it, is there when the rest is copied.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use vaultstream_domain::ports::{BackupSource, Clock};
use vaultstream_infra_keystore::backup::copy_sealed;
use vaultstream_infra_runtime::{BackupFolder, SystemClock};
use vaultstream_kernel::backup::Backup as LogBackup;

use super::notes::{Copied, List};
use super::{Backup, CONFIG, KEYSTORE, home, told};
use crate::config::Config;

struct Copier<'a> {
    config: &'a Config,
    folder: Arc<BackupFolder>,
    source: Box<dyn BackupSource>,
    log: LogBackup,
    list: List,
    notes: Copied,
}

/// Runs once, or until stopped. With `--follow` a run that fails is said and tried again.
pub async fn run(config: &Config, options: &Backup) -> Result<()> {
    let mut copier = Copier::open(config, options).await?;
    loop {
        match copier.once().await {
            Ok(added) => println!("{added}"),
            Err(error) if options.follow => eprintln!("vaultstream: nothing was added: {error:#}"),
            Err(error) => return Err(error),
        }
        if !options.follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(options.every)).await;
    }
}

impl<'a> Copier<'a> {
    async fn open(config: &'a Config, options: &Backup) -> Result<Self> {
        let to = &options.to;
        let source = home::source(config).await?;
        let folder = BackupFolder::open(to);
        let folder = Arc::new(folder.with_context(|| format!("{} cannot be used", to.display()))?);
        if let Some(file) = &options.which.config {
            keep_configuration(file, to)?;
        }
        Ok(Self {
            config,
            log: LogBackup::open(folder.clone(), &config.origin())?,
            notes: Copied::open(to)?,
            list: home::list(config).await?,
            folder,
            source,
        })
    }

    async fn once(&mut self) -> Result<told::Run> {
        let now = SystemClock.now();
        let added = self.log.run(&mut *self.source, now).await?;
        let checkpoints = self.notes.add(&self.list).await?;
        let keystore = home::keystore_dir(self.config);
        let keys = copy_sealed(&keystore, &self.folder.dir().join(KEYSTORE))
            .context("sealed keys cannot be copied")?;
        Ok(told::Run {
            added,
            checkpoints,
            keys,
            reaches: now,
            folder: self.folder.dir().to_owned(),
            keystore,
        })
    }
}

/// Copies the configuration, unless a credential stands in it.
fn keep_configuration(file: &Path, to: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    if has_credential(&text) {
        eprintln!(
            "vaultstream: {} has a URL with a user or password in it and is not copied; give such URLs by reference (env:NAME, \
             file:PATH), or keep the file apart",
            file.display()
        );
        return Ok(());
    }
    std::fs::write(to.join(CONFIG), text).with_context(|| format!("{CONFIG} cannot be written"))
}

/// Whether some `scheme://` is followed by a user before its host.
fn has_credential(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?' | '#'));
        rest[..end.unwrap_or(rest.len())].contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::has_credential;

    #[test]
    fn url_with_a_password_should_be_seen() {
        assert!(has_credential("url = \"postgres://a:b@h/d\""));
        assert!(has_credential("x=1\nurl = 'redis://:pw@h:1'"));
        for plain in [
            "url = \"env:PG\"",
            "url = \"http://h:8545/a@b\"",
            "mail = \"a@b\"",
            "",
        ] {
            assert!(!has_credential(plain), "{plain}");
        }
    }
}
