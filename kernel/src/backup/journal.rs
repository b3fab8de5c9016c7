//! The journal: what a backup holds, one entry a line, each line with the hash over itself and the line before.
//!
//! `<64 hexadecimal digits> <entry as JSON>`. What stands behind the last end of a line was being written when a run was
//! cut, and is none. Refuses: a line whose hash is another, entries out of order, blocks with a gap between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vaultstream_event_schemas::envelope::Hash;
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::{Hlc, ShardNumber, Timestamp};

use super::BackupError;

/// What a journal calls itself.
pub const FORMAT: &str = "vaultstream-backup/1";

/// Of which log a backup is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Begun {
    /// [`FORMAT`].
    pub format: String,
    /// The installation, as its checkpoints name it.
    pub origin: String,
    /// Every shard, in order of number.
    pub shards: Vec<ShardEntry>,
    /// Which life each of them is in.
    pub lives: BTreeMap<ShardNumber, u32>,
}

/// Events of one shard that lie together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Block {
    /// The shard.
    pub shard: ShardNumber,
    /// The position before the first event.
    pub after: u64,
    /// The position of the last.
    pub upto: u64,
    /// The shard's clock at the first.
    pub first_hlc: Hlc,
    /// The shard's clock at the last.
    pub last_hlc: Hlc,
    /// The hash of the last, in hexadecimal.
    pub last_hash: String,
    /// In which segment.
    pub segment: u32,
    /// Where in it, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
}

/// What a finished run has reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Point {
    /// When the run looked at the log.
    pub at: Timestamp,
    /// The last position of every shard.
    pub positions: BTreeMap<ShardNumber, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Begun(Begun),
    Block(Block),
    Point(Point),
}

/// A journal, read or about to be written.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Of which log.
    pub begun: Begun,
    /// Every block, by shard and in order of position.
    pub blocks: BTreeMap<ShardNumber, Vec<Block>>,
    /// The newest point.
    pub point: Option<Point>,
    /// Bytes of whole lines.
    pub(super) length: u64,
    lines: usize,
    hash: Hash,
}

fn chained(before: &Hash, body: &[u8]) -> Hash {
    Sha256::new()
        .chain_update(before)
        .chain_update(body)
        .finalize()
        .into()
}

impl Journal {
    /// A journal with nothing but its first line, and that line.
    pub(super) fn begin(begun: Begun) -> (Self, Vec<u8>) {
        let mut journal = Self {
            begun: begun.clone(),
            blocks: BTreeMap::new(),
            point: None,
            length: 0,
            lines: 0,
            hash: Hash::default(),
        };
        let line = journal.line(&Entry::Begun(begun));
        (journal, line)
    }

    /// Reads a journal; none when there is nothing in it.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, BackupError> {
        let mut journal: Option<Self> = None;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else {
                break;
            };
            let number = journal.as_ref().map_or(0, |journal| journal.lines) + 1;
            let wrong = BackupError::Journal { line: number };
            let before = journal
                .as_ref()
                .map_or_else(Hash::default, |journal| journal.hash);
            let (entry, hash) = read(&before, whole).ok_or(BackupError::Journal { line: number })?;
            let is_taken = match (&mut journal, entry) {
                (None, Entry::Begun(begun)) if begun.format == FORMAT => {
                    journal = Some(Self::begin(begun).0);
                    true
                }
                (Some(journal), Entry::Block(block)) => journal.take_block(block),
                (Some(journal), Entry::Point(point)) => journal.take_point(point),
                _ => false,
            };
            let Some(journal) = journal.as_mut().filter(|_| is_taken) else {
                return Err(wrong);
            };
            journal.hash = hash;
            journal.lines = number;
            if number > 1 {
                journal.length += line.len() as u64;
            } else {
                journal.length = line.len() as u64;
            }
        }
        Ok(journal)
    }

    /// The last position of a shard.
    pub fn reached(&self, shard: ShardNumber) -> u64 {
        self.last(shard).map_or(0, |block| block.upto)
    }

    pub(super) fn last(&self, shard: ShardNumber) -> Option<&Block> {
        self.blocks.get(&shard)?.last()
    }

    /// Where the next block goes: behind the last one.
    pub(super) fn end(&self) -> (u32, u64) {
        let ends = self.blocks.values().filter_map(|blocks| blocks.last());
        ends.map(|block| (block.segment, block.offset + block.length))
            .max()
            .unwrap_or((1, 0))
    }

    /// The line of a block, which counts from now on.
    pub(super) fn add_block(&mut self, block: Block) -> Vec<u8> {
        let line = self.line(&Entry::Block(block.clone()));
        self.blocks.entry(block.shard).or_default().push(block);
        line
    }

    /// The line of a point, which counts from now on.
    pub(super) fn add_point(&mut self, point: Point) -> Vec<u8> {
        let line = self.line(&Entry::Point(point.clone()));
        self.point = Some(point);
        line
    }

    fn line(&mut self, entry: &Entry) -> Vec<u8> {
        let body = serde_json::to_vec(entry).expect("an entry is plain data with texts as keys");
        self.hash = chained(&self.hash, &body);
        let mut line = hex::encode(self.hash).into_bytes();
        line.push(b' ');
        line.extend_from_slice(&body);
        line.push(b'\n');
        self.length += line.len() as u64;
        self.lines += 1;
        line
    }

    fn take_block(&mut self, block: Block) -> bool {
        let (segment, end) = self.end();
        let follows = block.after == self.reached(block.shard)
            && block.upto > block.after
            && self
                .last(block.shard)
                .is_none_or(|last| last.last_hlc < block.first_hlc)
            && block.first_hlc <= block.last_hlc
            && self.begun.lives.contains_key(&block.shard);
        let is_behind = (block.segment == segment && block.offset == end)
            || (block.segment == segment + 1 && block.offset == 0);
        if follows && is_behind {
            self.blocks.entry(block.shard).or_default().push(block);
        }
        follows && is_behind
    }

    fn take_point(&mut self, point: Point) -> bool {
        let is_reached = point
            .positions
            .iter()
            .all(|(shard, position)| self.reached(*shard) == *position);
        let is_later = self.point.as_ref().is_none_or(|before| before.at <= point.at);
        self.point = Some(point);
        is_reached && is_later
    }
}

