//! Dumps: every live row of a table in key order, out of an engine that orders partitions by their hash.
//!
//! A dump reads the whole table and keeps the next rows in key order, as many as its memory holds; pages are handed out
//! of that, and when it is used up the table is read again. So memory is bounded for a table of any size, and a table
//! that fits is read once. For digests and tests, not for readers: rows that are written meanwhile may be missed.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use lru::LruCache;
use scylla::client::session::Session;
use scylla::response::{PagingState, PagingStateResponse};
use vaultstream_domain::ports::view_store::{KeyPart, RowKey, Table, ViewRef};

use crate::bind::Found;
use crate::schema::Source;
use crate::tables::Prepared;

/// Parts of the ring that a pass reads.
const RANGES: u64 = 32;
/// How many of them at once.
const AT_ONCE: usize = 4;
/// Dumps that go on at the same time; the oldest begins anew.
const DUMPS: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");
/// What a row costs besides its bytes.
const OVERHEAD: usize = 160;

/// The key of a row, partition and clustering, in the order of dumps.
type Key = (Vec<KeyPart>, Vec<KeyPart>);

/// Rows that come next.
pub(crate) struct Window {
    rows: VecDeque<(Key, Vec<u8>)>,
    /// Whether nothing comes behind them.
    is_last: bool,
    after: Option<Key>,
}

/// Dumps under way.
pub(crate) struct Dumps {
    bytes: usize,
    windows: Mutex<LruCache<(ViewRef, &'static str), Window>>,
}

impl Dumps {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            bytes,
            windows: Mutex::new(LruCache::new(DUMPS)),
        }
    }

    /// The next rows after a key.
    pub(crate) async fn page(
        &self,
        session: &Session,
        (view, table, prepared): (&ViewRef, &Table, &Prepared),
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, Source> {
        let after = after.map(|key| (key.partition.clone(), key.clustering.clone()));
        let place = (view.clone(), table.name);
        let taken = self.lock().pop(&place);
        let fits = |window: &Window| window.after == after && (after.is_some() || window.rows.is_empty());
        let mut window = taken.filter(fits).unwrap_or(Window {
            rows: VecDeque::new(),
            is_last: false,
            after,
        });
        let mut page = Vec::new();
        while page.len() < limit {
            let Some((key, value)) = window.rows.pop_front() else {
                if window.is_last {
                    break;
                }
                window = self.pass(session, prepared, window.after).await?;
                continue;
            };
            window.after = Some(key.clone());
            let (partition, clustering) = key;
            page.push((
                RowKey {
                    table: table.name,
                    partition,
                    clustering,
                },
                value,
            ));
        }
        if !page.is_empty() {
            self.lock().put(place, window);
        }
        Ok(page)
    }

    pub(crate) fn forget(&self, view: &ViewRef) {
        let mut windows = self.lock();
        let gone: Vec<_> = windows
            .iter()
            .filter(|((of, _), _)| of == view)
            .map(|(place, _)| place.clone())
            .collect();
        for place in gone {
            windows.pop(&place);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<(ViewRef, &'static str), Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the whole table once.
    async fn pass(
        &self,
        session: &Session,
        prepared: &Prepared,
        after: Option<Key>,
    ) -> Result<Window, Source> {
        let next = Mutex::new(Next {
            rows: BTreeMap::new(),
            bytes: 0,
            is_cut: false,
            max_bytes: self.bytes,
        });
        let (next_ref, after_ref) = (&next, &after);
        let ranges = ranges().map(|range| async move {
            read_range(session, prepared, range, &mut |found| {
                let Found { mut parts, value } = found;
                let clustering = parts.split_off(prepared.layout.partition);
                let key = (parts, clustering);
                if !value.is_empty() && after_ref.as_ref().is_none_or(|after| key > *after) {
                    let mut next = next_ref.lock().unwrap_or_else(PoisonError::into_inner);
                    next.offer(key, value);
                }
            })
            .await
        });
        let all: Result<(), Source> = futures::stream::iter(ranges)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await;
        all?;
        let next = next.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Window {
            is_last: !next.is_cut,
            rows: next.rows.into_iter().collect(),
            after,
        })
    }
}

/// The lowest keys seen, as many as fit.
struct Next {
    rows: BTreeMap<Key, Vec<u8>>,
    bytes: usize,
    is_cut: bool,
    max_bytes: usize,
}

impl Next {
    fn offer(&mut self, key: Key, value: Vec<u8>) {
        if self.is_cut && self.rows.last_key_value().is_some_and(|(last, _)| key > *last) {
            return;
        }
        self.bytes += cost(&key, &value);
        if let Some(old) = self.rows.get(&key) {
            self.bytes -= cost(&key, old);
        }
        self.rows.insert(key, value);
        // One row at least, or a pass would find nothing.
        while self.bytes > self.max_bytes && self.rows.len() > 1 {
            self.is_cut = true;
            if let Some((key, value)) = self.rows.pop_last() {
                self.bytes -= cost(&key, &value);
            }
        }
    }
}

fn cost(key: &Key, value: &[u8]) -> usize {
    let part = |part: &KeyPart| match part {
        KeyPart::Text(text) => text.len() + 24,
        KeyPart::Number(_) => 24,
    };
    let parts = key.0.iter().chain(&key.1);
    parts.map(part).sum::<usize>() + value.len() + OVERHEAD
}

/// The ring in equal parts. No key lies on its lowest token.
fn ranges() -> impl Iterator<Item = (i64, i64)> {
    let step = u64::MAX / RANGES;
    let at = move |i: u64| i64::MIN.wrapping_add_unsigned(step * i);
    (0..RANGES).map(move |i| {
        let to = if i == RANGES - 1 { i64::MAX } else { at(i + 1) };
        (at(i), to)
    })
}

async fn read_range(
    session: &Session,
    prepared: &Prepared,
    range: (i64, i64),
    sink: &mut (dyn FnMut(Found) + Send),
) -> Result<(), Source> {
    let statement = prepared.dump(session).await?;
    let mut paging = PagingState::start();
    loop {
        let (page, next) = session.execute_single_page(&statement, range, paging).await?;
        let page = page.into_rows_result()?;
        for found in page.rows::<Found>()? {
            sink(found?);
        }
        match next {
            PagingStateResponse::HasMorePages { state } => paging = state,
            PagingStateResponse::NoMorePages => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_should_cover_the_ring_without_gap_or_overlap() {
        let ranges: Vec<_> = ranges().collect();
        assert_eq!(ranges.first().map(|r| r.0), Some(i64::MIN));
        assert_eq!(ranges.last().map(|r| r.1), Some(i64::MAX));
        assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert!(ranges.iter().all(|(from, to)| from < to));
    }

    #[test]
    fn next_rows_should_be_the_lowest_that_fit() {
        let mut next = Next {
            rows: BTreeMap::new(),
            bytes: 0,
            is_cut: false,
            max_bytes: 10 * (OVERHEAD + 24 + 100),
        };
        for n in (0..1_000u64).map(|n| n * 7_919 % 1_000) {
            next.offer((vec![KeyPart::Number(n)], vec![]), vec![0; 100]);
        }
        let kept: Vec<_> = next.rows.keys().map(|(p, _)| p[0].clone()).collect();
        assert_eq!(kept, (0..10).map(KeyPart::Number).collect::<Vec<_>>());
        assert!(next.is_cut);
        next.offer((vec![KeyPart::Number(3)], vec![]), vec![0; 100_000]);
        assert_eq!(
            next.rows.len(),
            3,
            "a large row pushes out those behind it, and itself"
        );
    }
}
