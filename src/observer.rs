//! Turns the kernel's facts into metrics; logs stay with the kernel's own observer.

use vaultstream_infra_telemetry::{Metrics, Outcome, RecordOutcome};
use vaultstream_kernel::observer::Ended;
use vaultstream_kernel::{Fact, Observer, TracingObserver};

/// Counts and logs facts.
pub struct Observed(pub Metrics);

impl Observer for Observed {
    fn observe(&self, fact: &Fact<'_>) {
        match fact {
            Fact::Executed {
                use_case,
                ended,
                micros,
            } => {
                let outcome = match ended {
                    Ended::Committed => Outcome::Committed,
                    Ended::Unchanged => Outcome::Unchanged,
                    Ended::Failed(code) if code.http_status() < 500 => Outcome::Refused,
                    Ended::Failed(_) => Outcome::Failed,
                };
                self.0.command(use_case, outcome, *micros);
            }
            Fact::Appended {
                commands,
                bytes,
                micros,
            } => self.0.append(*commands, *bytes, *micros),
            Fact::Published {
                shard,
                events,
                micros,
            } => {
                let events = u64::try_from(*events).unwrap_or(u64::MAX);
                self.0.bus.published(shard.0, events, *micros);
            }
            Fact::Overloaded { .. } => self.0.incident("executor_overloaded"),
            Fact::Conflicted { .. } => self.0.incident("append_conflict"),
            Fact::AppendRepeated { .. } => self.0.incident("append_repeated"),
            Fact::Panicked { .. } => self.0.incident("use_case_panicked"),
            Fact::SnapshotLost { .. } => self.0.incident("snapshot_lost"),
            Fact::Refilled { events, .. } => {
                let events = u64::try_from(*events).unwrap_or(u64::MAX);
                self.0.bus.records(RecordOutcome::Refilled, events);
                self.0.incident("bus_refilled");
            }
            Fact::Stalled { .. } => self.0.incident("consumer_stalled"),
        }
        TracingObserver.observe(fact);
    }
}
