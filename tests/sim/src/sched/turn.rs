//! One turn after the other: pick a runnable task by the seed, poll it; when none is runnable, let time go on.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use vaultstream_domain::ports::runtime::BoxFuture;

use super::{Life, Sim, State, TaskId};

/// Polls of one run at most; a run that needs more turns in circles.
const POLLS_MAX: u64 = 4_000_000;
/// How often, of a thousand turns, the machine is slow.
const SLOW: u64 = 15;
/// How slow it is at most, in microseconds.
const SLOW_US: u64 = 3_000;

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// What was waited for has come.
    Done,
    /// Its time has passed.
    TimedOut,
    /// No task can ever go on.
    Stuck,
    /// It takes too many polls.
    Endless,
}

impl Sim {
    /// Lets the world go on until `done`, which is asked once each simulated `every_us`, for `limit_us` at most.
    pub fn run(&self, every_us: i64, limit_us: i64, mut done: impl FnMut() -> bool) -> Ended {
        let end = self.now_us() + limit_us;
        let mut look = self.now_us();
        loop {
            let now = self.now_us();
            if now >= look {
                if done() {
                    return Ended::Done;
                }
                look = now + every_us;
            }
            if now >= end {
                return Ended::TimedOut;
            }
            let Some((task, life, future, waker)) = self.pick() else {
                if !self.pass(look.min(end)) {
                    return Ended::Stuck;
                }
                continue;
            };
            if self.locked().polls > POLLS_MAX {
                return Ended::Endless;
            }
            self.poll(task, life, future, &waker);
        }
    }

    /// The next runnable task by the seed, taken out of its place.
    fn pick(&self) -> Option<(TaskId, Life, BoxFuture, Waker)> {
        let mut state = self.locked();
        let now = state.now_us;
        state.paused.retain(|_, until| *until > now);
        let mut ready = self.ready.locked();
        ready.retain(|task| state.tasks.contains_key(task));
        let runs = |task: &TaskId| {
            let life = state.tasks.get(task).map(|task| task.life);
            life.is_some_and(|life| !state.paused.contains_key(&life))
        };
        let able: Vec<TaskId> = ready.iter().copied().filter(runs).collect();
        let picked = *state.dice.one_of(&able)?;
        ready.remove(&picked);
        drop(ready);
        state.polls += 1;
        state.mix(picked);
        let slow = state.dice.chance(SLOW);
        if slow {
            let us = i64::try_from(state.dice.below(SLOW_US)).unwrap_or(0);
            state.now_us += us;
        }
        let task = state.tasks.get_mut(&picked)?;
        let (life, waker) = (task.life, task.waker.clone());
        let future = task.future.take()?;
        let due = if slow { state.due() } else { Vec::new() };
        drop(state);
        due.into_iter().for_each(Waker::wake);
        Some((picked, life, future, waker))
    }

    fn poll(&self, task: TaskId, life: Life, mut future: BoxFuture, waker: &Waker) {
        let mut context = Context::from_waker(waker);
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut future).poll(&mut context)));
        let mut state = self.locked();
        let is_over = !matches!(polled, Ok(Poll::Pending)) || state.dead.contains(&life);
        if let Err(panic) = &polled {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let name = state.tasks.get(&task).map_or("?", |task| task.name);
            let line = format!("task {name}: {}", said.unwrap_or_default());
            state.panics.push(line);
        }
        if is_over {
            let gone = state.tasks.remove(&task);
            drop(state);
            drop((gone, future));
        } else if let Some(task) = state.tasks.get_mut(&task) {
            task.future = Some(future);
        }
    }

    /// Moves time to the next moment at which anything can happen, `limit` at the latest. Answers whether there is one.
    fn pass(&self, limit: i64) -> bool {
        let mut state = self.locked();
        let timer = state.timers.keys().next().map(|(at, _)| *at);
        let pause = state.paused.values().copied().min();
        let Some(next) = timer.into_iter().chain(pause).min() else {
            return false;
        };
        state.now_us = state.now_us.max(next.min(limit));
        let due = state.due();
        drop(state);
        due.into_iter().for_each(Waker::wake);
        true
    }
}

impl State {
    /// Takes the timers whose time has come.
    fn due(&mut self) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > self.now_us {
                break;
            }
            due.push(entry.remove());
        }
        due
    }
}
