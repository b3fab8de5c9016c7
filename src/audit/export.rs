//! `audit export`: all checkpoints and the public keys, for who will not ask us again.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result};
use vaultstream_domain::ports::{NoteList, SealText};
use vaultstream_event_schemas::note::{listed, split_list};
use vaultstream_infra_runtime::FileNoteList;

use super::Export;
use crate::assembly;
use crate::config::{Config, Kind, Overrides};

/// The list of checkpoints in the folder.
const NOTES: &str = "checkpoints.notes";
/// The public keys in the folder.
const KEYS: &str = "checkpoints.keys";

/// Writes the folder.
pub fn run(options: &Export) -> Result<()> {
    let overrides = Overrides {
        data_dir: options.data_dir.clone(),
        ..Overrides::default()
    };
    let config = Config::load(options.config.as_deref(), &overrides)?;
    let shown = options.out.display();
    std::fs::create_dir(&options.out)
        .with_context(|| format!("{shown} cannot be made; choose a new folder with --out"))?;
    let notes = File::create_new(options.out.join(NOTES))?;
    let keystore = assembly::open_keystore(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let count = match config.assembly.kind {
        Kind::Embedded => files(&config, &notes)?,
        Kind::Cluster => {
            runtime.block_on(async { list(&*assembly::open_list(&config, false).await?, &notes).await })?
        }
    };
    notes.sync_all()?;
    let keys = assembly::checkpoint_keys(&config, keystore)?;
    let keys = runtime.block_on(keys.public_keys())?;
    let mut file = File::create_new(options.out.join(KEYS))?;
    file.write_all(keys.to_string().as_bytes())?;
    file.sync_all()?;
    println!(
        "{count} checkpoints and {} public keys are in {shown}",
        keys.all().len()
    );
    Ok(())
}

/// The files of an embedded list; a product that runs may be writing the last note, which is left out then.
fn files(config: &Config, mut out: &File) -> Result<usize> {
    let mut count = 0;
    for path in FileNoteList::checkpoint_files(&config.checkpoints_dir())? {
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let (notes, _) = split_list(&text);
        for note in notes {
            out.write_all(listed(note).as_bytes())?;
            count += 1;
        }
    }
    Ok(count)
}

async fn list(checkpoints: &dyn NoteList, mut out: &File) -> Result<usize> {
    let (mut after, mut count) = (0, 0);
    loop {
        let page = checkpoints.read(after, usize::MAX).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.number;
        for kept in &page {
            out.write_all(listed(&kept.note).as_bytes())?;
            count += 1;
        }
    }
}
