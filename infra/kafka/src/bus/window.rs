//! The last records of a shard that came, without repeats, so that readers a little behind each other share them.

use std::collections::VecDeque;

use vaultstream_event_schemas::envelope::StoredEvent;

/// Records kept at most.
pub(super) const MAX_RECORDS: usize = 1_000;
/// Bytes of payload kept at most, and one record more.
const MAX_BYTES: usize = 1 << 20;
/// How far beyond the window a reader may be for reading on to be cheaper than a search.
const SKIP: u64 = 10_000;

/// Records with positions beyond `from`, up to `last`, in order. What the topic has beyond `last` is still to come.
#[derive(Debug)]
pub(super) struct Window {
    records: VecDeque<StoredEvent>,
    bytes: usize,
    from: u64,
    last: u64,
    /// Whether the topic has nothing at or below `from`: a reader from further below gets what there is.
    floor: bool,
}

impl Window {
    pub(super) const fn new(from: u64, floor: bool) -> Self {
        Self {
            records: VecDeque::new(),
            bytes: 0,
            from,
            last: from,
            floor,
        }
    }

    /// Whether a reader at `after` is served by this window and what comes behind it.
    pub(super) const fn serves(&self, after: u64) -> bool {
        let empty = self.floor && self.last == 0;
        (after >= self.from || self.floor) && (empty || after <= self.last.saturating_add(SKIP))
    }

    /// The highest position seen.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Serves nobody: while the place is moved it is nowhere.
    pub(super) const fn nowhere() -> Self {
        Self::new(u64::MAX, false)
    }

    /// Takes the next record; a repeat is dropped.
    pub(super) fn push(&mut self, record: StoredEvent) {
        if record.position <= self.last {
            return;
        }
        self.last = record.position;
        self.bytes += record.payload.len();
        self.records.push_back(record);
    }

    /// Makes room by forgetting what a reader at `after` does not need; whether there is room.
    pub(super) fn has_room(&mut self, after: u64) -> bool {
        while self.is_full() && self.records.front().is_some_and(|first| first.position <= after) {
            if let Some(gone) = self.records.pop_front() {
                self.bytes -= gone.payload.len();
                self.from = gone.position;
                self.floor = false;
            }
        }
        !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.records.len() >= MAX_RECORDS || self.bytes >= MAX_BYTES
    }

    /// How many records there are beyond `after`.
    pub(super) fn ready(&self, after: u64) -> usize {
        self.records.len() - self.first_beyond(after)
    }

    /// The records beyond `after`, at most `limit`.
    pub(super) fn beyond(&self, after: u64, limit: usize) -> Vec<StoredEvent> {
        let first = self.first_beyond(after);
        self.records.iter().skip(first).take(limit).cloned().collect()
    }

    fn first_beyond(&self, after: u64) -> usize {
        self.records.partition_point(|record| record.position <= after)
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_domain::ports::conformance::publisher::history;

    use super::*;

    fn positions(window: &Window, after: u64, limit: usize) -> Vec<u64> {
        window.beyond(after, limit).iter().map(|r| r.position).collect()
    }

    #[test]
    fn window_should_drop_repeats_and_keep_holes() {
        let records = history(0, 10);
        let mut window = Window::new(2, false);
        for n in [3, 4, 3, 4, 7, 5, 8] {
            window.push(records[n - 1].clone());
        }
        assert_eq!(positions(&window, 2, 10), [3, 4, 7, 8]);
        assert_eq!(positions(&window, 3, 2), [4, 7]);
        assert_eq!(positions(&window, 8, 2), [0; 0]);
        assert_eq!([0, 3, 8].map(|after| window.ready(after)), [4, 3, 0]);
        assert_eq!(window.last(), 8);
    }

    #[test]
    fn window_should_know_whom_it_serves() {
        let window = Window::new(100, false);
        assert!(!window.serves(99) && window.serves(100) && window.serves(100 + SKIP));
        assert!(!window.serves(101 + SKIP));
        let floor = Window::new(100, true);
        assert_eq!(
            floor.ready(0),
            0,
            "there is nothing yet, wherever a reader stands"
        );
        assert!(
            Window::new(0, true).serves(1_000_000),
            "whatever comes to an empty topic comes to all"
        );
        assert!(floor.serves(0), "below retention there is nothing to search");
    }

    #[test]
    fn window_should_be_bounded_and_forget_only_what_was_read() {
        let records = history(0, MAX_RECORDS as u64 + 1);
        let mut window = Window::new(0, true);
        for record in &records[..MAX_RECORDS] {
            assert!(window.has_room(0));
            window.push(record.clone());
        }
        assert!(!window.has_room(0), "nothing of it was read");
        assert!(window.serves(0));
        assert!(window.has_room(10), "one place is enough");
        window.push(records[MAX_RECORDS].clone());
        assert!(
            window.serves(1) && !window.serves(0),
            "the floor left with the first"
        );
        assert_eq!(positions(&window, 1, 1), [2]);

        let mut large = history(0, 2);
        let mut window = Window::new(0, true);
        for record in &mut large {
            record.payload = vec![b' '; MAX_BYTES];
            assert!(window.has_room(1));
            window.push(record.clone());
        }
        assert!(!window.has_room(1));
        assert_eq!(positions(&window, 0, 9), [2]);
    }
}
