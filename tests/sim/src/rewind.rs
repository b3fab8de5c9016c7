//! The worst fault: the log is put back to what it was, and chain and marks stay as they are.
//!
//! Everything is stopped; the log becomes what it was when fewer commands had been written; that is declared as another life,
//! as a restore does, or an old copy is silently there and is declared later, when people have noticed. The processes start.
//! When the log does not hold its newest mark they must say that it is in quarantine, until operators have released it.
//! People send again what they had asked for: everything, or what they do not know the end of.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use vaultstream_event_schemas::ShardNumber;

use crate::dice::Dice;
use crate::operators;
use crate::people::People;
use crate::sched::{NATURE, START_US};
use crate::world::World;

/// The earliest moment at which the log is put back, in microseconds.
const EARLIEST_US: u64 = 5_000_000;
/// The longest that nothing runs, in microseconds.
const DOWN_US: u64 = 2_000_000;
/// The longest before people do something about it, in microseconds.
const WHILE_US: u64 = 8_000_000;
/// The longest that the first release goes on before it is cut off, in microseconds: about as long as one takes.
const CUT_OFF_US: u64 = 40_000;
/// Commands that are lost when only the last ones are.
const FEW: u64 = 12;
/// How long a process may take to say that the log is in quarantine, in microseconds of simulated time.
const SAYS_US: i64 = 120_000_000;
/// How often is looked whether one says it, in microseconds.
const LOOK_US: u64 = 100_000;

/// How the log is put back once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewind {
    /// When, in microseconds from the start.
    pub at_us: i64,
    /// How many of a thousand of its commands it keeps; none when all but a few.
    pub keeps: Option<u64>,
    /// Whether it is declared as another life before anything starts.
    pub is_declared: bool,
    /// How long people do nothing about it, in microseconds.
    pub while_us: u64,
    /// After how many microseconds the first release is cut off, when it is.
    pub cut_off_us: Option<u64>,
}

impl Rewind {
    /// One that the seed picks, within a storm.
    pub fn drawn(dice: &mut Dice, storm_us: i64) -> Self {
        let latest = u64::try_from(storm_us).unwrap_or(EARLIEST_US);
        Self {
            at_us: i64::try_from(dice.between(EARLIEST_US, latest)).unwrap_or(0),
            keeps: dice.chance(500).then(|| dice.between(100, 1_000)),
            is_declared: dice.chance(650),
            while_us: dice.between(1, WHILE_US),
            cut_off_us: dice.chance(400).then(|| dice.between(1, CUT_OFF_US)),
        }
    }
}

/// A time from the log's being put back to its being released, in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// From when on.
    pub from_us: i64,
    /// Until the mark that ends it is kept.
    pub until_us: i64,
}

/// What became of it.
#[derive(Default)]
pub struct Rewound {
    quarantines: Mutex<Vec<Quarantine>>,
    wrong: Mutex<Vec<String>>,
    is_under_way: AtomicBool,
    is_undeclared: AtomicBool,
}

