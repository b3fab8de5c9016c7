//! One ordered list out of several partitions: index entries of several stores, shards or statuses, merged by key.

use std::collections::VecDeque;

use vaultstream_domain::ports::view_store::{Direction, KeyPart, MAX_SCAN, Row, Scan};

use super::{At, ReadError, Reads};

/// Rows a source reads ahead at least.
const CHUNK: usize = 16;

/// One partition of one store.
pub(super) struct Source {
    /// Which of the merge's stores.
    pub(super) at: usize,
    /// What is left to read.
    pub(super) scan: Scan,
    buffer: VecDeque<Row>,
    done: bool,
}

/// An entry of the merged list.
pub(super) struct Entry {
    /// Which store its row is in.
    pub(super) at: usize,
    /// Its key and value.
    pub(super) row: Row,
}

/// The merged list, read lazily.
pub(super) struct Merge<'a> {
    reads: &'a Reads,
    pub(super) ats: &'a [At],
    sources: Vec<Source>,
    direction: Direction,
}

impl<'a> Merge<'a> {
    pub(super) fn new(
        reads: &'a Reads,
        ats: &'a [At],
        scans: Vec<(usize, Scan)>,
        direction: Direction,
    ) -> Self {
        let sources = scans
            .into_iter()
            .map(|(at, scan)| Source {
                at,
                scan,
                buffer: VecDeque::new(),
                done: false,
            })
            .collect();
        Self {
            reads,
            ats,
            sources,
            direction,
        }
    }

    /// At most `count` entries; fewer only at the end of the list.
    pub(super) async fn take(&mut self, count: usize) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::with_capacity(count);
        while entries.len() < count {
            self.fill(count - entries.len()).await?;
            let Some(best) = self.best() else { break };
            let at = self.sources[best].at;
            entries.extend(self.sources[best].buffer.pop_front().map(|row| Entry { at, row }));
        }
        Ok(entries)
    }

    /// Whether another entry follows.
    pub(super) async fn has_more(&mut self) -> Result<bool, ReadError> {
        self.fill(1).await?;
        Ok(self.best().is_some())
    }

    async fn fill(&mut self, wanted: usize) -> Result<(), ReadError> {
        for source in self.sources.iter_mut().filter(|s| s.buffer.is_empty() && !s.done) {
            source.scan.limit = wanted.clamp(CHUNK, MAX_SCAN);
            let rows = self.reads.scan(&self.ats[source.at], &source.scan).await?;
            source.done = rows.len() < source.scan.limit;
            if let Some(last) = rows.last() {
                source.scan.after = Some(last.clustering.clone());
            }
            source.buffer = rows.into();
        }
        Ok(())
    }

    fn best(&self) -> Option<usize> {
        let heads = self
            .sources
            .iter()
            .enumerate()
            .filter_map(|(i, s)| s.buffer.front().map(|row| (i, row)));
        let by_key = |a: &(usize, &Row), b: &(usize, &Row)| a.1.clustering.cmp(&b.1.clustering);
        let best = match self.direction {
            Direction::Forward => heads.min_by(by_key),
            Direction::Backward => heads.max_by(by_key),
        };
        best.map(|(i, _)| i)
    }
}

/// A scan of a whole partition from a bound.
pub(super) fn scan(
    table: &'static str,
    partition: Vec<KeyPart>,
    after: Option<Vec<KeyPart>>,
    direction: Direction,
) -> Scan {
    Scan {
        table,
        partition,
        prefix: Vec::new(),
        after,
        direction,
        limit: MAX_SCAN,
    }
}
