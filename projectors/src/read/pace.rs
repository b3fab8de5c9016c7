//! How fast views fold, seen from how far they have come whenever somebody looked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use vaultstream_event_schemas::{Family, Timestamp};

use crate::view_name::ViewName;

/// Looks closer to each other than this are one, in microseconds.
const APART_US: i64 = 1_000_000;
/// How far back a look counts, in microseconds.
const BACK_US: i64 = 60_000_000;

type Looks = VecDeque<(i64, u64)>;

/// What was seen of every view in the last minute: at most a look a second each.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<BTreeMap<(ViewName, Family), Looks>>);

impl Pace {
    /// Events folded a second since the oldest look of the last minute; none before there is one a second ago.
    pub(super) fn look(
        &self,
        view: ViewName,
        family: &Family,
        (at, position): (Timestamp, u64),
    ) -> Option<u64> {
        let now = at.as_micros();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = all.entry((view, family.clone())).or_default();
        // A clock that was put back, or a generation that begins anew, says nothing about what was seen before.
        if looks
            .back()
            .is_some_and(|(then, reached)| *then > now || *reached > position)
        {
            looks.clear();
        }
        while looks.len() > 1 && looks.front().is_some_and(|(then, _)| now - then > BACK_US) {
            looks.pop_front();
        }
        let since = looks.front().copied();
        if looks.back().is_none_or(|(then, _)| now - then >= APART_US) {
            looks.push_back((now, position));
        }
        let (then, reached) = since.filter(|(then, _)| now - then >= APART_US)?;
        let micros = u64::try_from(now - then).ok()?;
        Some((position - reached).saturating_mul(1_000_000) / micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_should_be_what_was_folded_in_the_last_minute() {
        let pace = Pace::default();
        let look = |second: i64, position| {
            let at = Timestamp::from_micros(second * 1_000_000);
            pace.look(ViewName::Feed, &Family::Core, (at, position))
        };
        assert_eq!(look(100, 50), None, "one look says nothing");
        assert_eq!(look(110, 1_050), Some(100));
        assert_eq!(look(120, 1_050), Some(50));
        assert_eq!(look(175, 1_050), Some(0), "the first look is too old");
        assert_eq!(look(176, 7), None, "another generation");
        assert_eq!(look(90, 7), None, "another clock");
    }
}
