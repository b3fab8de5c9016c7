//! What an operator is told: what a run added, what a restore put back, and what happens next.

use std::fmt;
use std::path::PathBuf;

use vaultstream_event_schemas::Timestamp;
use vaultstream_infra_keystore::backup::Copied;
use vaultstream_kernel::backup::{Added, RestoredLog};

/// What a run did.
pub struct Run {
    /// To the log's copy.
    pub added: Added,
    /// Checkpoints that were new.
    pub checkpoints: usize,
    /// Sealed files that were new.
    pub keys: Copied,
    /// When the run looked at the log.
    pub reaches: Timestamp,
    /// Where the backup lies.
    pub folder: PathBuf,
    /// Where the keys lie.
    pub keystore: PathBuf,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (added, checkpoints, keys) = (&self.added, self.checkpoints, &self.keys);
        write!(
            f,
            "{} reaches {}: {} events ({} bytes in {} blocks), {checkpoints} checkpoints and {} key files are new",
            self.folder.display(),
            self.reaches,
            added.events,
            added.bytes,
            added.blocks,
            keys.files,
        )?;
        if keys.leaves_key_file && keys.files > 0 {
            let file = self.keystore.join("key");
            write!(
                f,
                "\nNOT in the backup: {}, without which its keys do not open. Keep a copy of that file apart from the backup",
                file.display()
            )?;
        }
        Ok(())
    }
}

/// What a restore did.
pub struct Restored {
    /// The log.
    pub log: RestoredLog,
    /// Checkpoints that it was compared with.
    pub checkpoints: usize,
    /// Where the keys come from; none when they were not touched.
    pub keys: Option<&'static str>,
    /// The data directory, where it was filled.
    pub data_dir: Option<PathBuf>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.data_dir {
            Some(dir) => writeln!(
                f,
                "{} events are put back in {}",
                self.log.events(),
                dir.display()
            )?,
            None => writeln!(f, "{} events are in the log", self.log.events())?,
        }
        for shard in &self.log.shards {
            let (number, kept, lost) = (shard.shard, shard.kept, shard.sealed.saturating_sub(shard.kept));
            write!(
                f,
                "shard {number}: incarnation {} ended at position {kept}, {} begins",
                shard.ended, shard.life
            )?;
            match lost {
                0 => writeln!(f)?,
                _ => writeln!(f, "; {lost} sealed events above it are lost")?,
            }
        }
        match self.checkpoints {
            0 => writeln!(
                f,
                "there was no checkpoint to compare with: every event is whole, and a cut would not have been seen"
            )?,
            count => writeln!(
                f,
                "compared with {count} checkpoints: what was kept is what was sealed"
            )?,
        }
        if let Some(keys) = self.keys {
            writeln!(f, "keys: {keys}")?;
        }
        write!(
            f,
            "\nNext:\n\
             1. Start the product. Where the mark, which is kept elsewhere, is ahead of what was put back, it starts in \
             quarantine: it answers reads and signs and sends nothing until operators release it (docs/rewind.md).\n\
             2. The first checkpoint declares every shard's loss; see it with `vaultstream audit verify`.\n\
             3. Views, cursors and Kafka follow by themselves: views are folded anew, records carry the new incarnation.\n\
             4. Tokens and cursors that clients hold are refused; they read anew. API keys and sessions made since are gone.\n\
             5. Begin a new backup folder. docs/restore.md has the whole of it."
        )
    }
}
