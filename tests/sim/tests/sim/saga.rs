//! The saga's property: whatever a node answers, whenever processes die, however the chain is reorganized, the sum of
//! debits per intent is at most one, and exactly one when the log says so.
//!
//! The production saga, reactors and executor run on the log's model; what a node says is understood by the production
//! classifier. proptest draws the answers, the deaths and the reorganizations, and shrinks what breaks the property.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use vaultstream_sim::node::mischief::{Mischief, WORDS};
use vaultstream_sim::weather::Odds;
use vaultstream_sim::{Bug, Plan, run_plan};

/// Cases of the everyday test; `VAULTSTREAM_SIM_CASES` asks for more.
const EVERYDAY: u32 = 40;

fn mischief() -> impl Strategy<Value = Mischief> {
    let word = 0..WORDS.len();
    prop_oneof![
        Just(Mischief::None),
        Just(Mischief::LostOnTheWay),
        Just(Mischief::Unheard),
        (100..8_000_u64).prop_map(Mischief::Late),
        word.clone().prop_map(Mischief::TakenButSays),
        word.prop_map(Mischief::SaysOnly),
    ]
}

fn odds() -> impl Strategy<Value = Odds> {
    let chain = (0..400_u64, 0..300_u64, 0..120_u64);
    let process = (0..120_u64, 0..120_u64, 0..100_u64, 0..5_000_u64, 0..5_000_u64);
    (chain, process).prop_map(|((reorgs, pool_forgets, node_fails), process)| {
        let (append_unheard, append_late, keys_fail, crash_ms, pause_ms) = process;
        Odds {
            latency_us: 5_000,
            append_unheard,
            append_late,
            keys_fail,
            crash_ms,
            pause_ms,
            reorgs,
            pool_forgets,
            node_fails,
            ..Odds::default()
        }
    })
}

/// A seed for the order of things, and everything that goes wrong.
fn case() -> impl Strategy<Value = (u64, Plan)> {
    let shape = (any::<u64>(), 1..3_usize, 1..4_u64, any::<bool>());
    (shape, vec(mischief(), 0..10), odds()).prop_map(
        |((seed, processes, transfers, embedded), script, odds)| {
            let is_embedded = embedded && processes == 1;
            let plan = Plan {
                processes,
                is_embedded,
                transfers,
                accounts: 1,
                is_whole: false,
                storm_us: 12_000_000,
                rewinds: Vec::new(),
                odds,
                script,
                ..Plan::of(seed)
            };
            (seed, plan)
        },
    )
}

fn runner(cases: u32, stream: u8) -> TestRunner {
    let config = Config {
        cases,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[stream; 32]))
}

fn holds(seed: u64, plan: Plan) -> Result<(), TestCaseError> {
    let violations = run_plan(seed, plan, false).violations;
    prop_assert!(violations.is_empty(), "{violations:#?}");
    Ok(())
}

#[test]
fn debits_of_an_intent_should_never_be_more_than_one() {
    let cases = std::env::var("VAULTSTREAM_SIM_CASES").ok();
    let cases = cases.map_or(EVERYDAY, |text| {
        text.parse().expect("VAULTSTREAM_SIM_CASES is a whole number")
    });
    runner(cases, 1)
        .run(&case(), |(seed, plan)| holds(seed, plan))
        .expect("every case holds");
}

#[test]
fn planted_double_send_should_be_found_and_shrunk() {
    let planted = runner(60, 2).run(&case(), |(seed, plan)| {
        let bug = Some(Bug::SendAnew);
        let violations = run_plan(seed, Plan { bug, ..plan }, false).violations;
        let twice = violations
            .iter()
            .any(|what| what.contains("one intent has one debit at most"));
        prop_assert!(!twice, "paid twice");
        Ok(())
    });
    let Err(TestError::Fail(_, (seed, plan))) = planted else {
        panic!("the double send was not found: {planted:?}");
    };
    println!("found with seed {seed} and {:?}", plan.script);
    holds(seed, plan).expect("the same case holds without the bug");
}
