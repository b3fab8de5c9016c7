//! Putting a log back: shard after shard, in order, each event hashed again and compared with what was sealed.
//!
//! The next block is read and hashed while one is written. A log that ends before what checkpoints cover is what a restore
//! is, and is told; anything else that contradicts them is tampering, and the target is not finished.

use std::collections::BTreeMap;
use std::sync::Arc;

use vaultstream_domain::ports::backup::RestoredRow;
use vaultstream_domain::ports::{BackupSource, BackupStore, RestoreTarget};
use vaultstream_event_schemas::{Hlc, ShardNumber, record};

use super::blocks::ReadBlock;
use super::journal::{Block, Journal};
use super::{BackupError, Until};
use crate::audit::{Auditor, Chain, Fault, Finding, Report, Seen};

/// Events read at once when a log is compared where it stands.
const PAGE: usize = 1_000;

/// What became of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredShard {
    /// The shard.
    pub shard: ShardNumber,
    /// The life that ended.
    pub ended: u32,
    /// The life it is in now.
    pub life: u32,
    /// The last position that was kept.
    pub kept: u64,
    /// The last position that a checkpoint covers: what is above `kept` is lost, and will be declared so.
    pub sealed: u64,
}

/// What became of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoredLog {
    /// Every shard, in order of number.
    pub shards: Vec<RestoredShard>,
}

impl RestoredLog {
    /// Events that were kept.
    pub fn events(&self) -> u64 {
        self.shards.iter().map(|shard| shard.kept).sum()
    }
}

/// The lives that follow those a backup or log is in and those that checkpoints have seen.
pub fn lives_after(known: &BTreeMap<ShardNumber, u32>, chain: &Chain) -> BTreeMap<ShardNumber, u32> {
    let sealed = |shard: &ShardNumber| {
        let roots = chain.held().iter().flat_map(|held| &held.shards);
        roots
            .filter(|root| root.shard == *shard)
            .map(|root| root.incarnation)
            .max()
    };
    known
        .iter()
        .map(|(shard, life)| (*shard, sealed(shard).unwrap_or(0).max(*life).saturating_add(1)))
        .collect()
}

/// Fills an empty log from a backup, and begins its next life.
pub async fn put_back(
    journal: &Journal,
    store: &Arc<dyn BackupStore>,
    target: &mut dyn RestoreTarget,
    chain: &Chain,
    until: Until,
) -> Result<RestoredLog, BackupError> {
    let upto = until.clock(journal, &**store)?;
    let point = journal.point.as_ref().ok_or(BackupError::NoPoint)?;
    target.begin(&journal.begun.shards).await?;
    let mut auditor = Auditor::new(chain);
    for shard in journal.begun.lives.keys() {
        auditor.begin(*shard);
        let reached = point.positions.get(shard).copied().unwrap_or(0);
        let blocks = journal.blocks.get(shard).map_or(&[][..], Vec::as_slice);
        let wanted = blocks
            .iter()
            .take_while(|block| block.after < reached && block.first_hlc <= upto);
        put_shard(
            *shard,
            wanted.cloned().collect(),
            store,
            upto,
            &mut Filling {
                target: &mut *target,
                auditor: &mut auditor,
            },
        )
        .await?;
    }
    let restored = judge(&auditor.finish(), &journal.begun.lives, chain)?;
    let lives = restored
        .shards
        .iter()
        .map(|shard| (shard.shard, shard.life))
        .collect();
    target.finish(&lives).await?;
    Ok(restored)
}

/// What takes the events.
struct Filling<'f, 'c> {
    target: &'f mut dyn RestoreTarget,
    auditor: &'f mut Auditor<'c>,
}

async fn put_shard(
    shard: ShardNumber,
    blocks: Vec<Block>,
    store: &Arc<dyn BackupStore>,
    upto: Hlc,
    filling: &mut Filling<'_, '_>,
) -> Result<(), BackupError> {
    let read = |block: Block| ReadBlock::begin(store, block);
    let mut blocks = blocks.into_iter();
    let mut ahead = blocks.next().map(read);
    while let Some(next) = ahead.take() {
        let block = next.await.unwrap_or_else(|error| {
            Err(BackupError::Store {
                doing: "read",
                source: std::io::Error::other(error),
            })
        })?;
        ahead = blocks.next().map(read);
        let mut rows = Vec::new();
        for (seen, event, parts) in block.events(upto) {
            filling.auditor.take(shard, seen);
            rows.push(RestoredRow { event, parts });
        }
        filling.target.put(shard, &rows).await?;
    }
    Ok(())
}

/// Compares a log that was put back by other means where it stands.
pub async fn verify(source: &mut dyn BackupSource, chain: &Chain) -> Result<RestoredLog, BackupError> {
    let heads = source.heads().await?;
    let mut auditor = Auditor::new(chain);
    for (shard, head) in &heads {
        auditor.begin(*shard);
        let mut after = 0;
        while after < head.position {
            let page = source.read(*shard, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for event in &page {
                let damaged = || BackupError::DamagedLog {
                    shard: *shard,
                    position: event.position,
                };
                let line = record::encode(event).map_err(|_| damaged())?;
                let parts = record::parts(&line).map_err(|_| damaged())?;
                auditor.take(*shard, &Seen::new(&parts));
            }
        }
    }
    let lives = heads
        .iter()
        .map(|(shard, head)| (*shard, head.incarnation))
        .collect();
    judge(&auditor.finish(), &lives, chain)
}

/// A cut is what a restore is; everything else is not.
fn judge(
    report: &Report,
    lives: &BTreeMap<ShardNumber, u32>,
    chain: &Chain,
) -> Result<RestoredLog, BackupError> {
    let is_cut = |finding: &&Finding| matches!(finding.fault, Fault::Cut { .. });
    if let Some(finding) = report.findings.iter().find(|finding| !is_cut(finding)) {
        return Err(BackupError::Tampered(finding.to_string()));
    }
    let sealed: BTreeMap<ShardNumber, u64> = report
        .findings
        .iter()
        .filter_map(|finding| match finding.fault {
            Fault::Cut { upto, .. } => Some((finding.place.shard, upto)),
            _ => None,
        })
        .collect();
    let next = lives_after(lives, chain);
    let shards = report.shards.iter().filter_map(|shard| {
        let number = shard.shard;
        Some(RestoredShard {
            shard: number,
            ended: *lives.get(&number)?,
            life: *next.get(&number)?,
            kept: shard.events,
            sealed: sealed.get(&number).copied().unwrap_or(shard.sealed),
        })
    });
    Ok(RestoredLog {
        shards: shards.collect(),
    })
}
