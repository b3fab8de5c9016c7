//! One run: a world from a seed, a storm, a calm, and the checker.

use std::collections::BTreeMap;
use std::sync::Arc;

use vaultstream_domain::ports::Clock;

use crate::check;
use crate::people::People;
use crate::plan::Plan;
use crate::rewind;
use crate::sched::{Ended, NATURE, Sim};
use crate::standing;
use crate::surroundings::Surroundings;
use crate::world::World;

/// How often is looked whether everything is settled, in simulated microseconds.
const LOOK_US: i64 = 500_000;
/// How long the calm may last, in simulated microseconds.
const CALM_US: i64 = 600_000_000;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Over every poll and every fact: equal for equal seeds.
    pub hash: u64,
    /// How often each kind of fact was noted.
    pub counts: BTreeMap<&'static str, u64>,
    /// How many reads were held against the log.
    pub reads: u64,
    /// Simulated seconds it took.
    pub seconds: i64,
    /// What does not hold; empty for a good run.
    pub violations: Vec<String>,
}

/// Runs the plan of a seed. `is_told` prints every fact.
pub fn run(seed: u64, is_told: bool) -> Outcome {
    run_plan(seed, Plan::of(seed), is_told)
}

/// Runs a plan under a seed.
pub fn run_plan(seed: u64, plan: Plan, is_told: bool) -> Outcome {
    // For this thread, which is the only one of the run.
    let _planted = plan.bug.map(vaultstream_kernel::planted::plant);
    let sim = Sim::new(seed, is_told);
    let world = World::new(&sim, plan);
    if is_told {
        println!("seed {seed}: {:#?}", world.plan);
    }
    world.start();
    let people = People::new(&world);
    people.start();
    let (chain, weather, block_us) = (world.chain.clone(), world.weather.clone(), world.plan.block_us);
    sim.spawn(NATURE, "chain", Box::pin(chain.live(weather, block_us)));
    breakers(&world);
    standing::watch(&world);
    rewind::start(&world, &people);
    let start = sim.now_us();
    let storm = sim.run(LOOK_US, world.plan.storm_us, || false);
    world.weather.calm_down();
    sim.note("calm", format_args!("{storm:?}"));
    let calm = match storm {
        Ended::TimedOut => sim.run(LOOK_US, CALM_US, || check::is_settled(&world, &people)),
        other => other,
    };
    let mut violations = check::violations(&world, &people);
    if calm != Ended::Done {
        violations.push(format!("it did not come to its end in the calm: {calm:?}"));
    }
    Outcome {
        hash: sim.hash(),
        counts: sim.counts(),
        reads: people.record.reads(),
        seconds: (sim.now_us() - start) / 1_000_000,
        violations,
    }
}

/// Who crashes and pauses processes while it storms.
fn breakers(world: &Arc<World>) {
    for slot in 0..world.plan.processes {
        let here = Surroundings {
            sim: world.sim.clone(),
            life: NATURE,
            skew_us: 0,
        };
        let (crashed, paused, calm) = (world.clone(), world.clone(), here.clone());
        if world.plan.odds.crash_ms > 0 {
            let crash = async move {
                loop {
                    let mean = crashed.plan.odds.crash_ms + 1_000;
                    let wait = crashed.sim.draw(|dice| dice.between(mean / 4, mean * 7 / 4));
                    here.sleep_ms(wait).await;
                    if crashed.weather.is_calm() {
                        return;
                    }
                    let down = crashed.sim.draw(|dice| dice.below(2_000_000));
                    crashed.crash(slot, down).await;
                }
            };
            world.sim.spawn(NATURE, "crashes", Box::pin(crash));
        }
        if world.plan.odds.pause_ms > 0 {
            let pause = async move {
                loop {
                    let mean = paused.plan.odds.pause_ms + 1_000;
                    let wait = paused.sim.draw(|dice| dice.between(mean / 4, mean * 7 / 4));
                    calm.sleep_ms(wait).await;
                    if paused.weather.is_calm() {
                        return;
                    }
                    let us = paused.sim.draw(|dice| dice.between(10_000, 6_000_000));
                    paused.pause(slot, i64::try_from(us).unwrap_or(0));
                }
            };
            world.sim.spawn(NATURE, "pauses", Box::pin(pause));
        }
    }
}
