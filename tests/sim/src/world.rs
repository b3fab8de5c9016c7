//! What outlives processes: the stores, the chain, and the doors through which people find processes that live.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::aggregate::OfState;
use vaultstream_event_schemas::StreamId;
use vaultstream_kernel::{Executor, MarkStanding, load_state};
use vaultstream_projectors::Reads;
use vaultstream_query_api::hub::Hub;

use crate::bus::SimBus;
use crate::chain::SimChain;
use crate::log::SimLog;
use crate::marks::SimMarks;
use crate::node::mischief::Script;
use crate::notes::SimNotes;
use crate::plan::Plan;
use crate::process;
use crate::rewind::Rewound;
use crate::sched::{Life, NATURE, Sim};
use crate::seal::SimSeal;
use crate::surroundings::Surroundings;
use crate::views::SimViews;
use crate::weather::Weather;

/// How a living process is reached.
#[derive(Clone)]
pub struct Door {
    /// Runs commands.
    pub executor: Executor,
    /// Answers reads.
    pub reads: Reads,
    /// Feeds subscribers.
    pub hub: Option<Hub>,
    /// Whether signatures may be asked for there.
    pub marks: MarkStanding,
    /// Cancelled when the process dies.
    pub dead: CancellationToken,
}

/// The place of a process: who lives there now.
struct Slot {
    life: Life,
    dead: CancellationToken,
    door: Option<Door>,
    /// Somebody has stopped it, and starts it again.
    is_stopped: bool,
}

/// How long is slept between two looks whether a process has opened its door, in microseconds.
const LOOK_US: u64 = 50_000;

/// The world of one run.
pub struct World {
    /// The scheduler.
    pub sim: Sim,
    /// What goes wrong.
    pub weather: Weather,
    /// The shape of the run.
    pub plan: Plan,
    /// The log, without weather.
    pub log: SimLog,
    /// The views, without weather.
    pub views: SimViews,
    /// The bus, without weather.
    pub bus: SimBus,
    /// Notes and leases, without weather.
    pub notes: SimNotes,
    /// The marks, without weather.
    pub marks: SimMarks,
    /// Signs marks.
    pub seal: Arc<SimSeal>,
    /// The chain.
    pub chain: SimChain,
    /// What happens to broadcasts before the odds decide.
    pub script: Script,
    /// What became of the log's being put back.
    pub rewound: Rewound,
    slots: Mutex<Vec<Slot>>,
    /// Engines that outlive processes: what they have not written when everything is stopped is never written.
    engines: Mutex<Life>,
}

impl World {
    /// An empty world of a plan.
    pub fn new(sim: &Sim, plan: Plan) -> Arc<Self> {
        let nature = Arc::new(Surroundings {
            sim: sim.clone(),
            life: NATURE,
            skew_us: 0,
        });
        let log = SimLog::new(&plan.families(), nature.clone());
        let registry = vaultstream_domain::ports::EventLog::registry(&log);
        Arc::new(Self {
            sim: sim.clone(),
            weather: Weather::new(sim.clone(), plan.odds),
            log,
            views: SimViews::default(),
            bus: SimBus::new(&registry, nature.clone()),
            notes: SimNotes::new(nature.clone()),
            marks: SimMarks::new(nature),
            seal: Arc::default(),
            chain: SimChain::default(),
            script: Script::of(&plan.script),
            plan,
            rewound: Rewound::default(),
            slots: Mutex::default(),
            engines: Mutex::new(sim.begin_life()),
        })
    }

