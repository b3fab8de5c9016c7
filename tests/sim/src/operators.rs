//! Operators: they reconcile, sign what they have read, and release; by the functions behind `vaultstream reconcile` and
//! `vaultstream release`. What fails is done again; what was cut off is given again with the same signatures.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::{Clock, EventLog, Spawn};
use vaultstream_event_schemas::note::Note;
use vaultstream_kernel::mark::MarkPorts;
use vaultstream_kernel::mark::release::{check, end, signed};
use vaultstream_kernel::{Executor, Ports};
use vaultstream_workflows::reconcile::{Reconciliation, reconcile};
use vaultstream_workflows::release::WriteRelease;

use crate::noted::Noted;
use crate::process::{chain_of, mark_ports, options};
use crate::sched::Life;
use crate::seal::{THRESHOLD, operator_keys, signed_by_operators};
use crate::surroundings::Surroundings;
use crate::world::World;

/// Pause before what failed is begun again, in microseconds.
const PAUSE_US: u64 = 300_000;

/// How far a try came.
enum Try {
    /// The log is released.
    Released,
    /// It failed; what was signed may be given again.
    Failed(Vec<Note>),
}

/// Reconciles and releases, however often it takes. The first try is cut off after `cut_off_us`, when that is given.
pub async fn release(world: &Arc<World>, mut cut_off_us: Option<u64>) {
    if world.plan.is_embedded {
        world.stop_all();
    }
    let mut notes = Vec::new();
    loop {
        let life = world.sim.begin_life();
        let (tell, told) = oneshot::channel();
        let (here, given) = (world.clone(), notes.clone());
        let attempt = async move {
            // Whoever waits for it has cut it off.
            let _ = tell.send(once(&here, life, given).await);
        };
        world.sim.spawn(life, "release", Box::pin(attempt));
        let ended = match cut_off_us.take() {
            Some(us) => tokio::select! {
                biased;
                ended = told => ended.ok(),
                () = world.sim.sleep_us(us) => None,
            },
            None => told.await.ok(),
        };
        world.sim.kill(life);
        match ended {
            Some(Try::Released) => break,
            Some(Try::Failed(signed)) => notes = signed,
            None => world.sim.note("release-cut-off", format_args!("")),
        }
        world.sim.sleep_us(PAUSE_US).await;
    }
    world.sim.note("released", format_args!(""));
    if world.plan.is_embedded {
        world.start_again().await;
    }
}

/// What a try runs on.
struct Here<'a> {
    world: &'a Arc<World>,
    surroundings: Arc<Surroundings>,
    ports: MarkPorts,
    executor: Executor,
}

async fn once(world: &Arc<World>, life: Life, notes: Vec<Note>) -> Try {
    let here = Here::open(world, life);
    let chain = chain_of(world);
    let chains = BTreeMap::from([(chain.settings.slug.clone(), chain)]);
    let found = match reconcile(&here.ports, &chains).await {
        Ok(found) => found,
        Err(why) => return here.failed("reconcile", &why, notes),
    };
    if is_over(world, &found) {
        return Try::Released;
    }
    looked(world, &found);
    if notes.is_empty() {
        here.give(&found, signed_by_operators(&found.statement.to_string()))
            .await
    } else {
        here.give(&found, notes).await
    }
}

impl<'a> Here<'a> {
    fn open(world: &'a Arc<World>, life: Life) -> Self {
        let surroundings = Arc::new(Surroundings {
            sim: world.sim.clone(),
            life,
            skew_us: 0,
        });
        let (clock, spawn): (Arc<dyn Clock>, Arc<dyn Spawn>) = (surroundings.clone(), surroundings.clone());
        let log: Arc<dyn EventLog> = Arc::new(world.log.reached(&world.weather, world.engine(life)));
        let ports = Ports {
            log: log.clone(),
            clock: clock.clone(),
            spawn,
            observer: Arc::new(Noted(world.sim.clone())),
        };
        Self {
            world,
            surroundings,
            ports: mark_ports(world, life, log, clock),
            executor: Executor::start(options(), ports, CancellationToken::new()),
        }
    }

    fn failed(&self, doing: &'static str, why: &(dyn Error + 'static), notes: Vec<Note>) -> Try {
        let why = Causes(why);
        self.world
            .sim
            .note("release-failed", format_args!("{doing}: {why}"));
        Try::Failed(notes)
    }

    /// Gives signed statements, as `vaultstream release` takes them.
    async fn give(&self, found: &Reconciliation, notes: Vec<Note>) -> Try {
        let (stated, names) = match signed(&notes, &operator_keys(), THRESHOLD) {
            Ok(signed) => signed,
            Err(why) => {
                let what = format!("what enough operators have signed is refused: {why}");
                self.world.rewound.wrong(what);
                return Try::Released;
            }
        };
        if let Err(why) = check(&self.ports, &stated, &found.statement).await {
            // Something has moved, or does not answer: it is looked at and signed again.
            return self.failed("check", &why, Vec::new());
        }
        let registry = self.ports.log.registry();
        let writing = WriteRelease {
            registry: &registry,
            commands: &self.executor,
            ids: self.surroundings.as_ref(),
        };
        if let Err(why) = writing.write(&found.lost.binds, &stated, &names).await {
            return self.failed("write", &why, notes);
        }
        match end(&self.ports, &found.looked, &stated).await {
            Ok(_) => Try::Released,
            Err(why) => self.failed("end", &why, notes),
        }
    }
}

/// Whether there is nothing to release: an earlier try was, and nobody heard of it.
fn is_over(world: &World, found: &Reconciliation) -> bool {
    let is_whole = found.looked.rewound.is_none();
    if is_whole && world.is_behind() {
        let what = "reconcile says that the log holds its mark, and it does not";
        world.rewound.wrong(what.to_owned());
    }
    is_whole
}

/// What reconciling must have found: every signature that the log does not know, and no strangers.
fn looked(world: &World, found: &Reconciliation) {
    for signed in world.log.acts().signed() {
        let is_listed = found.lost.binds.iter().any(|bind| bind.digest == signed.digest);
        if !is_listed && !is_in_log(world, &signed.digest) {
            world.rewound.wrong(format!(
                "slot {} of {} was signed, is forgotten, and reconcile does not list it",
                signed.slot, signed.account
            ));
        }
    }
    if let Some(account) = found.accounts.iter().find(|account| account.unknown > 0) {
        world.rewound.wrong(format!(
            "reconcile says that strangers used {} slots of {}",
            account.unknown, account.account
        ));
    }
    let gaps: usize = found.accounts.iter().map(|account| account.gaps().len()).sum();
    let lost = found.lost.binds.len();
    world.sim.note(
        "reconciled",
        format_args!("{lost} binds are lost, {gaps} are gaps"),
    );
}

/// Whether the log has bound this digest, or was told that it was.
fn is_in_log(world: &World, digest: &str) -> bool {
    let registry = world.log.registry();
    let mut events = registry
        .entries()
        .iter()
        .flat_map(|entry| world.log.events(entry.number));
    events.any(|event| {
        let is_told = matches!(event.envelope.event_type.as_str(), "slots.bound" | "slots.lost");
        is_told && String::from_utf8_lossy(&event.payload).contains(digest)
    })
}
