//! Room for callers: how many queries of one run at a time, how many wait, how many sockets stay open.
//!
//! Counted by credential, so that one busy dashboard never takes the room of another. Entries vanish with their last
//! holder, so the maps are no larger than what is going on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;
use vaultstream_event_schemas::ErrorCode;

use crate::refusal::Refusal;

/// Queries of one caller that run at a time.
pub const MAX_RUNNING: usize = 4;
/// Queries of one caller that run or wait.
pub const MAX_QUEUED: usize = 64;
/// Open sockets of one caller.
pub const MAX_SOCKETS: usize = 20;

/// Counts what each caller holds.
#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<Uuid, usize>>);

impl Counts {
    fn take(self: &Arc<Self>, who: Uuid, max: usize) -> Option<Seat> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(who).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Seat {
            counts: Arc::clone(self),
            who,
        })
    }
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    counts: Arc<Counts>,
    who: Uuid,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.who);
            }
        }
    }
}

/// A query's turn; the next one waits until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _lane: Lane,
    _seat: Seat,
}

type Lanes = Mutex<HashMap<Uuid, Arc<Semaphore>>>;

/// A caller's lane; the map forgets it with its last holder.
#[derive(Debug)]
struct Lane {
    lanes: Arc<Lanes>,
    who: Uuid,
    semaphore: Arc<Semaphore>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        // the map's and this one; permits are given back before lanes, for fields drop in order
        if Arc::strong_count(&self.semaphore) <= 2 {
            lanes.remove(&self.who);
        }
    }
}

/// Room for all callers of a process.
#[derive(Debug, Default)]
pub struct Admission {
    queued: Arc<Counts>,
    sockets: Arc<Counts>,
    streams: Arc<Counts>,
    lanes: Arc<Lanes>,
}

impl Admission {
    /// Waits for a query's turn; refuses when too many wait already.
    pub async fn turn(&self, who: Uuid) -> Result<Turn, Refusal> {
        let full = || {
            Refusal::new(
                ErrorCode::RateLimited,
                format!("more than {MAX_QUEUED} queries of one credential wait"),
            )
        };
        let seat = self.queued.take(who, MAX_QUEUED).ok_or_else(full)?;
        let lane = self.lane(who);
        let permit = Arc::clone(&lane.semaphore).acquire_owned().await;
        let permit = permit.map_err(|_| Refusal::of(ErrorCode::Overloaded))?;
        Ok(Turn {
            _permit: permit,
            _lane: lane,
            _seat: seat,
        })
    }

    /// A place for a socket, when there is one.
    pub fn socket(&self, who: Uuid) -> Option<Seat> {
        self.sockets.take(who, MAX_SOCKETS)
    }

    /// A place for a stream of events, when there is one among `max`.
    pub fn stream(&self, who: Uuid, max: usize) -> Option<Seat> {
        self.streams.take(who, max)
    }

    fn lane(&self, who: Uuid) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let semaphore = lanes
            .entry(who)
            .or_insert_with(|| Arc::new(Semaphore::new(MAX_RUNNING)));
        Lane {
            lanes: Arc::clone(&self.lanes),
            who,
            semaphore: Arc::clone(semaphore),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ME: Uuid = Uuid::from_u128(1);
    const YOU: Uuid = Uuid::from_u128(2);

    #[tokio::test]
    async fn turns_should_be_few_a_caller_and_leave_others_alone() {
        let room = Admission::default();
        let mut turns = Vec::new();
        for _ in 0..MAX_RUNNING {
            turns.push(room.turn(ME).await.expect("free"));
        }
        let blocked = tokio::time::timeout(Duration::from_millis(30), room.turn(ME)).await;
        assert!(blocked.is_err(), "a fifth query waits");
        drop(room.turn(YOU).await.expect("another caller has its own room"));
        turns.pop();
        drop(room.turn(ME).await.expect("a turn was given back"));
        turns.clear();
        assert!(
            room.lanes.lock().expect("not poisoned").is_empty(),
            "nothing is remembered"
        );
        assert!(room.queued.0.lock().expect("not poisoned").is_empty());
    }

    #[tokio::test]
    async fn waiting_should_be_bounded() {
        let room = Arc::new(Admission::default());
        let mut waiting = Vec::new();
        for _ in 0..MAX_QUEUED {
            let room = Arc::clone(&room);
            waiting.push(tokio::spawn(async move {
                let _turn = room.turn(ME).await;
                std::future::pending::<()>().await;
            }));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let refusal = room.turn(ME).await.expect_err("full");
        assert_eq!(refusal.code, ErrorCode::RateLimited);
        for task in waiting {
            task.abort();
            let _ = task.await;
        }
        drop(room.turn(ME).await.expect("room again"));
    }

    #[test]
    fn sockets_should_be_counted() {
        let room = Admission::default();
        let mut seats: Vec<_> = (0..MAX_SOCKETS).map(|_| room.socket(ME).expect("free")).collect();
        assert!(room.socket(ME).is_none());
        assert!(room.socket(YOU).is_some());
        seats.pop();
        assert!(room.socket(ME).is_some());
    }
}
