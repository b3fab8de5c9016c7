//! A backup that reaches further than the log does, as an echo of it: for who wants to know what a restore to an earlier
//! moment left behind in it.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::ports::echo::{EchoError, EchoPage};
use vaultstream_domain::ports::{BackupStore, Echo};
use vaultstream_event_schemas::ShardNumber;

use super::BackupError;
use super::blocks::ReadBlock;
use super::journal::{Block, Journal};

const PLACE: &str = "the backup";

/// The blocks of finished runs, a block a page.
pub struct BackupEcho {
    journal: Journal,
    store: Arc<dyn BackupStore>,
    blocks: VecDeque<Block>,
    shard: ShardNumber,
    after: u64,
}

impl BackupEcho {
    /// Reads a backup; nothing in it is changed.
    pub const fn new(journal: Journal, store: Arc<dyn BackupStore>) -> Self {
        Self {
            journal,
            store,
            blocks: VecDeque::new(),
            shard: ShardNumber(0),
            after: 0,
        }
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EchoError {
    EchoError {
        place: PLACE,
        source: source.into(),
    }
}

#[async_trait]
impl Echo for BackupEcho {
    fn place(&self) -> &'static str {
        PLACE
    }

    async fn begin(&mut self, shard: ShardNumber, after: u64) -> Result<(), EchoError> {
        let Some(point) = &self.journal.point else {
            return Err(failed(BackupError::NoPoint));
        };
        let reached = point.positions.get(&shard).copied().unwrap_or(0);
        let blocks = self.journal.blocks.get(&shard).map_or(&[][..], Vec::as_slice);
        let is_wanted = |block: &&Block| block.upto > after && block.after < reached;
        self.blocks = blocks.iter().filter(is_wanted).cloned().collect();
        (self.shard, self.after) = (shard, after);
        Ok(())
    }

    async fn next(&mut self) -> Result<EchoPage, EchoError> {
        let mut page = EchoPage::default();
        let Some(block) = self.blocks.pop_front() else {
            return Ok(page);
        };
        let read = ReadBlock::begin(&self.store, block).await;
        let read = read.map_err(failed)?.map_err(failed)?;
        for event in read.decoded() {
            match event {
                Ok(event) if event.envelope.shard != self.shard => page.damaged += 1,
                Ok(event) if event.position > self.after => page.events.push(event),
                Ok(_) => {}
                Err(_) => page.damaged += 1,
            }
        }
        Ok(page)
    }
}