fn locked<T>(of: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rewound {
    /// Whether the log was put back and not all is done that has to be.
    pub fn is_under_way(&self) -> bool {
        self.is_under_way.load(Ordering::SeqCst)
    }

    /// Whether an old copy of the log is there and nobody has said so: what views, bus and cursors know is of a history that
    /// is lost, in the same life.
    pub fn is_undeclared(&self) -> bool {
        self.is_undeclared.load(Ordering::SeqCst)
    }

    /// Every quarantine that there was.
    pub fn quarantines(&self) -> Vec<Quarantine> {
        locked(&self.quarantines).clone()
    }

    /// Something was seen that must not be.
    pub(crate) fn wrong(&self, what: String) {
        let mut wrong = locked(&self.wrong);
        if wrong.len() < 20 {
            wrong.push(what);
        }
    }

    /// What was seen that must not be.
    pub fn wrongs(&self) -> Vec<String> {
        locked(&self.wrong).clone()
    }
}

/// Puts the log back when the plan says so, while it storms.
pub fn start(world: &Arc<World>, people: &Arc<People>) {
    let (world, people) = (world.clone(), people.clone());
    let sim = world.sim.clone();
    let rewinds = async move {
        for rewind in world.plan.rewinds.clone() {
            let wait = START_US + rewind.at_us - world.sim.now_us();
            world.sim.sleep_us(u64::try_from(wait).unwrap_or(0)).await;
            if world.weather.is_calm() {
                return;
            }
            world.rewound.is_under_way.store(true, Ordering::SeqCst);
            carry_out(&world, &people, rewind).await;
            world.rewound.is_under_way.store(false, Ordering::SeqCst);
        }
    };
    sim.spawn(NATURE, "rewinds", Box::pin(rewinds));
}

async fn carry_out(world: &Arc<World>, people: &Arc<People>, rewind: Rewind) {
    let sim = &world.sim;
    world.stop_all();
    sim.sleep_us(sim.draw(|dice| dice.below(DOWN_US))).await;
    let last = world.marks.newest_said().map_or(0, |mark| mark.number);
    let is_behind = put_back(world, people, rewind);
    let from_us = sim.now_us();
    let again = ask_again(people);
    if rewind.is_declared {
        declare(world, people);
    } else {
        world.rewound.is_undeclared.store(true, Ordering::SeqCst);
    }
    world.start_again().await;
    sim.sleep_us(rewind.while_us).await;
    if !rewind.is_declared {
        world.stop_all();
        sim.sleep_us(sim.draw(|dice| dice.below(DOWN_US))).await;
        declare(world, people);
        world.start_again().await;
    }
    if is_behind {
        until_said(world).await;
        operators::release(world, rewind.cut_off_us).await;
        let until_us = world.marks.released_at(last).unwrap_or(i64::MAX);
        locked(&world.rewound.quarantines).push(Quarantine { from_us, until_us });
    }
    // They never give up, so it is answered.
    let _ = again.await;
}

/// Makes the log what it was; answers whether it does not hold its newest mark.
fn put_back(world: &World, people: &People, rewind: Rewind) -> bool {
    let ended = people.ended();
    let written = world.log.written();
    let all = u64::try_from(written).unwrap_or(0);
    let kept = match rewind.keeps {
        Some(per_mille) => all * per_mille / 1_000,
        None => all.saturating_sub(world.sim.draw(|dice| dice.between(1, FEW))),
    };
    let kept = usize::try_from(kept).unwrap_or(0);
    let positions: BTreeMap<ShardNumber, u64> = world.log.put_back(kept);
    people.rewound(&positions, &ended);
    let is_behind = world.is_behind();
    world.sim.note(
        "put-back",
        format_args!("{kept} of {written} commands are kept: {positions:?}"),
    );
    let what = if is_behind {
        "behind-its-mark"
    } else {
        "holds-its-mark"
    };
    world.sim.note(what, format_args!("{rewind:?}"));
    is_behind
}

/// Begins another life, as `restore` does.
fn declare(world: &World, people: &People) {
    let life = world.log.begin_life();
    world.bus.begin_life(life);
    people.record.listens_anew();
    world.rewound.is_undeclared.store(false, Ordering::SeqCst);
    world.sim.note("declared", format_args!("life {life}"));
}

/// People send again what they had asked for.
fn ask_again(people: &Arc<People>) -> oneshot::Receiver<()> {
    let (done, answer) = oneshot::channel();
    let asking = people.clone();
    let again = async move {
        asking.again().await;
        // Nobody may wait for it any more.
        let _ = done.send(());
    };
    people.spawn("again", again);
    answer
}

/// Returns when a process says that the log is in quarantine.
async fn until_said(world: &World) {
    let end = world.sim.now_us() + SAYS_US;
    while world.sim.now_us() < end {
        if world.doors().iter().any(|door| door.marks.quarantine().is_some()) {
            return;
        }
        world.sim.sleep_us(LOOK_US).await;
    }
    let what = "the log is behind its mark, and no process says that it is in quarantine";
    world.rewound.wrong(what.to_owned());
}
