//! Backup and restore: a log read beside whoever writes it, a place where its copy lies, and an empty log it is put back
//! into.
//!
//! Contract. A source gives what is durable, every shard dense from its first position, and heads of one moment: a copy
//! up to them is a state the log was in. A store keeps blocks of bytes in numbered segments and a journal of lines; what
//! it has answered is on disk. A target takes an empty log only, takes each shard in order of position, and is a log
//! again when it was finished, in the lives it was told. Nothing here is believed: hashes are the kernel's to compute.

use std::collections::BTreeMap;
use std::io;

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::{EventRef, StoredEvent};
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::record::Parts;

use crate::ports::event_log::{Head, LogError};

/// A log that is copied.
#[async_trait]
pub trait BackupSource: Send {
    /// Every shard, in order of number.
    async fn shards(&mut self) -> Result<Vec<ShardEntry>, LogError>;
    /// Where every shard stands, all at one moment.
    async fn heads(&mut self) -> Result<BTreeMap<ShardNumber, Head>, LogError>;
    /// Events of a shard above `after`, in order, at most `limit`.
    async fn read(
        &mut self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError>;
}

/// An event that is put back, as it lay.
#[derive(Debug, Clone, Copy)]
pub struct RestoredRow<'a> {
    /// What its envelope names it.
    pub event: EventRef,
    /// Its bytes.
    pub parts: Parts<'a>,
}

/// An empty log that is filled.
#[async_trait]
pub trait RestoreTarget: Send {
    /// Makes the shards. Refuses a log that has an event.
    async fn begin(&mut self, shards: &[ShardEntry]) -> Result<(), LogError>;
    /// Takes the next events of a shard, with the positions and clocks they had.
    async fn put(&mut self, shard: ShardNumber, rows: &[RestoredRow<'_>]) -> Result<(), LogError>;
    /// Makes all of it durable and begins the given life of every shard.
    async fn finish(&mut self, lives: &BTreeMap<ShardNumber, u32>) -> Result<(), LogError>;
}

/// Where a backup lies. Blocks the thread; one process writes at a time.
pub trait BackupStore: Send + Sync {
    /// The journal as it lies; empty for a backup that was not begun.
    fn journal(&self) -> io::Result<Vec<u8>>;
    /// Puts lines behind the first `length` bytes of the journal; what stood behind them is cut off.
    fn append_journal(&self, length: u64, lines: &[u8]) -> io::Result<()>;
    /// Writes bytes into a segment at an offset; what stood there and behind it is cut off.
    fn write_block(&self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads bytes of a segment.
    fn read_block(&self, segment: u32, offset: u64, length: u64) -> io::Result<Vec<u8>>;
}
