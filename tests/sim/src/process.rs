//! A process: the production rooms put together over the models, as the binary's parts do it.
//!
//! Every process keeps every role for every shard and asks for no lease (the relay has its own): a lease saves work and
//! decides nothing, so this is the worst that two processes can do to each other.

mod recover;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{Bus, Clock, EventLog, Ids, Rng, Spawn, ViewStore};
use vaultstream_kernel::mark::{MarkOptions, MarkPorts};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{
    Executor, LogBus, Marking, Options, Ports, Relay, RelayOptions, RelayPorts, Tailer,
};
use vaultstream_projectors::projector::{Projector, ProjectorOptions, ProjectorParts};
use vaultstream_projectors::{
    ExecutorSwitch, Generations, Reads, ReadsParts, Unobserved, Watermarks, switched,
};
use vaultstream_query_api::hub::{Hub, HubParts};
use vaultstream_query_api::observer::Unobserved as Unheard;

use crate::chain;
use crate::marks::NoCheckpoints;
use crate::noted::Noted;
use crate::sched::Life;
use crate::surroundings::Surroundings;
use crate::world::{Door, World};
pub use work::chain_of;

/// Pause before a start that failed is tried again, in milliseconds.
const AGAIN_MS: u64 = 300;

/// One process on its way up.
struct Process {
    world: Arc<World>,
    slot: usize,
    life: Life,
    dead: CancellationToken,
    here: Arc<Surroundings>,
    log: Arc<dyn EventLog>,
}

/// Starts a process in its place.
pub fn start(world: &Arc<World>, slot: usize, life: Life, dead: CancellationToken) {
    let sim = &world.sim;
    let skew = sim.draw(|dice| dice.between(0, 2 * world.plan.odds.skew_us));
    let skew_us = i64::try_from(skew).unwrap_or(0) - i64::try_from(world.plan.odds.skew_us).unwrap_or(0);
    sim.note("start", format_args!("process {slot}, clock {skew_us} us"));
    let here = Arc::new(Surroundings {
        sim: sim.clone(),
        life,
        skew_us,
    });
    let process = Process {
        log: Arc::new(world.log.reached(&world.weather, world.engine(life))),
        world: Arc::clone(world),
        slot,
        life,
        dead,
        here,
    };
    sim.spawn(life, "main", Box::pin(process.run()));
}

impl Process {
    fn spawn(&self) -> Arc<dyn Spawn> {
        self.here.clone()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.here.clone()
    }

    fn noted(&self) -> Arc<Noted> {
        Arc::new(Noted(self.world.sim.clone()))
    }

    fn tailer(&self, bus: Arc<dyn Bus>) -> Tailer {
        let options = TailOptions::default();
        Tailer::new(bus, self.log.clone(), self.clock(), self.noted(), options)
    }

    async fn run(self) {
        let stop = CancellationToken::new();
        let ports = Ports {
            log: self.log.clone(),
            clock: self.clock(),
            spawn: self.spawn(),
            observer: self.noted(),
        };
        let executor = Executor::start(options(), ports, stop.clone());
        let ports = mark_ports(&self.world, self.life, self.log.clone(), self.clock());
        let marking = Marking::start(ports, MarkOptions::default(), self.here.as_ref(), &stop).await;
        let (reads, parts) = self.views(&executor).await;
        if self.world.plan.is_whole {
            let (stopped, clock) = (stop.clone(), self.clock());
            let keep = async move {
                // It ends with the process, or by an error of the store at its start; then it is begun again.
                while Projector::new(parts.clone()).run(stopped.clone()).await.is_err() {
                    clock.sleep_ms(AGAIN_MS).await;
                }
            };
            self.here.spawn("projectors", Box::pin(keep));
        }
        self.relay(&stop);
        work::start(&self, &executor, &marking, &reads, &stop);
        let hub = self.hub(&reads).await;
        let door = Door {
            executor,
            reads,
            hub,
            marks: marking.standing(),
            dead: self.dead.clone(),
        };
        self.world.open(self.slot, self.life, door);
    }

