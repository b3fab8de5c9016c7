//! How long what is kept may be believed: as long as the log has confirmed, not [`MAX_AGE_US`] ago, that a shard's tail
//! has heard everything there was.
//!
//! The log's heads are asked for, by one request at a time and only while requests come; what tails say of themselves
//! counts for nothing but how far they are. So a tail that is cut, slow or lying costs reads of the log, and never lets
//! a revoked credential in for longer than that. Refuses belief: when the log does not answer, or a tail does not come to
//! where the log was within [`CATCH_UP_MS`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::{Mutex, watch};
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::ShardNumber;

/// How old a confirmation may be.
const MAX_AGE_US: i64 = 600_000;
/// From which age on it is renewed, by one request and before the others need it.
const RENEW_AGE_US: i64 = 150_000;
/// How long a tail has to come to where the log was a moment ago.
const CATCH_UP_MS: u64 = 200;
/// How long a tail that did not is not asked about again.
const DOUBT_US: i64 = 300_000;

/// Before all times.
const NEVER: i64 = i64::MIN;

/// What is known of the tail of one shard. Times are in microseconds.
struct Tail {
    /// Everything up to here was heard and taken.
    position: AtomicU64,
    /// When that was confirmed to be everything.
    confirmed_at: AtomicI64,
    /// When it was last found not to be; [`NEVER`] since a confirmation.
    doubted_at: AtomicI64,
}

pub(super) struct Trust {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    tails: HashMap<ShardNumber, Tail>,
    moved: watch::Sender<()>,
    confirming: Mutex<()>,
}

impl Trust {
    /// Tails that begin at these positions; nothing is confirmed yet.
    pub(super) fn new(
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
        positions: impl IntoIterator<Item = (ShardNumber, u64)>,
    ) -> Self {
        let tail = |position| Tail {
            position: AtomicU64::new(position),
            confirmed_at: AtomicI64::new(NEVER),
            doubted_at: AtomicI64::new(NEVER),
        };
        Self {
            log,
            clock,
            tails: positions
                .into_iter()
                .map(|(shard, position)| (shard, tail(position)))
                .collect(),
            moved: watch::channel(()).0,
            confirming: Mutex::default(),
        }
    }

    /// A tail has taken everything up to a position: what is kept knows of it.
    pub(super) fn moved(&self, shard: ShardNumber, position: u64) {
        if let Some(tail) = self.tails.get(&shard) {
            tail.position.store(position, Ordering::Release);
            self.moved.send_replace(());
        }
    }

    /// Whether what is kept of a shard may be believed now.
    pub(super) async fn holds(&self, shard: ShardNumber) -> bool {
        let Some(tail) = self.tails.get(&shard) else {
            return false;
        };
        if self.is_believed(tail, RENEW_AGE_US) {
            return true;
        }
        let is_believed = self.is_believed(tail, MAX_AGE_US);
        let _turn = if is_believed || tail.is_doubted() {
            // Somebody asks already; nobody else waits for that.
            match self.confirming.try_lock() {
                Ok(turn) => turn,
                Err(_) => return is_believed,
            }
        } else {
            self.confirming.lock().await
        };
        let was_asked = self.is_believed(tail, RENEW_AGE_US) || self.age(&tail.doubted_at) <= DOUBT_US;
        if !was_asked {
            self.confirm(shard, tail).await;
        }
        self.is_believed(tail, MAX_AGE_US)
    }

    fn is_believed(&self, tail: &Tail, max_age: i64) -> bool {
        !tail.is_doubted() && self.age(&tail.confirmed_at) <= max_age
    }

    /// Time since then; a time ahead of the clock, which was set back, is for ever ago.
    fn age(&self, then: &AtomicI64) -> i64 {
        let age = self
            .clock
            .now()
            .as_micros()
            .saturating_sub(then.load(Ordering::Acquire));
        if age < 0 { i64::MAX } else { age }
    }

    async fn confirm(&self, shard: ShardNumber, tail: &Tail) {
        // Subscribed before the heads are read, so that no move after them is missed.
        let mut moved = self.moved.subscribe();
        let asked_at = self.clock.now().as_micros();
        let heads = match self.log.heads().await {
            Ok(heads) => heads,
            Err(error) => {
                tracing::warn!(%error, "the log does not say how far it is; nothing that is kept is believed");
                return self.doubt(tail);
            }
        };
        let patience = self.clock.sleep_ms(CATCH_UP_MS);
        tokio::pin!(patience);
        loop {
            for (number, tail) in &self.tails {
                if tail.has_heard(&heads, *number) {
                    tail.confirmed_at.store(asked_at, Ordering::Release);
                    tail.doubted_at.store(NEVER, Ordering::Release);
                }
            }
            if tail.has_heard(&heads, shard) {
                return;
            }
            tokio::select! {
                _ = moved.changed() => {}
                () = &mut patience => {
                    tracing::warn!(%shard, "the directory does not hear what the log has; it reads the log instead");
                    return self.doubt(tail);
                }
            }
        }
    }

    fn doubt(&self, tail: &Tail) {
        tail.doubted_at
            .store(self.clock.now().as_micros(), Ordering::Release);
    }
}

impl Tail {
    fn is_doubted(&self) -> bool {
        self.doubted_at.load(Ordering::Acquire) != NEVER
    }

    fn has_heard(&self, heads: &BTreeMap<ShardNumber, Head>, shard: ShardNumber) -> bool {
        heads
            .get(&shard)
            .is_some_and(|head| head.position <= self.position.load(Ordering::Acquire))
    }
}
