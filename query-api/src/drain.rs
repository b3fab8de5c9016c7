//! How callers are let go when the process stops: new sockets are refused at once, open ones end a while later, each at a
//! moment of its own.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// The end of a process as its sockets see it. Clones share it.
#[derive(Clone)]
pub struct Drain {
    begun: watch::Receiver<bool>,
    notice: Duration,
    spread: Duration,
    sockets: TaskTracker,
    turns: Arc<AtomicU64>,
}

impl Drain {
    /// Begins when `begun` turns true. Sockets stay for `notice`, in which whoever routes here learns of it, and then end
    /// within `spread`.
    pub fn new(begun: watch::Receiver<bool>, notice: Duration, spread: Duration) -> Self {
        Self {
            begun,
            notice,
            spread,
            sockets: TaskTracker::new(),
            turns: Arc::default(),
        }
    }

    /// Tells when it begins.
    pub fn begun(&self) -> watch::Receiver<bool> {
        self.begun.clone()
    }

    /// How long everything is still answered after it has begun, but for new sockets.
    pub const fn notice(&self) -> Duration {
        self.notice
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.begun.borrow()
    }

    /// Counts a socket until it has ended.
    pub fn hold<F: Future>(&self, socket: F) -> impl Future<Output = F::Output> + use<F> {
        self.sockets.track_future(socket)
    }

    /// Returns when every socket has ended.
    pub async fn ended(&self) {
        self.sockets.close();
        self.sockets.wait().await;
    }

    /// Returns when a socket, named by its request, is to end; never when nobody can say so any more.
    pub async fn turn_of(&self, request: &str) {
        let mut begun = self.begun();
        if begun.wait_for(|begun| *begun).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(self.notice + self.moment(request)).await;
    }

    /// The part of the spread after which a socket ends: by its request, whose id is random, and by its turn, for a caller
    /// may give all its requests one id.
    fn moment(&self, request: &str) -> Duration {
        let mut hasher = DefaultHasher::new();
        (request, self.turns.fetch_add(1, Ordering::Relaxed)).hash(&mut hasher);
        let millis = u64::try_from(self.spread.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(hasher.finish() % millis.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_should_fill_the_spread_evenly() {
        let (_begin, begun) = watch::channel(false);
        let drain = Drain::new(begun, Duration::ZERO, Duration::from_secs(5));
        let mut seconds = [0u32; 5];
        for _ in 0..5_000 {
            let moment = drain.moment("the same for all").as_secs();
            seconds[usize::try_from(moment).expect("small")] += 1;
        }
        assert!(seconds.iter().all(|n| (800..1_200).contains(n)), "{seconds:?}");
        let (_begin, begun) = watch::channel(false);
        let at_once = Drain::new(begun, Duration::ZERO, Duration::ZERO);
        assert_eq!(at_once.moment("req_1"), Duration::ZERO);
    }
}