    async fn views(&self, executor: &Executor) -> (Reads, ProjectorParts) {
        let registry = self.log.registry();
        let generations = loop {
            match switched(self.log.as_ref(), &registry).await {
                Ok(states) => break Arc::new(Generations::new(&states)),
                Err(_) => self.here.sleep_ms(AGAIN_MS).await,
            }
        };
        let engine = self.world.engine(self.life);
        let store: Arc<dyn ViewStore> = Arc::new(self.world.views.reached(&self.world.weather, engine));
        let watermarks = Arc::new(Watermarks::default());
        let ids: Arc<dyn Ids> = self.here.clone();
        let parts = ProjectorParts {
            store: store.clone(),
            log: self.log.clone(),
            tailer: self.tailer(self.bus()),
            clock: self.clock(),
            spawn: self.spawn(),
            registry: registry.clone(),
            generations: generations.clone(),
            watermarks: watermarks.clone(),
            switch: Arc::new(ExecutorSwitch::new(executor.clone(), ids, registry.clone())),
            observer: Arc::new(Unobserved),
            options: ProjectorOptions::default(),
        };
        while Projector::new(parts.clone()).prepare().await.is_err() {
            self.here.sleep_ms(AGAIN_MS).await;
        }
        let settings = chain::settings();
        let reads = Reads::new(ReadsParts {
            store,
            clock: self.clock(),
            registry,
            chains: BTreeMap::from([(settings.id, settings.slug)]),
            generations,
            watermarks,
        });
        (reads, parts)
    }

    fn bus(&self) -> Arc<dyn Bus> {
        if self.world.plan.is_embedded {
            Arc::new(LogBus::new(self.log.clone()))
        } else {
            Arc::new(self.world.bus.reached(&self.world.weather))
        }
    }

    fn relay(&self, stop: &CancellationToken) {
        if self.world.plan.is_embedded || !self.world.plan.is_whole {
            return;
        }
        let notes = Arc::new(self.world.notes.reached(&self.world.weather));
        let rng: Arc<dyn Rng> = self.here.clone();
        let ports = RelayPorts {
            log: self.log.clone(),
            publisher: Arc::new(self.world.bus.reached(&self.world.weather)),
            progress: notes.clone(),
            leases: notes,
            clock: self.clock(),
            rng,
            observer: self.noted(),
        };
        let options = RelayOptions {
            lease_ms: 3_000,
            ..RelayOptions::default()
        };
        let registry = self.log.registry();
        let shards = registry.entries().iter().map(|entry| entry.number);
        let relay = Relay::new(ports, options, &format!("life-{}", self.life.0));
        drop(relay.start(shards, self.here.as_ref(), stop));
    }

    async fn hub(&self, reads: &Reads) -> Option<Hub> {
        if !self.world.plan.is_whole {
            return None;
        }
        loop {
            let parts = HubParts {
                log: self.log.clone(),
                folded: Arc::new(reads.clone()),
                clock: self.clock(),
                observer: Arc::new(Unheard),
            };
            match Hub::init(parts, self.here.as_ref()).await {
                Ok(hub) => return Some(hub),
                Err(_) => self.here.sleep_ms(AGAIN_MS).await,
            }
        }
    }
}

/// What marking and looking at marks runs on, as a process reaches it.
pub fn mark_ports(world: &World, life: Life, log: Arc<dyn EventLog>, clock: Arc<dyn Clock>) -> MarkPorts {
    MarkPorts {
        log,
        marks: Arc::new(world.marks.reached(&world.weather, world.engine(life))),
        checkpoints: Arc::new(NoCheckpoints),
        seal: world.seal.clone(),
        clock,
        observer: Arc::new(Noted(world.sim.clone())),
    }
}

/// Small bounds, so that a few commands meet them.
pub fn options() -> Options {
    Options {
        queue: 8,
        line: 16,
        line_ms: 5_000,
        batch_commands: 4,
        states: 24,
        snapshot_every: 8,
        ..Options::default()
    }
}
