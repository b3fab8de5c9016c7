//! One run: what is new since the last one goes into blocks, then a point says how far it came.
//!
//! Block first, then its line, then the point: whatever a kill leaves behind the last whole line is cut off by the next
//! run. The log is read in short reads, so a run never holds back its write-ahead log.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::{BackupSource, BackupStore};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Hlc, ShardNumber, Timestamp, record};

use super::journal::{Begun, Block, FORMAT, Journal, Point};
use super::{BLOCK_BYTES, BackupError, SEGMENT_BYTES};

/// Events read at once.
const PAGE: usize = 1_000;

/// What a run added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Events.
    pub events: u64,
    /// Bytes of blocks.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
}

/// A backup that is added to.
pub struct Backup {
    store: Arc<dyn BackupStore>,
    origin: String,
    journal: Option<Journal>,
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> BackupError {
    move |source| BackupError::Store { doing, source }
}

/// A block that is being filled.
struct Filling {
    bytes: Vec<u8>,
    after: u64,
    first_hlc: Option<Hlc>,
}

impl Backup {
    /// Takes up the backup in a store, or one that begins there. `origin` is the installation's name on its checkpoints.
    pub fn open(store: Arc<dyn BackupStore>, origin: &str) -> Result<Self, BackupError> {
        let journal = Journal::parse(&store.journal().map_err(failed("read"))?)?;
        if let Some(journal) = journal.as_ref().filter(|j| j.begun.origin != origin) {
            return Err(BackupError::Foreign {
                found: journal.begun.origin.clone(),
                wanted: origin.to_owned(),
            });
        }
        Ok(Self {
            store,
            origin: origin.to_owned(),
            journal,
        })
    }

    /// What it holds; none before the first run.
    pub const fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Adds what is new. `now` is the time before the call; nothing that was durable by then is missed.
    pub async fn run(&mut self, source: &mut dyn BackupSource, now: Timestamp) -> Result<Added, BackupError> {
        let heads = source.heads().await?;
        self.begin(source, &heads).await?;
        let mut added = Added::default();
        for (shard, head) in &heads {
            self.shard(source, *shard, head, &mut added).await?;
        }
        let Some(journal) = &mut self.journal else {
            return Ok(added);
        };
        let positions = heads
            .iter()
            .map(|(shard, head)| (*shard, head.position))
            .collect();
        let at = journal.point.as_ref().map_or(now, |point| point.at.max(now));
        let length = journal.length;
        let line = journal.add_point(Point { at, positions });
        self.append(length, &line)?;
        Ok(added)
    }

    async fn begin(
        &mut self,
        source: &mut dyn BackupSource,
        heads: &BTreeMap<ShardNumber, Head>,
    ) -> Result<(), BackupError> {
        let begun = Begun {
            format: FORMAT.to_owned(),
            origin: self.origin.clone(),
            shards: source.shards().await?,
            lives: heads
                .iter()
                .map(|(shard, head)| (*shard, head.incarnation))
                .collect(),
        };
        let Some(journal) = &self.journal else {
            let (journal, line) = Journal::begin(begun);
            self.store.append_journal(0, &line).map_err(failed("begun"))?;
            self.journal = Some(journal);
            return Ok(());
        };
        if journal.begun != begun {
            let differs = if journal.begun.shards == begun.shards {
                "incarnations differ"
            } else {
                "shards differ"
            };
            return Err(BackupError::OtherLife(differs.to_owned()));
        }
        Ok(())
    }

    async fn shard(
        &mut self,
        source: &mut dyn BackupSource,
        shard: ShardNumber,
        head: &Head,
        added: &mut Added,
    ) -> Result<(), BackupError> {
        let mut after = self.continued(source, shard, head).await?;
        let mut filling = Filling::new(after);
        while after < head.position {
            let left = usize::try_from(head.position - after).unwrap_or(usize::MAX);
            let page = source.read(shard, after, left.min(PAGE)).await?;
            if page.is_empty() {
                return Err(BackupError::DamagedLog {
                    shard,
                    position: after + 1,
                });
            }
            for event in &page {
                filling.take(shard, after, event)?;
                after = event.position;
                added.events += 1;
                if filling.bytes.len() >= BLOCK_BYTES || after == head.position {
                    let full = std::mem::replace(&mut filling, Filling::new(after));
                    self.close(shard, &full, event, added)?;
                }
            }
        }
        Ok(())
    }

    /// Where the shard goes on, when the log still has what the backup has.
    async fn continued(
        &self,
        source: &mut dyn BackupSource,
        shard: ShardNumber,
        head: &Head,
    ) -> Result<u64, BackupError> {
        let Some(last) = self.journal.as_ref().and_then(|journal| journal.last(shard)) else {
            return Ok(0);
        };
        let position = last.upto;
        let at = if head.position < position {
            Vec::new()
        } else {
            source.read(shard, position.saturating_sub(1), 1).await?
        };
        let is_same = at
            .first()
            .is_some_and(|event| event.position == position && hex::encode(event.hash) == last.last_hash);
        if is_same {
            Ok(position)
        } else {
            Err(BackupError::NotContinued { shard, position })
        }
    }

    fn close(
        &mut self,
        shard: ShardNumber,
        full: &Filling,
        last: &StoredEvent,
        added: &mut Added,
    ) -> Result<(), BackupError> {
        let Some(journal) = &mut self.journal else {
            return Err(BackupError::Empty);
        };
        let (mut segment, mut offset) = journal.end();
        if offset >= SEGMENT_BYTES {
            (segment, offset) = (segment + 1, 0);
        }
        let write = self.store.write_block(segment, offset, &full.bytes);
        write.map_err(failed("written"))?;
        let length = journal.length;
        let line = journal.add_block(Block {
            shard,
            after: full.after,
            upto: last.position,
            first_hlc: full.first_hlc.unwrap_or(last.hlc),
            last_hlc: last.hlc,
            last_hash: hex::encode(last.hash),
            segment,
            offset,
            length: full.bytes.len() as u64,
            sha256: hex::encode(Sha256::digest(&full.bytes)),
        });
        self.append(length, &line)?;
        added.bytes += full.bytes.len() as u64;
        added.blocks += 1;
        Ok(())
    }

    /// A journal that could not be written is read again before anything is added.
    fn append(&mut self, length: u64, line: &[u8]) -> Result<(), BackupError> {
        let appended = self.store.append_journal(length, line);
        if appended.is_err() {
            self.journal = self
                .store
                .journal()
                .ok()
                .and_then(|read| Journal::parse(&read).ok()?);
        }
        appended.map_err(failed("written"))
    }
}

impl Filling {
    const fn new(after: u64) -> Self {
        Self {
            bytes: Vec::new(),
            after,
            first_hlc: None,
        }
    }

    fn take(&mut self, shard: ShardNumber, after: u64, event: &StoredEvent) -> Result<(), BackupError> {
        let damaged = || BackupError::DamagedLog {
            shard,
            position: after + 1,
        };
        if event.position != after + 1 || event.envelope.shard != shard {
            return Err(damaged());
        }
        event.verify().map_err(|_| damaged())?;
        let record = record::encode(event).map_err(|_| damaged())?;
        self.bytes.extend_from_slice(&record);
        self.bytes.push(b'\n');
        self.first_hlc.get_or_insert(event.hlc);
        Ok(())
    }
}
