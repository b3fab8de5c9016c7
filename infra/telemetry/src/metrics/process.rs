//! What every process tells about itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Seconds;
use super::catalogue::{Catalogue, What};
use super::labels::{Build, Ended, Incident, Lease};

/// Kinds of incidents that an alert is about.
const ALERTED: [&str; 2] = ["use_case_panicked", "append_repeated"];

/// One process.
#[derive(Clone)]
pub struct Process {
    build: Family<Build, Gauge>,
    ready: Gauge,
    incidents: Family<Incident, Counter>,
    lease_held: Family<Lease, Gauge>,
    clock_skew: Seconds,
    spans: Family<Ended, Counter>,
}

impl Process {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            build: Family::default(),
            ready: Gauge::default(),
            incidents: Family::default(),
            lease_held: Family::default(),
            clock_skew: Seconds::default(),
            spans: Family::default(),
        };
        // A counter that begins with its first incident would hide it from `increase`.
        for kind in ALERTED {
            drop(all.incidents.get_or_create(&Incident { kind }));
        }
        let what = |name, labels, help| What {
            name,
            labels,
            roles: "all",
            help,
        };
        c.gauge(
            what("build_info", &["role", "version"], "1, with what runs here"),
            &all.build,
        );
        c.gauge(
            what("ready", &[], "1 while `/health/ready` would answer 200"),
            &all.ready,
        );
        c.counter(
            what("incidents", &["kind"], "Things that should be rare"),
            &all.incidents,
        );
        c.gauge(
            What {
                name: "lease_held",
                labels: &["lease"],
                roles: "relay, sealer, projectors, workflows, watchers",
                help: "1 while this process holds the lease, 0 while it would take it",
            },
            &all.lease_held,
        );
        c.gauge(
            What {
                name: "clock_skew_seconds",
                labels: &[],
                roles: "command-api, workflows, watchers",
                help: "The log's clock less this process's clock, as the newest append told it",
            },
            &all.clock_skew,
        );
        c.counter(
            what(
                "spans",
                &["outcome"],
                "Spans handed to the collector: exported or failed",
            ),
            &all.spans,
        );
        all
    }

    /// What runs here.
    pub fn build(&self, role: &str, version: &str) {
        let (role, version) = (role.to_owned(), version.to_owned());
        self.build.get_or_create(&Build { role, version }).set(1);
    }

    /// Whether the process is ready.
    pub fn ready(&self, is_ready: bool) {
        self.ready.set(i64::from(is_ready));
    }

    /// Something rare happened.
    pub fn incident(&self, kind: &'static str) {
        self.incidents.get_or_create(&Incident { kind }).inc();
    }

    /// Whether this process holds a lease; `lease` is the lease's name.
    pub fn lease(&self, lease: &str, is_held: bool) {
        let lease = lease.to_owned();
        self.lease_held
            .get_or_create(&Lease { lease })
            .set(i64::from(is_held));
    }

    /// The log's clock less this process's clock, in microseconds.
    pub fn clock_skew(&self, micros: i64) {
        let size = super::seconds(micros.unsigned_abs());
        self.clock_skew
            .set(size.copysign(if micros < 0 { -1.0 } else { 1.0 }));
    }

    /// Spans were handed to the collector, or could not be.
    pub fn spans(&self, spans: usize, is_exported: bool) {
        let outcome = if is_exported { "exported" } else { "failed" };
        self.spans
            .get_or_create(&Ended { outcome })
            .inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
    }
}
