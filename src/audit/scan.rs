//! Reading a log as it lies in a file: blocks of it are hashed on all processors and given out in order.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::{Context, Result, bail, ensure};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::{EventRef, StoredEvent};
use vaultstream_event_schemas::record::{self, Parts};
use vaultstream_infra_sqlite::LogFile;
use vaultstream_kernel::archive::{FORMAT, Header, MAX_LINE};
use vaultstream_kernel::audit::Seen;

use super::WhichLog;

/// Bytes of lines, or rows, that are hashed at once.
const BLOCK_BYTES: usize = 1 << 20;
const BLOCK_ROWS: u64 = 4_096;
/// Blocks that wait for a processor, and for being given out.
const WAITING: usize = 2;

/// One event of the log.
pub struct Item {
    /// The shard it stands in.
    pub shard: ShardNumber,
    /// What was seen of it.
    pub seen: Seen,
    /// The event itself, when it is the wanted one and can be read.
    pub event: Option<Box<StoredEvent>>,
}

/// What is given out.
pub enum Given {
    /// An event.
    Event(Item),
    /// A line that is no record.
    Unreadable {
        /// Its number, from 1.
        line: u64,
        /// Why.
        why: String,
    },
}

enum Block {
    Lines {
        first: u64,
        bytes: Vec<u8>,
    },
    Rows {
        shard: ShardNumber,
        after: u64,
        upto: u64,
    },
}

/// A log in a file.
pub enum Source {
    /// Lines that `export` wrote.
    Lines(PathBuf),
    /// The file of an embedded log.
    Rows(PathBuf),
}

impl WhichLog {
    /// The file of the log.
    pub fn source(&self) -> Result<Source> {
        match (&self.log, &self.data_dir) {
            (Some(file), _) => Ok(Source::Lines(file.clone())),
            (None, Some(dir)) => {
                let file = dir.join("log.db");
                ensure!(
                    file.is_file(),
                    "{} has no log.db; give the data directory of an embedded installation",
                    dir.display()
                );
                Ok(Source::Rows(file))
            }
            (None, None) => bail!("give --log or --data-dir"),
        }
    }
}

impl Source {
    /// Gives out every event in the order of the file, and the wanted one whole.
    pub fn scan(&self, wanted: Option<EventRef>, mut give: impl FnMut(Given)) -> Result<()> {
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(16);
        std::thread::scope(|scope| {
            let (mut feeds, mut results) = (Vec::new(), Vec::new());
            for _ in 0..threads {
                let (feed, blocks) = sync_channel::<Block>(WAITING);
                let (done, result) = sync_channel(WAITING);
                scope.spawn(move || self.work(wanted, &blocks, &done));
                feeds.push(feed);
                results.push(result);
            }
            let feeder = scope.spawn(move || self.feed(&feeds));
            // In turns, like the blocks were given to them.
            for result in results.iter().cycle() {
                match result.recv() {
                    Ok(block) => block?.into_iter().for_each(&mut give),
                    Err(_) => break,
                }
            }
            drop(results);
            feeder.join().unwrap_or_else(|_| bail!("the reader panicked"))
        })
    }

    fn feed(&self, feeds: &[SyncSender<Block>]) -> Result<()> {
        let mut next = feeds.iter().cycle();
        // A worker that has failed has said so.
        let mut send = |block| next.next().is_some_and(|feed| feed.send(block).is_ok());
        match self {
            Self::Lines(path) => lines(path, &mut send),
            Self::Rows(path) => {
                for (shard, last) in LogFile::open(path)?.shards()? {
                    let mut after = 0;
                    while after < last {
                        let upto = last.min(after + BLOCK_ROWS);
                        if !send(Block::Rows { shard, after, upto }) {
                            return Ok(());
                        }
                        after = upto;
                    }
                }
                Ok(())
            }
        }
    }

    fn work(
        &self,
        wanted: Option<EventRef>,
        blocks: &Receiver<Block>,
        done: &SyncSender<Result<Vec<Given>>>,
    ) {
        let file = match self {
            Self::Lines(_) => None,
            Self::Rows(path) => Some(LogFile::open(path)),
        };
        while let Ok(block) = blocks.recv() {
            let given = match (block, &file) {
                (Block::Lines { first, bytes }, _) => Ok(of_lines(first, &bytes, wanted)),
                (Block::Rows { shard, after, upto }, Some(Ok(file))) => {
                    of_rows(file, shard, (after, upto), wanted)
                }
                (Block::Rows { .. }, _) => self.reopen(),
            };
            if done.send(given).is_err() {
                return;
            }
        }
    }

    /// The reason why the file could not be opened.
    fn reopen(&self) -> Result<Vec<Given>> {
        let (Self::Lines(path) | Self::Rows(path)) = self;
        LogFile::open(path)?;
        bail!("{} could not be opened and now it can; try again", path.display())
    }
}

fn lines(path: &Path, send: &mut dyn FnMut(Block) -> bool) -> Result<()> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, file);
    let mut header = Vec::new();
    reader
        .by_ref()
        .take(MAX_LINE as u64)
        .read_until(b'\n', &mut header)?;
    let header: Header = serde_json::from_slice(&header)
        .with_context(|| format!("{shown} is no archive; give a file that `vaultstream export` wrote"))?;
    ensure!(
        header.format == FORMAT,
        "{shown} is in format {:?}; this build reads {FORMAT:?}",
        header.format
    );
    let mut first = 2;
    loop {
        let mut bytes = Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8);
        reader.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.last() != Some(&b'\n') {
            reader
                .by_ref()
                .take(MAX_LINE as u64)
                .read_until(b'\n', &mut bytes)?;
        }
        let count = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .count() as u64;
        if !send(Block::Lines { first, bytes }) {
            return Ok(());
        }
        first += count;
    }
}

fn of_lines(first: u64, bytes: &[u8], wanted: Option<EventRef>) -> Vec<Given> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .zip(first..)
        .map(|(bytes, line)| {
            let unreadable = |why: String| Given::Unreadable { line, why };
            let parts = match record::parts(bytes) {
                Ok(parts) => parts,
                Err(error) => return unreadable(error.to_string()),
            };
            let seen = Seen::new(&parts);
            let Some(shard) = seen.shard() else {
                return unreadable("its envelope cannot be read".to_owned());
            };
            Given::Event(item(shard, seen, &parts, wanted))
        })
        .collect()
}

fn of_rows(
    file: &LogFile,
    shard: ShardNumber,
    (after, upto): (u64, u64),
    wanted: Option<EventRef>,
) -> Result<Vec<Given>> {
    let mut given = Vec::new();
    file.rows(shard, after, upto, |row| {
        let seen = Seen::new(&row.parts).with_columns(row.stream, row.sequence);
        given.push(Given::Event(item(shard, seen, &row.parts, wanted)));
    })?;
    Ok(given)
}

fn item(shard: ShardNumber, seen: Seen, parts: &Parts<'_>, wanted: Option<EventRef>) -> Item {
    let is_wanted = wanted.is_some() && seen.event_ref() == wanted;
    let event = is_wanted.then(|| {
        let hashes = (parts.previous, parts.hash);
        StoredEvent::from_stored(
            parts.position,
            parts.hlc,
            parts.envelope,
            parts.payload.to_vec(),
            hashes,
        )
    });
    Item {
        shard,
        seen,
        event: event.and_then(Result::ok).map(Box::new),
    }
}
