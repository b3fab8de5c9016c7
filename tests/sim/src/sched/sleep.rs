//! Waiting in simulated time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Sim, TimerKey};

/// Ready at a moment of simulated time. Dropping it forgets its timer.
pub struct Sleep {
    sim: Sim,
    at_us: i64,
    key: Option<TimerKey>,
}

impl Sleep {
    pub(super) const fn until(sim: Sim, at_us: i64) -> Self {
        Self {
            sim,
            at_us,
            key: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sim = self.sim.clone();
        let mut state = sim.locked();
        if state.now_us >= self.at_us {
            return Poll::Ready(());
        }
        let key = if let Some(key) = self.key {
            key
        } else {
            state.next_timer += 1;
            (self.at_us, state.next_timer)
        };
        state.timers.insert(key, context.waker().clone());
        drop(state);
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.sim.locked().timers.remove(&key);
            drop(waker);
        }
    }
}
