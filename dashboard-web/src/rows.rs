//! How lists change under a person's eyes: a known row changes in place, a new one goes on top or waits, one that no
//! longer belongs leaves.

/// A row of a list.
pub trait Row: Clone {
    /// What it is.
    fn key(&self) -> &str;
    /// Counts its changes: an older state never replaces a newer one. Rows without a count always do.
    fn version(&self) -> i64 {
        i64::MAX
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It changed where it was.
    Updated,
    /// It was put on top.
    Inserted,
    /// It left.
    Removed,
    /// It is new, and there is no place for it on this page.
    Waiting,
    /// It is older than what is shown, or is none of this list's.
    Ignored,
}

/// Brings one row into a list of at most `limit`. `belongs` is the list's filter; `on_top` says whether new rows may be
/// put at the top now (the first page, newest first, not scrolled away).
pub fn bring<R: Row>(rows: &mut Vec<R>, row: R, belongs: bool, on_top: bool, limit: usize) -> Change {
    match rows.iter().position(|r| r.key() == row.key()) {
        Some(at) if !belongs => {
            rows.remove(at);
            Change::Removed
        }
        Some(at) if row.version() >= rows[at].version() => {
            rows[at] = row;
            Change::Updated
        }
        Some(_) => Change::Ignored,
        None if !belongs => Change::Ignored,
        None if !on_top => Change::Waiting,
        None => {
            rows.insert(0, row);
            rows.truncate(limit);
            Change::Inserted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct R(&'static str, i64);
    impl Row for R {
        fn key(&self) -> &str {
            self.0
        }
        fn version(&self) -> i64 {
            self.1
        }
    }

    #[test]
    fn known_rows_should_change_in_place_and_never_go_back() {
        let mut rows = vec![R("a", 2), R("b", 1)];
        assert_eq!(bring(&mut rows, R("b", 3), true, true, 9), Change::Updated);
        assert_eq!(bring(&mut rows, R("a", 1), true, true, 9), Change::Ignored);
        assert_eq!(rows, [R("a", 2), R("b", 3)]);
        assert_eq!(
            bring(&mut rows, R("b", 3), true, true, 9),
            Change::Updated,
            "twice does no harm"
        );
    }

    #[test]
    fn new_rows_should_wait_while_a_person_reads_below() {
        let mut rows = vec![R("a", 1)];
        assert_eq!(bring(&mut rows, R("b", 1), true, false, 9), Change::Waiting);
        assert_eq!(rows.len(), 1);
        assert_eq!(bring(&mut rows, R("b", 1), true, true, 1), Change::Inserted);
        assert_eq!(rows, [R("b", 1)], "the list never grows beyond its limit");
    }

    #[test]
    fn rows_should_leave_when_they_no_longer_belong() {
        let mut rows = vec![R("a", 1)];
        assert_eq!(bring(&mut rows, R("x", 1), false, true, 9), Change::Ignored);
        assert_eq!(bring(&mut rows, R("a", 2), false, true, 9), Change::Removed);
        assert!(rows.is_empty());
    }
}
