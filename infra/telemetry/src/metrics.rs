//! Metrics: what the platform counts and measures, under stable names with the prefix `vaultstream_`.
//!
//! Every role has the same registry and fills the groups that concern it; a metric nobody filled is not written. The
//! table of all of them is `docs/telemetry.md`, kept equal by a test.

mod catalogue;
mod door;
mod labels;
mod marking;
mod moving;
mod process;
mod reading;
mod sealing;
mod writing;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use catalogue::Catalogue;
pub use catalogue::{Described, Kind, table};
pub use door::{Door, Held};
pub use labels::{CacheOutcome, Outcome, RecordOutcome};
pub use marking::Marking;
pub use moving::{Bus, Chains, Work};
pub use process::Process;
pub use reading::{Hub, Views};
pub use sealing::Sealing;
pub use writing::Writing;

type Seconds = Gauge<f64, AtomicU64>;

/// All metrics, in groups. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Commands, appends, queues.
    pub writing: Writing,
    /// Requests, limits, sockets.
    pub door: Door,
    /// Views and rebuilds.
    pub views: Views,
    /// Caches and subscriptions.
    pub hub: Hub,
    /// The relay and the consumers of the bus.
    pub bus: Bus,
    /// The sealer.
    pub sealing: Sealing,
    /// Marks.
    pub marking: Marking,
    /// Workflows.
    pub work: Work,
    /// Chains.
    pub chains: Chains,
    /// The process itself.
    pub process: Process,
    registry: Arc<Registry>,
    described: Arc<[Described]>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let mut c = Catalogue::new();
        let writing = Writing::register(&mut c);
        let door = Door::register(&mut c);
        let views = Views::register(&mut c);
        let hub = Hub::register(&mut c);
        let bus = Bus::register(&mut c);
        let sealing = Sealing::register(&mut c);
        let marking = Marking::register(&mut c);
        let work = Work::register(&mut c);
        let chains = Chains::register(&mut c);
        let process = Process::register(&mut c);
        let (registry, described) = c.finish();
        Self {
            writing,
            door,
            views,
            hub,
            bus,
            sealing,
            marking,
            work,
            chains,
            process,
            registry: Arc::new(registry),
            described: described.into(),
        }
    }

    /// A command was answered after `micros`.
    pub fn command(&self, use_case: &'static str, outcome: Outcome, micros: u64) {
        self.writing.command(use_case, outcome, micros);
    }

    /// A batch of `commands` with `bytes` of events became durable after `micros`.
    pub fn append(&self, commands: usize, bytes: usize, micros: u64) {
        self.writing.append(commands, bytes, micros);
    }

    /// A request was answered after `micros`; `route` is the pattern, never the path.
    pub fn request(&self, method: &str, route: &str, status: u16, micros: u64) {
        self.door.request(method, route, status, micros);
    }

    /// Something rare happened.
    pub fn incident(&self, kind: &'static str) {
        self.process.incident(kind);
    }

    /// How far a view is behind.
    pub fn view(&self, view: &str, family: &str, events: u64, micros: u64, quarantined: usize) {
        self.views.view(view, family, events, micros, quarantined);
    }

    /// Where a chain stands; `age_micros` since its tip was first seen.
    pub fn chain(&self, slug: &str, height: u64, finalized: u64, age_micros: u64) {
        self.chains.head(slug, height, finalized, age_micros);
    }

    /// Every metric there is, in the order of the groups.
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Half a millisecond to 16 seconds.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 16))
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count_u64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
