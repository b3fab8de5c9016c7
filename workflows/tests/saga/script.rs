//! What goes wrong, and when: every call a saga makes through a port asks the script first.
//!
//! A process that is dead makes no call any more: its ports never answer, and its driver drops it. Calls are counted by
//! their label, so that a run without faults yields the list of points at which the next runs fail.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use vaultstream_workflows::Boundary;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies, and the call had no effect.
    DieBefore,
    /// The call has its effect, and the process dies without hearing of it.
    DieAfter,
    /// The call fails without effect.
    FailBefore,
    /// The call has its effect, and its answer is a failure.
    FailAfter,
    /// The call is made twice.
    Repeat,
}

impl Fault {
    pub const ALL: [Self; 5] = [
        Self::DieBefore,
        Self::DieAfter,
        Self::FailBefore,
        Self::FailAfter,
        Self::Repeat,
    ];
}

/// The `nth` call with a label, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub label: &'static str,
    pub nth: usize,
}

/// When a fault strikes.
enum Plan {
    Never,
    At(Point, Fault),
    Boundary(&'static str),
    /// So many calls of a thousand, drawn from a seed.
    Random {
        state: Mutex<u64>,
        per_mille: u64,
    },
}

/// The fate of one process.
pub struct Script {
    plan: Plan,
    calls: Mutex<BTreeMap<&'static str, usize>>,
    struck: Mutex<usize>,
    dead: CancellationToken,
}

impl Script {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            calls: Mutex::default(),
            struck: Mutex::default(),
            dead: CancellationToken::new(),
        }
    }

    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self::new(Plan::Never)
    }

    /// One call goes wrong.
    pub fn at(point: Point, fault: Fault) -> Self {
        Self::new(Plan::At(point, fault))
    }

    /// The process dies when it has passed a boundary.
    pub fn halt_at(boundary: &'static str) -> Self {
        Self::new(Plan::Boundary(boundary))
    }

    /// Calls go wrong at random, the same ones for the same seed and the same order of calls.
    pub fn random(seed: u64, per_mille: u64) -> Self {
        Self::new(Plan::Random {
            state: Mutex::new(seed | 1),
            per_mille,
        })
    }

    /// How many faults there were.
    pub fn struck(&self) -> usize {
        *lock(&self.struck)
    }

    /// Every call that was made.
    pub fn points(&self) -> Vec<Point> {
        let calls = lock(&self.calls);
        let each = calls
            .iter()
            .flat_map(|(label, count)| (1..=*count).map(|nth| Point { label, nth }));
        each.collect()
    }

    pub fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// Returns when the process is dead.
    pub async fn death(&self) {
        self.dead.cancelled().await;
    }

    async fn die<T>(&self) -> T {
        self.dead.cancel();
        pending().await
    }

    /// Makes a call under this fate; `broken` is the answer of a call that fails.
    pub async fn around<T, C: Future<Output = T> + Send>(
        &self,
        label: &'static str,
        call: impl Fn() -> C + Send,
        broken: impl FnOnce() -> T + Send,
    ) -> T {
        if self.is_dead() {
            return pending().await;
        }
        match self.due(label) {
            None => call().await,
            Some(Fault::DieBefore) => self.die().await,
            Some(Fault::DieAfter) => {
                call().await;
                self.die().await
            }
            Some(Fault::FailBefore) => broken(),
            Some(Fault::FailAfter) => {
                call().await;
                broken()
            }
            Some(Fault::Repeat) => {
                call().await;
                call().await
            }
        }
    }

    fn due(&self, label: &'static str) -> Option<Fault> {
        let nth = {
            let mut calls = lock(&self.calls);
            let count = calls.entry(label).or_default();
            *count += 1;
            *count
        };
        let fault = match &self.plan {
            Plan::At(point, fault) if *point == (Point { label, nth }) => Some(*fault),
            Plan::Random { state, per_mille } => draw(&mut lock(state), *per_mille),
            _ => None,
        };
        if fault.is_some() {
            *lock(&self.struck) += 1;
        }
        fault
    }
}

/// xorshift64*: enough chance for a test, and the same everywhere.
fn draw(state: &mut u64, per_mille: u64) -> Option<Fault> {
    let mut next = || {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    };
    if next() % 1_000 >= per_mille {
        return None;
    }
    let which = usize::try_from(next()).unwrap_or(0) % Fault::ALL.len();
    Fault::ALL.get(which).copied()
}

impl Boundary for Script {
    fn passed(&self, name: &'static str) {
        if matches!(self.plan, Plan::Boundary(at) if at == name) && !self.is_dead() {
            *lock(&self.struck) += 1;
            // What the saga does until its next call is memory only; that call is never made.
            self.dead.cancel();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
