//! Which life a shard lived at which positions.
//!
//! A restore keeps a beginning of what was and goes on behind it in another life, so lives rise along a shard, and a life
//! and a position name one event of the log at most: an event of another life at that position is one that was lost.

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_event_schemas::ShardNumber;

/// The lives of a shard, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lives {
    /// Each life that wrote something that is kept, and the last position of it.
    ends: Vec<(u32, u64)>,
    now: u32,
}

impl Lives {
    /// Looks where lives end: a few small reads a life.
    pub(super) async fn of(log: &dyn EventLog, shard: ShardNumber, head: &Head) -> Result<Self, LogError> {
        let mut ends = Vec::new();
        let mut next = 1;
        while next <= head.position {
            let Some(life) = life_at(log, shard, next).await? else {
                break;
            };
            let (mut last, mut beyond) = (next, head.position + 1);
            while beyond - last > 1 {
                let middle = last + (beyond - last) / 2;
                if life_at(log, shard, middle).await? == Some(life) {
                    last = middle;
                } else {
                    beyond = middle;
                }
            }
            ends.push((life, last));
            next = last + 1;
        }
        Ok(Self {
            ends,
            now: head.incarnation,
        })
    }

    #[cfg(test)]
    pub(super) const fn made(ends: Vec<(u32, u64)>, now: u32) -> Self {
        Self { ends, now }
    }

    /// The last position of the oldest life: up to there whoever has an event has the log's.
    pub(super) fn certain(&self) -> u64 {
        self.ends.first().map_or(0, |(_, end)| *end)
    }

    /// Whether the log has what a life wrote at a position.
    pub(super) fn holds(&self, life: u32, position: u64) -> bool {
        let at = self.ends.iter().find(|(_, end)| position <= *end);
        at.is_some_and(|(lived, _)| *lived == life)
    }

    /// Whether it may be an event that the log has got since it was looked at.
    pub(super) fn may_be_new(&self, life: u32, position: u64) -> bool {
        life == self.now && self.ends.last().is_none_or(|(_, end)| position > *end)
    }

    /// Takes up where the shard stands now.
    pub(super) fn grow(&mut self, head: &Head) {
        if head.incarnation != self.now {
            return;
        }
        match self.ends.last_mut() {
            Some((life, end)) if *life == self.now => *end = head.position.max(*end),
            Some((_, end)) if head.position <= *end => {}
            _ if head.position == 0 => {}
            _ => self.ends.push((self.now, head.position)),
        }
    }
}

async fn life_at(log: &dyn EventLog, shard: ShardNumber, position: u64) -> Result<Option<u32>, LogError> {
    let leaves = log.read_leaves(shard, position - 1, 1).await?;
    let leaf = leaves.first().filter(|leaf| leaf.position == position);
    Ok(leaf.map(|leaf| leaf.incarnation))
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::Hlc;

    use super::*;

    fn head(incarnation: u32, position: u64) -> Head {
        Head {
            incarnation,
            position,
            hlc: Hlc(1),
        }
    }

    /// Fifty of the first life, twenty of the second, and a third that wrote nothing yet.
    fn restored_twice() -> Lives {
        Lives {
            ends: vec![(1, 50), (2, 70)],
            now: 3,
        }
    }

    #[test]
    fn event_should_be_held_only_where_its_life_was_kept() {
        let lives = restored_twice();
        for (life, position) in [(1, 1), (1, 50), (2, 51), (2, 70)] {
            assert!(lives.holds(life, position), "{life} {position}");
        }
        for (life, position) in [(1, 51), (1, 99), (2, 50), (2, 71), (3, 71), (4, 60)] {
            assert!(!lives.holds(life, position), "{life} {position}");
        }
        assert_eq!(lives.certain(), 50);
    }

    #[test]
    fn only_the_present_life_should_grow() {
        let mut lives = restored_twice();
        assert!(lives.may_be_new(3, 71) && !lives.may_be_new(2, 71) && !lives.may_be_new(3, 70));
        lives.grow(&head(4, 99));
        lives.grow(&head(3, 70));
        assert_eq!(lives, restored_twice());
        lives.grow(&head(3, 73));
        lives.grow(&head(3, 75));
        assert!(lives.holds(3, 71) && lives.holds(3, 75) && !lives.holds(3, 76));
        let mut empty = Lives { ends: vec![], now: 1 };
        assert_eq!(empty.certain(), 0);
        lives.grow(&head(3, 0));
        empty.grow(&head(1, 0));
        assert!(empty.may_be_new(1, 1) && !empty.holds(1, 1));
        empty.grow(&head(1, 2));
        assert!(empty.holds(1, 2) && !empty.may_be_new(1, 2));
    }
}