fn read(before: &Hash, line: &[u8]) -> Option<(Entry, Hash)> {
    let (hash, body) = line.split_at_checked(65)?;
    let mut claimed = Hash::default();
    hex::decode_to_slice(hash.strip_suffix(b" ")?, &mut claimed).ok()?;
    let entry = serde_json::from_slice(body).ok()?;
    (chained(before, body) == claimed).then_some((entry, claimed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(after: u64, upto: u64, offset: u64) -> Block {
        Block {
            shard: ShardNumber(0),
            after,
            upto,
            first_hlc: Hlc(after * 4 + 4),
            last_hlc: Hlc(upto * 4),
            last_hash: "00".repeat(32),
            segment: 1,
            offset,
            length: 10,
            sha256: "00".repeat(32),
        }
    }

    fn sample() -> Vec<u8> {
        let begun = Begun {
            format: FORMAT.to_owned(),
            origin: "vaultstream/test/log".to_owned(),
            shards: Vec::new(),
            lives: BTreeMap::from([(ShardNumber(0), 1)]),
        };
        let (mut journal, mut bytes) = Journal::begin(begun);
        bytes.extend(journal.add_block(block(0, 3, 0)));
        bytes.extend(journal.add_block(block(3, 4, 10)));
        bytes.extend(journal.add_point(Point {
            at: Timestamp::from_micros(9),
            positions: BTreeMap::from([(ShardNumber(0), 4)]),
        }));
        assert_eq!(journal.length, bytes.len() as u64);
        bytes
    }

    #[test]
    fn journal_should_come_back_and_go_on() {
        let bytes = sample();
        let mut read = Journal::parse(&bytes).expect("whole").expect("begun");
        assert_eq!(
            (read.reached(ShardNumber(0)), read.end(), read.length),
            (4, (1, 20), bytes.len() as u64)
        );
        let more = [bytes, read.add_block(block(4, 9, 20))].concat();
        let again = Journal::parse(&more).expect("whole").expect("begun");
        assert_eq!(again.reached(ShardNumber(0)), 9);
        assert!(Journal::parse(b"").expect("nothing").is_none());
    }

    #[test]
    fn any_changed_byte_should_be_refused_and_a_torn_line_passed_over() {
        let bytes = sample();
        for at in 0..bytes.len() - 1 {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let kept = Journal::parse(&changed);
            assert!(kept.is_err(), "byte {at}");
        }
        let whole = Journal::parse(&bytes).expect("whole").expect("begun");
        let torn = Journal::parse(&bytes[..bytes.len() - 5])
            .expect("read")
            .expect("begun");
        assert!(torn.point.is_none() && torn.length < whole.length);
    }

    #[test]
    fn gap_between_blocks_should_be_refused() {
        let begun = Journal::parse(&sample()).expect("whole").expect("begun").begun;
        for wrong in [block(1, 3, 0), block(0, 3, 5), block(0, 0, 0)] {
            let (mut journal, mut bytes) = Journal::begin(begun.clone());
            bytes.extend(journal.add_block(wrong));
            assert!(Journal::parse(&bytes).is_err());
        }
    }
}