    /// Who writes what a process hands to an engine: the process itself, when the engine is inside it.
    pub fn engine(&self, process: Life) -> Life {
        if self.plan.is_embedded {
            process
        } else {
            *self.engines.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts every process.
    pub fn start(self: &Arc<Self>) {
        for slot in 0..self.plan.processes {
            let life = self.sim.begin_life();
            let dead = CancellationToken::new();
            self.locked().push(Slot {
                life,
                dead: dead.clone(),
                door: None,
                is_stopped: false,
            });
            process::start(self, slot, life, dead);
        }
    }

    /// Stops every process and every engine where they stand.
    pub fn stop_all(&self) {
        let gone: Vec<(Life, CancellationToken)> = {
            let mut slots = self.locked();
            let stop = |slot: &mut Slot| {
                (slot.door, slot.is_stopped) = (None, true);
                (slot.life, slot.dead.clone())
            };
            slots.iter_mut().map(stop).collect()
        };
        for (life, dead) in gone {
            self.sim.kill(life);
            dead.cancel();
        }
        let next = self.sim.begin_life();
        let engines = {
            let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *engines, next)
        };
        self.sim.kill(engines);
    }

    /// Starts what was stopped, one after the other: each when the one before it can be reached.
    pub async fn start_again(self: &Arc<Self>) {
        for slot in 0..self.plan.processes {
            let (life, dead) = (self.sim.begin_life(), CancellationToken::new());
            if let Some(slot) = self.locked().get_mut(slot) {
                (slot.life, slot.dead, slot.is_stopped) = (life, dead.clone(), false);
            }
            process::start(self, slot, life, dead);
            while !self.is_open(slot) {
                self.sim.sleep_us(LOOK_US).await;
            }
        }
    }

    fn is_open(&self, slot: usize) -> bool {
        let slots = self.locked();
        slots.get(slot).is_some_and(|slot| slot.door.is_some())
    }

    /// The doors of all processes that can be reached.
    pub fn doors(&self) -> Vec<Door> {
        let slots = self.locked();
        slots.iter().filter_map(|slot| slot.door.clone()).collect()
    }

    /// What the newest mark says, against the log: whether the log does not hold it.
    pub fn is_behind(&self) -> bool {
        let Some(mark) = self.marks.newest_said() else {
            return false;
        };
        mark.shards.iter().any(|marked| {
            let hash = self.log.hash_at(marked.shard, marked.position);
            let head = self.log.head(marked.shard);
            hash != Some(marked.hash) || head.is_none_or(|head| head.incarnation < marked.incarnation)
        })
    }

    /// Opens the door of a process, when it still lives.
    pub fn open(&self, slot: usize, life: Life, door: Door) {
        if let Some(slot) = self.locked().get_mut(slot).filter(|slot| slot.life == life) {
            slot.door = Some(door);
        }
    }

    /// Kills a process; a new one starts after `down_us`.
    pub async fn crash(self: &Arc<Self>, slot: usize, down_us: u64) {
        let gone = {
            let mut slots = self.locked();
            let Some(slot) = slots.get_mut(slot).filter(|slot| !slot.is_stopped) else {
                return;
            };
            slot.door = None;
            (slot.life, slot.dead.clone())
        };
        self.sim.note("crash", format_args!("process {slot}"));
        self.sim.kill(gone.0);
        gone.1.cancel();
        self.sim.sleep_us(down_us).await;
        let (life, dead) = (self.sim.begin_life(), CancellationToken::new());
        {
            let mut slots = self.locked();
            // Somebody may have stopped everything meanwhile, and started it again.
            let same = |slot: &&mut Slot| slot.life == gone.0 && !slot.is_stopped;
            let Some(slot) = slots.get_mut(slot).filter(same) else {
                return;
            };
            (slot.life, slot.dead) = (life, dead.clone());
        }
        process::start(self, slot, life, dead);
    }

    /// Stops a process for a while.
    pub fn pause(&self, slot: usize, us: i64) {
        let life = self.locked().get(slot).map(|slot| slot.life);
        if let Some(life) = life {
            self.sim.note("pause", format_args!("process {slot} for {us} us"));
            self.sim.pause(life, us);
        }
    }

    /// The door of one of the processes that can be reached.
    pub fn door(&self) -> Option<Door> {
        let doors = self.doors();
        self.sim.draw(|dice| dice.one_of(&doors).cloned())
    }

    /// The state of a stream as the log has it.
    ///
    /// # Panics
    /// The log has events that cannot be read.
    pub fn load<D: OfState>(&self, stream: impl Into<StreamId>) -> D::State
    where
        D::State: Clone,
    {
        let loaded = load_state(&self.log, stream.into()).now_or_never();
        let loaded = loaded.expect("a log without weather answers at once");
        let loaded = loaded.expect("the log can be read");
        D::of(&loaded.state).cloned().expect("the kind of its id")
    }
}
