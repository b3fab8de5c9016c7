//! A reader of a topic: scans the log from its cursor, then follows live items, stitched by position.
//!
//! Contract. Per shard the items come in order, without a gap and without a repetition. The cursor that comes with an
//! item names everything up to and including it in every shard, so a reader that starts from it goes on exactly there.
//! A reader that falls out of its ring scans the log again; the log kind does so [`MAX_LAPS`] times in a row at most and
//! is then closed with its cursor.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{ErrorCode, ShardNumber};

use super::{Inner, Item, MAX_LAPS, Topic};
use crate::observer::Fact;
use crate::refusal::Refusal;

/// Events read from the log at once while scanning.
const CHUNK: usize = 500;

/// An item and the cursor behind it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The item.
    pub item: Arc<Item>,
    /// Everything up to and including the item.
    pub cursor: Positions,
}

enum Step {
    Item(Arc<Item>),
    Passed(ShardNumber, Place),
}

/// A reader of one topic. See the module for the contract.
pub struct Reader {
    inner: Arc<Inner>,
    topic: Topic,
    cursor: Positions,
    live: Receiver<Arc<Item>>,
    /// Positions that must come from the log before live items count.
    wanted: VecDeque<(ShardNumber, Place)>,
    backlog: VecDeque<Step>,
    laps: u32,
    laps_max: u32,
}

impl Reader {
    pub(super) fn try_new(
        inner: Arc<Inner>,
        topic: Topic,
        after: Option<Positions>,
    ) -> Result<Self, Refusal> {
        let (live, published) = inner.join(topic);
        let cursor = match after {
            None => published.clone(),
            Some(after) => starting_at(after, &published)?,
        };
        let wanted = missing(&cursor, &published);
        Ok(Self {
            inner,
            topic,
            cursor,
            live,
            wanted,
            backlog: VecDeque::new(),
            laps: 0,
            laps_max: MAX_LAPS,
        })
    }

    /// A reader that may fall out of its ring as often as it likes: what it finds is conflated anyway.
    #[must_use]
    pub const fn patient(mut self) -> Self {
        self.laps_max = u32::MAX;
        self
    }

    /// What has been delivered.
    pub const fn cursor(&self) -> &Positions {
        &self.cursor
    }

    /// The next item; waits for it.
    pub async fn next(&mut self) -> Result<Delivery, Refusal> {
        loop {
            if let Some(delivery) = self.next_ready().await? {
                return Ok(delivery);
            }
            match self.live.recv().await {
                Ok(item) => {
                    if let Some(delivery) = self.follow(item) {
                        return Ok(delivery);
                    }
                }
                Err(RecvError::Lagged(_)) => self.fall_back()?,
                Err(RecvError::Closed) => return Err(Refusal::of(ErrorCode::Overloaded)),
            }
        }
    }

    /// The next item if there is one already, in the log or in the ring.
    pub async fn next_ready(&mut self) -> Result<Option<Delivery>, Refusal> {
        loop {
            while let Some(step) = self.backlog.pop_front() {
                match step {
                    Step::Passed(shard, place) => self.pass(shard, place),
                    Step::Item(item) => {
                        self.pass(item.shard, item.place);
                        return Ok(Some(Delivery {
                            item,
                            cursor: self.cursor.clone(),
                        }));
                    }
                }
            }
            if let Some((shard, upto)) = self.wanted.front().copied() {
                self.scan(shard, upto).await?;
                continue;
            }
            match self.live.try_recv() {
                Ok(item) => {
                    if let Some(delivery) = self.follow(item) {
                        return Ok(Some(delivery));
                    }
                }
                Err(TryRecvError::Empty) => {
                    self.laps = 0;
                    return Ok(None);
                }
                Err(TryRecvError::Lagged(_)) => self.fall_back()?,
                Err(TryRecvError::Closed) => return Err(Refusal::of(ErrorCode::Overloaded)),
            }
        }
    }

    fn pass(&mut self, shard: ShardNumber, place: Place) {
        let at = self.cursor.0.entry(shard).or_insert(place);
        *at = (*at).max(place);
    }

    /// Takes a live item unless the scan had it already.
    fn follow(&mut self, item: Arc<Item>) -> Option<Delivery> {
        let seen = self.cursor.0.get(&item.shard).is_some_and(|at| item.place <= *at);
        if seen {
            return None;
        }
        self.cursor.merge(&item.base);
        self.pass(item.shard, item.place);
        Some(Delivery {
            item,
            cursor: self.cursor.clone(),
        })
    }

    /// Leaves the ring it fell out of, joins again, and wants from the log what it missed.
    fn fall_back(&mut self) -> Result<(), Refusal> {
        self.laps = self.laps.saturating_add(1);
        self.inner.parts.observer.observe(Fact::Lapped);
        if self.laps > self.laps_max {
            return Err(Refusal::new(
                ErrorCode::Overloaded,
                "the reader is slower than the events; it goes on from the cursor in `after`",
            ));
        }
        let (live, published) = self.inner.join(self.topic);
        self.live = live;
        self.wanted = missing(&self.cursor, &published);
        Ok(())
    }

    async fn scan(&mut self, shard: ShardNumber, upto: Place) -> Result<(), Refusal> {
        let after = self.cursor.0.get(&shard).map_or(0, |at| at.position);
        if after >= upto.position {
            self.wanted.pop_front();
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let _permit = inner
            .scans
            .acquire()
            .await
            .map_err(|_| Refusal::of(ErrorCode::Overloaded))?;
        let events = inner.parts.log.read_shard(shard, after, CHUNK).await?;
        let base = Arc::new(Positions::default());
        let mut last = after;
        for event in events.iter().take_while(|e| e.position <= upto.position) {
            last = event.position;
            let mut item = inner.owners.item(inner.parts.log.as_ref(), event, &base).await?;
            item.place.incarnation = item.place.incarnation.max(upto.incarnation);
            if self.topic.takes(&item) {
                self.backlog.push_back(Step::Item(Arc::new(item)));
            }
        }
        if last == after {
            // positions are dense: what was published and cannot be read is damage, not a gap to jump over
            return Err(Refusal::of(ErrorCode::StorageUnavailable));
        }
        self.backlog.push_back(Step::Passed(
            shard,
            Place {
                position: last,
                ..upto
            },
        ));
        Ok(())
    }
}

/// Where a resumed reader stands: its cursor, and the beginning of shards the cursor does not know.
fn starting_at(after: Positions, published: &Positions) -> Result<Positions, Refusal> {
    let mut cursor = Positions::default();
    for (shard, place) in after.0 {
        match published.0.get(&shard) {
            Some(now) if now.incarnation == place.incarnation => {
                cursor.0.insert(shard, place);
            }
            _ => {
                return Err(Refusal {
                    field: Some("after".into()),
                    ..Refusal::new(
                        ErrorCode::CursorInvalid,
                        "the log was restored since this cursor was made; read the present state and begin anew",
                    )
                });
            }
        }
    }
    for (shard, now) in &published.0 {
        cursor.0.entry(*shard).or_insert(Place { position: 0, ..*now });
    }
    Ok(cursor)
}

fn missing(cursor: &Positions, published: &Positions) -> VecDeque<(ShardNumber, Place)> {
    published
        .0
        .iter()
        .filter(|(shard, now)| cursor.0.get(shard).is_none_or(|at| at.position < now.position))
        .map(|(shard, now)| (*shard, *now))
        .collect()
}
