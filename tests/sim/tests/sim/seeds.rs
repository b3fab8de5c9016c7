//! Seeds: many short runs, each another storm.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use vaultstream_sim::{Outcome, run};

/// What the everyday test runs.
const EVERYDAY: Range<u64> = 0..120;
/// What must have gone wrong somewhere among the everyday seeds, or they prove little.
const STRIKES: [&str; 32] = [
    "append-again",
    "append-failed",
    "append-late",
    "append-unheard",
    "behind-its-mark",
    "broadcast-muddled",
    "bus-lost",
    "bus-repeated",
    "conflict",
    "crash",
    "cursor-of-another-life",
    "duplicate",
    "fetch-failed",
    "flush-late",
    "flush-torn",
    "holds-its-mark",
    "keys-failed",
    "lease-unheard",
    "mark-late",
    "mark-torn",
    "mark-unheard",
    "node-silent",
    "note-lost",
    "pause",
    "pool-forgot",
    "publish-failed",
    "quarantine",
    "quarantined",
    "refill",
    "release-cut-off",
    "released",
    "reorg",
];

/// The seeds that `VAULTSTREAM_SIM_SEEDS=FROM..TO` names.
fn wanted() -> Option<Range<u64>> {
    let text = std::env::var("VAULTSTREAM_SIM_SEEDS").ok()?;
    let (from, to) = text
        .split_once("..")
        .expect("VAULTSTREAM_SIM_SEEDS is FROM..TO, such as 0..10000");
    let number = |text: &str| text.trim().parse().expect("a whole number");
    Some(number(from)..number(to))
}

/// How to see what a seed did.
fn replay(seed: u64) -> String {
    format!(
        "VAULTSTREAM_SIM_TRACE={seed} cargo test -p vaultstream-sim --test sim seed_should_be_told -- --nocapture"
    )
}

/// Runs seeds on every core; gives each outcome to `each`.
fn run_all(seeds: Range<u64>, each: impl Fn(u64, Outcome) + Sync) {
    let next = AtomicU64::new(seeds.start);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    each(seed, run(seed, false));
                }
            });
        }
    });
}

#[derive(Default)]
struct Tally {
    runs: u64,
    reads: u64,
    seconds: i64,
    counts: BTreeMap<&'static str, u64>,
    bad: Vec<u64>,
}

#[test]
fn seeds_should_hold() {
    let wanted = wanted();
    let seeds = wanted.clone().unwrap_or(EVERYDAY);
    let tally = Mutex::new(Tally::default());
    run_all(seeds, |seed, outcome| {
        let mut tally = tally.lock().expect("no thread panics while it holds this");
        tally.runs += 1;
        tally.reads += outcome.reads;
        tally.seconds += outcome.seconds;
        for (what, count) in &outcome.counts {
            *tally.counts.entry(what).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            println!("seed {seed}: {:#?}\nreplay: {}", outcome.violations, replay(seed));
            tally.bad.push(seed);
        }
        if tally.runs.is_multiple_of(1_000) {
            println!("{} seeds, {} of them bad", tally.runs, tally.bad.len());
        }
    });
    let tally = tally.into_inner().expect("no thread panicked");
    println!(
        "{} seeds, {} simulated seconds, {} reads held against the log: {:#?}",
        tally.runs, tally.seconds, tally.reads, tally.counts
    );
    assert!(tally.bad.is_empty(), "seeds {:?} do not hold", tally.bad);
    if wanted.is_none() {
        let missing: Vec<_> = STRIKES
            .iter()
            .filter(|what| !tally.counts.contains_key(**what))
            .collect();
        assert!(missing.is_empty(), "never struck: {missing:?}");
        assert!(tally.reads > tally.runs, "hardly anything was read");
    }
}

#[test]
fn equal_seeds_should_give_equal_runs() {
    let hash = |seed| run(seed, false).hash;
    for seed in [1, 2, 3, 4] {
        assert_eq!(hash(seed), hash(seed), "seed {seed} gave two runs");
    }
    assert_ne!(hash(1), hash(2), "two seeds gave one run");
}

#[test]
fn seed_should_be_told() {
    let Ok(seed) = std::env::var("VAULTSTREAM_SIM_TRACE") else {
        return;
    };
    let seed = seed.parse().expect("VAULTSTREAM_SIM_TRACE is a whole number");
    let outcome = run(seed, true);
    assert!(
        outcome.violations.is_empty(),
        "seed {seed}: {:#?}",
        outcome.violations
    );
}
