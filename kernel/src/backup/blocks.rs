//! A block, read back: its bytes compared with the journal, every event of it hashed again.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;
use vaultstream_domain::ports::BackupStore;
use vaultstream_event_schemas::Hlc;
use vaultstream_event_schemas::envelope::{EventRef, StoredEvent};
use vaultstream_event_schemas::record::{self, Parts, RecordError};

use super::journal::Block;
use super::{BackupError, MAX_BLOCK_BYTES};
use crate::audit::Seen;

/// A block whose bytes are those that were written.
pub(super) struct ReadBlock {
    bytes: Vec<u8>,
    /// Of each line: what was seen, and what it names itself.
    seen: Vec<(Seen, EventRef)>,
}

fn wrong(block: &Block, fault: impl Into<String>) -> BackupError {
    BackupError::Block {
        segment: block.segment,
        offset: block.offset,
        fault: fault.into(),
    }
}

/// Lines of records.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

impl ReadBlock {
    /// Reads a block. Blocks the thread, and takes its processor for a while.
    pub(super) fn read(store: &dyn BackupStore, block: &Block) -> Result<Self, BackupError> {
        if block.length > MAX_BLOCK_BYTES {
            return Err(wrong(block, "it is longer than any block"));
        }
        let bytes = store.read_block(block.segment, block.offset, block.length);
        let bytes = bytes.map_err(|source| match source.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::NotFound => {
                wrong(block, "it is cut or gone")
            }
            _ => BackupError::Store {
                doing: "read",
                source,
            },
        })?;
        if hex::encode(Sha256::digest(&bytes)) != block.sha256 {
            return Err(wrong(block, "its hash is another"));
        }
        let mut seen = Vec::new();
        for line in lines(&bytes) {
            let parts = record::parts(line).map_err(|error| wrong(block, error.to_string()))?;
            let looked = Seen::new(&parts);
            let Some(event) = looked.event_ref() else {
                return Err(wrong(block, "an envelope in it cannot be read"));
            };
            seen.push((looked, event));
        }
        Ok(Self { bytes, seen })
    }

    /// Begins to read a block, away from the async threads.
    pub(super) fn begin(store: &Arc<dyn BackupStore>, block: Block) -> JoinHandle<Result<Self, BackupError>> {
        let store = Arc::clone(store);
        tokio::task::spawn_blocking(move || Self::read(&*store, &block))
    }

    /// Each event, whole.
    pub(super) fn decoded(&self) -> impl Iterator<Item = Result<StoredEvent, RecordError>> {
        lines(&self.bytes).map(record::decode)
    }

    /// Each event with a clock up to `upto`.
    pub(super) fn events(&self, upto: Hlc) -> impl Iterator<Item = (&Seen, EventRef, Parts<'_>)> {
        let all = lines(&self.bytes).zip(&self.seen);
        // Every line was taken apart before.
        all.filter_map(|(line, (seen, event))| Some((seen, *event, record::parts(line).ok()?)))
            .take_while(move |(.., parts)| parts.hlc <= upto)
    }
}
