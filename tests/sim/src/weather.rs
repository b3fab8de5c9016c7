//! What goes wrong in a run and how often: drawn from the seed, so that one run has many crashes and a clean network,
//! and the next the reverse. Numbers are times in a thousand unless they say otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::dice::Dice;
use crate::sched::Sim;

/// The odds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Odds {
    /// The longest answer of an engine, in microseconds.
    pub latency_us: u64,
    /// An append fails and nothing of it was written.
    pub append_fails: u64,
    /// An append is written and its answer lost.
    pub append_unheard: u64,
    /// An append fails and is written later all the same.
    pub append_late: u64,
    /// A read of the log, or a snapshot, fails.
    pub log_fails: u64,
    /// A flush stops in the middle.
    pub flush_torn: u64,
    /// A part of a flush is written after its caller was told of a failure.
    pub flush_late: u64,
    /// A read of a view fails.
    pub view_fails: u64,
    /// A record is not in the bus's answer.
    pub bus_loses: u64,
    /// The bus begins its answer earlier than asked.
    pub bus_repeats: u64,
    /// Publishing or fetching fails; of what was to be published some has arrived.
    pub bus_fails: u64,
    /// A note or a lease fails, before or after it had its effect.
    pub note_fails: u64,
    /// A question to the chain's node has no answer.
    pub node_fails: u64,
    /// A broadcast is answered in one of the ways that say little.
    pub node_muddles: u64,
    /// The node's pool forgets a transaction at a block.
    pub pool_forgets: u64,
    /// The chain is reorganized at a block.
    pub reorgs: u64,
    /// The keystore fails.
    pub keys_fail: u64,
    /// The mean time between crashes of a process, in milliseconds; 0 for none.
    pub crash_ms: u64,
    /// The mean time between pauses of a process, in milliseconds; 0 for none.
    pub pause_ms: u64,
    /// How wrong a process's clock stands at most, in microseconds.
    pub skew_us: u64,
    /// Marks cannot be read, or one is torn and was never there.
    pub mark_fails: u64,
    /// A mark is kept and its answer lost.
    pub mark_unheard: u64,
    /// A mark cannot be kept and is kept later all the same.
    pub mark_late: u64,
}

impl Odds {
    /// The odds that a seed gives. Half of the faults are away in a run, each on its own.
    pub fn drawn(dice: &mut Dice) -> Self {
        let mut of = |high: u64| {
            if dice.chance(500) {
                dice.between(1, high)
            } else {
                0
            }
        };
        Self {
            append_fails: of(80),
            append_unheard: of(120),
            append_late: of(80),
            log_fails: of(20),
            flush_torn: of(150),
            flush_late: of(100),
            view_fails: of(20),
            bus_loses: of(150),
            bus_repeats: of(300),
            bus_fails: of(50),
            note_fails: of(50),
            node_fails: of(60),
            node_muddles: of(700),
            pool_forgets: of(200),
            reorgs: of(250),
            keys_fail: of(100),
            crash_ms: of(6_000),
            pause_ms: of(8_000),
            skew_us: of(5_000_000),
            latency_us: 200 + of(30_000),
            mark_fails: of(60),
            mark_unheard: of(120),
            mark_late: of(80),
        }
    }
}

/// The odds while it storms, and nothing afterwards.
#[derive(Clone)]
pub struct Weather {
    sim: Sim,
    odds: Odds,
    is_calm: Arc<AtomicBool>,
}

impl Weather {
    /// A storm with these odds.
    pub fn new(sim: Sim, odds: Odds) -> Self {
        Self {
            sim,
            odds,
            is_calm: Arc::default(),
        }
    }

    /// The world it is in.
    pub const fn sim(&self) -> &Sim {
        &self.sim
    }

    /// The odds of the storm.
    pub const fn odds(&self) -> &Odds {
        &self.odds
    }

    /// Whether the storm has passed.
    pub fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::SeqCst)
    }

    /// Ends the storm: from now on nothing fails, so that everything can come to its end.
    pub fn calm_down(&self) {
        self.is_calm.store(true, Ordering::SeqCst);
    }

    /// Whether a fault strikes now; a strike is noted under its name.
    pub fn strikes(&self, what: &'static str, odds: impl FnOnce(&Odds) -> u64) -> bool {
        let strikes = !self.is_calm() && self.sim.chance(odds(&self.odds));
        if strikes {
            self.sim.note(what, format_args!(""));
        }
        strikes
    }

    /// The time an engine takes.
    pub async fn latency(&self) {
        let us = self.sim.draw(|dice| {
            // Mostly quick, now and then slow.
            let high = if dice.chance(100) {
                self.odds.latency_us * 4
            } else {
                self.odds.latency_us
            };
            dice.between(20, high)
        });
        self.sim.sleep_us(us).await;
    }
}
