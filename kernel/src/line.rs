//! A line of callers who wait for their turn: so many and so long at most, in the order they came.
//!
//! Whoever goes away gives the place up with its future. Refuses: more callers than there are places, and longer waits
//! than are allowed; both are for the caller to tell as an overload.

use std::sync::Arc;

use tokio::sync::Semaphore;
use vaultstream_domain::ports::Clock;

/// A line. The turn itself is whatever future the callers wait for, as long as it serves them in order.
pub struct Line {
    places: Semaphore,
    wait_ms: u64,
    clock: Arc<dyn Clock>,
}

impl Line {
    /// An empty line.
    pub fn new(places: usize, wait_ms: u64, clock: Arc<dyn Clock>) -> Self {
        Self {
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
            wait_ms,
            clock,
        }
    }

    /// Waits for a turn; `None` when every place is taken or it took too long.
    pub async fn wait<T>(&self, turn: impl Future<Output = T>) -> Option<T> {
        let _place = self.places.try_acquire().ok()?;
        tokio::select! {
            biased;
            turn = turn => Some(turn),
            () = self.clock.sleep_ms(self.wait_ms) => None,
        }
    }
}
