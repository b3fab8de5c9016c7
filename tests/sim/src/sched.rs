//! The scheduler: one thread, a virtual clock, and a seed that decides which runnable task goes next.
//!
//! Invariants. Nothing here asks the machine for time, chance or threads, so the same seed gives the same schedule, and
//! the hash over it (every poll, every noted fact) the same number. The order in which tasks are woken does not matter:
//! whoever is runnable waits in a set. A life is a process: when it is killed all its tasks are dropped where they stand,
//! and while it is paused none of them runs although time goes on.

mod sleep;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Arguments;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use vaultstream_domain::ports::runtime::BoxFuture;

use crate::dice::Dice;
pub use sleep::Sleep;
pub use turn::Ended;

/// The start of simulated time, in microseconds since the epoch.
pub const START_US: i64 = 1_795_000_000_000_000;

/// A process, from its start to its death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(pub u32);

/// What never dies: engines behind the wire, the network, and who breaks things.
pub const NATURE: Life = Life(0);
/// People who ask, read and listen; their programs never die.
pub const PEOPLE: Life = Life(1);

pub(crate) type TaskId = u64;
pub(crate) type TimerKey = (i64, u64);

pub(crate) struct Task {
    life: Life,
    name: &'static str,
    /// Taken out while it is polled.
    future: Option<BoxFuture>,
    waker: Waker,
}

/// Tasks that can go on.
#[derive(Default)]
struct Ready(Mutex<BTreeSet<TaskId>>);

impl Ready {
    fn locked(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waking {
    task: TaskId,
    ready: Arc<Ready>,
}

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.ready.locked().insert(self.task);
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.locked().insert(self.task);
    }
}

pub(crate) struct State {
    now_us: i64,
    dice: Dice,
    timers: BTreeMap<TimerKey, Waker>,
    tasks: BTreeMap<TaskId, Task>,
    dead: BTreeSet<Life>,
    /// Until when a life does not run.
    paused: BTreeMap<Life, i64>,
    next_timer: u64,
    next_task: TaskId,
    next_life: u32,
    polls: u64,
    hash: u64,
    is_told: bool,
    panics: Vec<String>,
    /// How often each kind of fact was noted: a run in which nothing went wrong proves little.
    counts: BTreeMap<&'static str, u64>,
}

/// The simulation. Clones are handles to the same one.
#[derive(Clone)]
pub struct Sim {
    state: Arc<Mutex<State>>,
    ready: Arc<Ready>,
}

impl Sim {
    /// A world without tasks. `is_told` prints every noted fact.
    pub fn new(seed: u64, is_told: bool) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                now_us: START_US,
                dice: Dice::new(seed),
                timers: BTreeMap::new(),
                tasks: BTreeMap::new(),
                dead: BTreeSet::new(),
                paused: BTreeMap::new(),
                next_timer: 0,
                next_task: 0,
                next_life: 2,
                polls: 0,
                hash: 0xcbf2_9ce4_8422_2325,
                is_told,
                panics: Vec::new(),
                counts: BTreeMap::new(),
            })),
            ready: Arc::default(),
        }
    }

    pub(crate) fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Simulated time, in microseconds since the epoch.
    pub fn now_us(&self) -> i64 {
        self.locked().now_us
    }

    /// Draws from the seed.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut self.locked().dice)
    }

    /// Whether something happens that happens so many times in a thousand.
    pub fn chance(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.draw(|dice| dice.chance(per_mille))
    }

    /// Notes a fact: it becomes part of the run's hash, is counted, and printed when the run is told.
    pub fn note(&self, what: &'static str, detail: Arguments<'_>) {
        let mut state = self.locked();
        let now = state.now_us;
        state.mix(now.unsigned_abs());
        state.mix_bytes(what.as_bytes());
        *state.counts.entry(what).or_default() += 1;
        if state.is_told {
            let ms = (now - START_US) / 1_000;
            println!("{ms:>8} ms  {what:<22} {detail}");
        }
    }

    /// Begins a new life.
    pub fn begin_life(&self) -> Life {
        let mut state = self.locked();
        let life = Life(state.next_life);
        state.next_life += 1;
        life
    }

    /// Starts a task of a life; of a dead one nothing starts.
    pub fn spawn(&self, life: Life, name: &'static str, future: BoxFuture) {
        let mut state = self.locked();
        if state.dead.contains(&life) {
            drop(state);
            drop(future);
            return;
        }
        let task = state.next_task;
        state.next_task += 1;
        let waker = Waker::from(Arc::new(Waking {
            task,
            ready: Arc::clone(&self.ready),
        }));
        let future = Some(future);
        state.tasks.insert(
            task,
            Task {
                life,
                name,
                future,
                waker,
            },
        );
        drop(state);
        self.ready.locked().insert(task);
    }

    /// Ends a life: its tasks are dropped where they stand. Not for a task to call about its own life.
    pub fn kill(&self, life: Life) {
        let mut state = self.locked();
        state.dead.insert(life);
        state.paused.remove(&life);
        let gone: Vec<TaskId> = state
            .tasks
            .iter()
            .filter(|(_, task)| task.life == life)
            .map(|(id, _)| *id)
            .collect();
        let dropped: Vec<Option<Task>> = gone.iter().map(|id| state.tasks.remove(id)).collect();
        drop(state);
        // What is dropped may wake others and cancel timers.
        drop(dropped);
    }

    /// Stops a life for a while.
    pub fn pause(&self, life: Life, us: i64) {
        let mut state = self.locked();
        let until = state.now_us + us;
        state.paused.insert(life, until);
    }

    /// Waits in simulated time.
    pub fn sleep_us(&self, us: u64) -> Sleep {
        let at = self
            .now_us()
            .saturating_add(i64::try_from(us).unwrap_or(i64::MAX));
        Sleep::until(self.clone(), at)
    }

    /// The hash over everything that has happened.
    pub fn hash(&self) -> u64 {
        self.locked().hash
    }

    /// How often each kind of fact was noted.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.locked().counts.clone()
    }

    /// Tasks that panicked, with what they said.
    pub fn panics(&self) -> Vec<String> {
        self.locked().panics.clone()
    }
}

impl State {
    const fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.hash ^= self.hash >> 29;
    }

    fn mix_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }
}
