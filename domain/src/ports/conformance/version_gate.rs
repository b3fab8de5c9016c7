//! The contract of the gate of event versions as code. Times are real, because a store's clock is its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_event_schemas::Versions;
use vaultstream_event_schemas::versions::MAX_TYPES;

use crate::ports::VersionGate;
use crate::ports::version_gate::MAX_ANNOUNCED;

const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(400);
/// Well after a short announcement has ended.
const AFTER_SHORT: Duration = Duration::from_millis(700);

/// Makes gates of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Gate: VersionGate + 'static;
    /// A new one, where nothing was ever announced.
    async fn fresh(&self) -> Self::Gate;
    /// Closes it and opens the same storage again.
    async fn reopen(&self, gate: Self::Gate) -> Self::Gate;
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    gate_should_open_for_what_everybody_reads(&harness.fresh().await).await;
    gate_should_open_when_the_last_old_reader_has_gone(&harness.fresh().await).await;
    silent_reader_should_hold_the_gate_for_its_time_only(&harness.fresh().await).await;
    gate_should_never_close(&harness.fresh().await).await;
    announcement_should_replace_the_former_one(&harness.fresh().await).await;
    readers_that_come_together_should_agree(harness.fresh().await).await;
    bad_announcements_should_be_refused(&harness.fresh().await).await;
    gate_should_outlive_a_restart(harness).await;
}

fn reads(all: &[(&str, u16)]) -> Versions {
    all.iter().map(|(name, version)| (*name, *version)).collect()
}

async fn says(gate: &impl VersionGate, process: &str, all: &[(&str, u16)], ttl: Duration) -> Versions {
    gate.announce(process, &reads(all), ttl).await.expect("answered")
}

/// Alone, a process writes what it reads; beside an older one, what both read.
pub async fn gate_should_open_for_what_everybody_reads(gate: &impl VersionGate) {
    let old = [("a.done", 1), ("only.old", 2)];
    assert_eq!(says(gate, "old", &old, LONG).await, reads(&old));
    let new = [("a.done", 3), ("only.new", 1)];
    // What was opened stays open: the new process is told that `only.old` is written.
    assert_eq!(says(gate, "new", &new, LONG).await, reads(&old));
    assert_eq!(says(gate, "old", &old, LONG).await, reads(&old), "not overtaken");
}

/// Whoever has retired holds nobody back; nobody else opens the gate for them.
pub async fn gate_should_open_when_the_last_old_reader_has_gone(gate: &impl VersionGate) {
    for old in ["old 1", "old 2"] {
        says(gate, old, &[("a", 1)], LONG).await;
    }
    let new = [("a", 2), ("b", 1)];
    assert_eq!(says(gate, "new", &new, LONG).await, reads(&[("a", 1)]));
    gate.retire("old 1").await.expect("retired");
    assert_eq!(
        says(gate, "new", &new, LONG).await,
        reads(&[("a", 1)]),
        "one lives"
    );
    gate.retire("old 2").await.expect("retired");
    gate.retire("old 2").await.expect("nothing to do");
    assert_eq!(says(gate, "new", &new, LONG).await, reads(&new));
}

/// A process that was killed is waited for until its announcement has ended.
pub async fn silent_reader_should_hold_the_gate_for_its_time_only(gate: &impl VersionGate) {
    says(gate, "killed", &[("a", 1)], SHORT).await;
    assert_eq!(says(gate, "new", &[("a", 2)], LONG).await, reads(&[("a", 1)]));
    tokio::time::sleep(AFTER_SHORT).await;
    assert_eq!(says(gate, "new", &[("a", 2)], LONG).await, reads(&[("a", 2)]));
}

/// An old process that comes back is told what is written, and changes nothing of it.
pub async fn gate_should_never_close(gate: &impl VersionGate) {
    says(gate, "new", &[("a", 2)], LONG).await;
    assert_eq!(says(gate, "old", &[("a", 1)], LONG).await, reads(&[("a", 2)]));
    gate.retire("new").await.expect("retired");
    assert_eq!(says(gate, "old", &[("a", 1)], LONG).await, reads(&[("a", 2)]));
    assert_eq!(
        says(gate, "new", &[("a", 3)], LONG).await,
        reads(&[("a", 2)]),
        "held"
    );
}

/// A process that reads more than it did holds nobody back any more.
pub async fn announcement_should_replace_the_former_one(gate: &impl VersionGate) {
    says(gate, "same", &[("a", 1)], LONG).await;
    assert_eq!(says(gate, "same", &[("a", 2)], LONG).await, reads(&[("a", 2)]));
}

/// Old and new processes that announce themselves at the same moment: either an old one came first, and nothing new is
/// written, or a new one did, and every old one is told.
pub async fn readers_that_come_together_should_agree<G: VersionGate + 'static>(gate: G) {
    let gate = Arc::new(gate);
    let racers: Vec<_> = (0..16u16)
        .map(|n| {
            let gate = Arc::clone(&gate);
            let version = 1 + n % 2;
            tokio::spawn(async move {
                let name = format!("racer {n}");
                (
                    version,
                    says(&*gate, &name, &[("a", version)], LONG).await.of("a"),
                )
            })
        })
        .collect();
    let mut answers = Vec::new();
    for racer in racers {
        answers.push(racer.await.expect("a racer ends well"));
    }
    let written = says(&*gate, "judge", &[("a", 2)], LONG).await.of("a");
    let first = answers.iter().any(|(version, told)| *version == 1 && *told == 1);
    assert_eq!(written, if first { 1 } else { 2 }, "{answers:?}");
    assert!(answers.iter().all(|(_, told)| *told == written), "{answers:?}");
}

/// Announcements outside their bounds are refused and hold nobody back.
pub async fn bad_announcements_should_be_refused(gate: &impl VersionGate) {
    let one = reads(&[("a", 1)]);
    let many: Versions = (0..=MAX_TYPES).map(|n| (format!("type.{n}"), 1)).collect();
    for (process, reads, ttl) in [
        ("", &one, LONG),
        ("p".repeat(129).as_str(), &one, LONG),
        ("p", &many, LONG),
        ("p", &one, Duration::ZERO),
        ("p", &one, MAX_ANNOUNCED + Duration::from_millis(1)),
    ] {
        let refused = gate.announce(process, reads, ttl).await;
        refused.expect_err("out of bounds");
    }
    assert_eq!(
        says(gate, "é", &[("a", 2)], MAX_ANNOUNCED).await,
        reads(&[("a", 2)])
    );
}

/// A restart of the store forgets neither what may be written nor who is alive.
pub async fn gate_should_outlive_a_restart(harness: &impl Harness) {
    let gate = harness.fresh().await;
    says(&gate, "old", &[("a", 2)], LONG).await;
    let gate = harness.reopen(gate).await;
    assert_eq!(says(&gate, "new", &[("a", 3)], LONG).await, reads(&[("a", 2)]));
    gate.retire("old").await.expect("retired");
    gate.retire("new").await.expect("retired");
    let gate = harness.reopen(gate).await;
    assert_eq!(says(&gate, "older", &[("a", 1)], LONG).await, reads(&[("a", 2)]));
}
