//! Where the shards stand as far as this process knows, and the look-out for what other processes append.
//!
//! Own appends are published as they are answered. While somebody waits, one task a database asks for heads beyond the
//! known ones, every few milliseconds and never more than a tenth of its time; nobody is notified by the database,
//! because its notifications make committers queue. Invariant: a head is published after it is durable, so it may be
//! late and is never early.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::clock::Hlc;

use super::read;
use crate::database::Database;

/// How long to rest after a look that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(250);
/// A look may take one part in so many of the time.
const SHARE: u32 = 10;

/// The known heads, in order of shard number.
#[derive(Debug)]
pub(super) struct Heads {
    shards: Vec<watch::Sender<Head>>,
    waiting: AtomicUsize,
    somebody: Notify,
}

impl Heads {
    /// Starts from what was read.
    pub(super) fn new(heads: impl IntoIterator<Item = Head>) -> Self {
        Self {
            shards: heads.into_iter().map(watch::Sender::new).collect(),
            waiting: AtomicUsize::new(0),
            somebody: Notify::new(),
        }
    }

    /// The known head of a shard of the registry.
    pub(super) fn get(&self, shard: ShardNumber) -> Option<Head> {
        self.shards.get(usize::from(shard.0)).map(|head| *head.borrow())
    }

    /// Notes that a shard stands at least there.
    pub(super) fn advance(&self, shard: ShardNumber, position: u64, hlc: Hlc) {
        if let Some(head) = self.shards.get(usize::from(shard.0)) {
            head.send_if_modified(|head| {
                let moved = position > head.position;
                if moved {
                    (head.position, head.hlc) = (position, hlc);
                }
                moved
            });
        }
    }

    /// Notes what was read of a shard, incarnation included; another life starts anew.
    pub(super) fn refresh(&self, shard: ShardNumber, read: Head) {
        if let Some(head) = self.shards.get(usize::from(shard.0)) {
            head.send_if_modified(|head| {
                let moved = read.incarnation != head.incarnation || read.position > head.position;
                if moved {
                    *head = read;
                }
                moved
            });
        }
    }

    /// Returns when the shard is known to stand beyond `position`, or after `longest`.
    pub(super) async fn wait(&self, shard: ShardNumber, position: u64, longest: Duration) {
        let Some(head) = self.shards.get(usize::from(shard.0)) else {
            return;
        };
        let mut head = head.subscribe();
        if head.borrow_and_update().position > position {
            return;
        }
        let _waiting = Waiting::new(self);
        // Late or not, the caller looks again.
        let _ = tokio::time::timeout(longest, head.wait_for(|head| head.position > position)).await;
    }
}

/// Counts somebody who waits, until dropped.
struct Waiting<'h>(&'h Heads);

impl<'h> Waiting<'h> {
    fn new(heads: &'h Heads) -> Self {
        heads.waiting.fetch_add(1, Ordering::AcqRel);
        heads.somebody.notify_waiters();
        Self(heads)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Looks out for what others append to the shards of one database.
pub(super) fn look_out(
    heads: Arc<Heads>,
    database: Arc<Database>,
    shards: Vec<ShardNumber>,
    every: Duration,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let somebody = heads.somebody.notified();
            tokio::pin!(somebody);
            // Registered before the count is read, so that nobody who comes between is missed.
            somebody.as_mut().enable();
            if heads.waiting.load(Ordering::Acquire) == 0 {
                somebody.await;
            }
            let started = Instant::now();
            let known: Vec<_> = shards
                .iter()
                .filter_map(|shard| Some((*shard, heads.get(*shard)?.position)))
                .collect();
            let rest = match read::beyond(&database, &known).await {
                Ok(moved) => {
                    for (shard, position, hlc) in moved {
                        heads.advance(shard, position, hlc);
                    }
                    every.max(started.elapsed() * SHARE)
                }
                Err(error) => {
                    tracing::warn!(database = database.name(), error = %error, "others' appends cannot be looked for");
                    AFTER_FAILURE
                }
            };
            tokio::time::sleep(rest).await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(incarnation: u32, position: u64) -> Head {
        Head {
            incarnation,
            position,
            hlc: Hlc(position),
        }
    }

    #[test]
    fn heads_should_only_move_forward_within_a_life() {
        let heads = Heads::new([head(1, 5)]);
        let shard = ShardNumber(0);
        heads.advance(shard, 4, Hlc(4));
        assert_eq!(heads.get(shard), Some(head(1, 5)), "an answer that came late");
        heads.advance(shard, 6, Hlc(6));
        heads.refresh(shard, head(1, 5));
        assert_eq!(heads.get(shard), Some(head(1, 6)));
        heads.refresh(shard, head(2, 3));
        assert_eq!(
            heads.get(shard),
            Some(head(2, 3)),
            "another life may begin further back"
        );
        assert_eq!(heads.get(ShardNumber(1)), None);
    }

    #[tokio::test]
    async fn wait_should_end_at_once_for_what_has_passed() {
        let heads = Heads::new([head(1, 5)]);
        let wait = heads.wait(ShardNumber(0), 4, Duration::from_secs(60));
        tokio::time::timeout(Duration::from_secs(5), wait)
            .await
            .expect("no wait");
        assert_eq!(heads.waiting.load(Ordering::Acquire), 0);
    }
}
