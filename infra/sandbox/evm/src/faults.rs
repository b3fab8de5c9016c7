//! Faults of the public port, switched on by the control port and forgotten on restart: slow answers, answers that
//! never come, connections that are reset.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

#[derive(Debug, Default)]
pub(crate) struct Faults {
    latency_ms: AtomicU64,
    silences: AtomicU64,
    refuse_until: Mutex<Option<Instant>>,
    lines: Mutex<Vec<Weak<Line>>>,
}

/// What is switched on.
pub(crate) struct Shown {
    pub(crate) latency_ms: u64,
    pub(crate) silences: u64,
    pub(crate) refusing_ms: u64,
}

impl Faults {
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(
            u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.load(Ordering::Relaxed))
    }

    /// The next `count` accepted transactions get no answer.
    pub(crate) fn set_silences(&self, count: u64) {
        self.silences.store(count, Ordering::SeqCst);
    }

    /// Whether this accepted transaction is one of those; counts down.
    pub(crate) fn take_silence(&self) -> bool {
        self.silences
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }

    /// Resets all connections, and for `period` every new one.
    pub(crate) fn refuse_for(&self, period: Duration) {
        *locked(&self.refuse_until) = Some(Instant::now() + period);
        if !period.is_zero() {
            self.cut_all();
        }
    }

    pub(crate) fn refusing(&self) -> bool {
        !self.refusing_left().is_zero()
    }

    pub(crate) fn cut_all(&self) {
        for line in locked(&self.lines).drain(..) {
            if let Some(line) = line.upgrade() {
                line.cut();
            }
        }
    }

    /// A handle to cut a new connection with.
    pub(crate) fn line(&self) -> Arc<Line> {
        let line = Arc::new(Line::default());
        let mut lines = locked(&self.lines);
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&line));
        line
    }

    pub(crate) fn show(&self) -> Shown {
        Shown {
            latency_ms: self.latency_ms.load(Ordering::Relaxed),
            silences: self.silences.load(Ordering::SeqCst),
            refusing_ms: u64::try_from(self.refusing_left().as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn refusing_left(&self) -> Duration {
        let until = *locked(&self.refuse_until);
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }
}

/// One connection, as seen by who wants to cut it.
#[derive(Debug, Default)]
pub(crate) struct Line {
    cut: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Line {
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        if let Some(waker) = locked(&self.reader).take() {
            waker.wake();
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    /// Wakes `waker` when the line is cut; registered before `is_cut` is asked, so that no cut is missed.
    pub(crate) fn watch(&self, waker: &Waker) {
        locked(&self.reader).replace(waker.clone());
    }
}

/// These locks guard plain values that are valid after a panic too.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
