//! What moves events on: the relay, the consumers of the bus, the workflows, the chains.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::catalogue::{Catalogue, What};
use super::labels::{Chain, Ended, RecordOutcome, Shard, Workflow};
use super::{Seconds, count_u64, latency, seconds};

/// The relay and the consumers of the bus.
#[derive(Clone)]
pub struct Bus {
    lag_events: Family<Shard, Gauge>,
    lag_seconds: Family<Shard, Seconds>,
    published: Family<Shard, Counter>,
    publish_seconds: Histogram,
    records: Family<Ended, Counter>,
}

impl Bus {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            lag_events: Family::default(),
            lag_seconds: Family::default(),
            published: Family::default(),
            publish_seconds: latency(),
            records: Family::default(),
        };
        let relay = |name, labels, help| What {
            name,
            labels,
            roles: "relay",
            help,
        };
        c.gauge(
            relay(
                "relay_lag_events",
                &["shard"],
                "Events of the log that the broker has not acknowledged",
            ),
            &all.lag_events,
        );
        c.gauge(
            relay("relay_lag_seconds", &["shard"], "How old the oldest of them is"),
            &all.lag_seconds,
        );
        c.counter(
            relay("relay_events", &["shard"], "Events the broker acknowledged"),
            &all.published,
        );
        c.histogram(
            relay(
                "relay_publish_seconds",
                &[],
                "From sending a batch to the broker to its acknowledgement",
            ),
            &all.publish_seconds,
        );
        let consumers = What {
            name: "bus_records",
            labels: &["outcome"],
            roles: "projectors, workflows, watchers",
            help: "Records that consumers got: taken from the bus, duplicate, refilled from the log",
        };
        c.counter(consumers, &all.records);
        all
    }

    /// How far the relay is behind in the shards it relays, and in no others: shard, events, and the age of the oldest
    /// that waits, 0 when none does.
    pub fn relay(&self, lags: impl IntoIterator<Item = (u16, u64, u64)>) {
        self.lag_events.clear();
        self.lag_seconds.clear();
        for (shard, events, micros) in lags {
            let label = Shard { shard };
            self.lag_events.get_or_create(&label).set(count_u64(events));
            self.lag_seconds.get_or_create(&label).set(seconds(micros));
        }
    }

    /// The broker acknowledged events of a shard after `micros`.
    pub fn published(&self, shard: u16, events: u64, micros: u64) {
        self.published.get_or_create(&Shard { shard }).inc_by(events);
        self.publish_seconds.observe(seconds(micros));
    }

    /// A consumer got records.
    pub fn records(&self, outcome: RecordOutcome, records: u64) {
        let outcome = outcome.name();
        self.records.get_or_create(&Ended { outcome }).inc_by(records);
    }
}

/// Workflows.
#[derive(Clone)]
pub struct Work {
    lag: Family<Workflow, Gauge>,
}

impl Work {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            lag: Family::default(),
        };
        c.gauge(
            What {
                name: "workflow_lag_events",
                labels: &["workflow", "shard"],
                roles: "workflows, watchers",
                help: "Events of a shard a workflow has not taken yet",
            },
            &all.lag,
        );
        all
    }

    /// How far the workflows that run here are behind, and no others: workflow, shard, events.
    pub fn workflows<'a>(&self, lags: impl IntoIterator<Item = (&'a str, u16, u64)>) {
        self.lag.clear();
        for (workflow, shard, events) in lags {
            let workflow = workflow.to_owned();
            self.lag
                .get_or_create(&Workflow { workflow, shard })
                .set(count_u64(events));
        }
    }
}

/// The chains as they are watched.
#[derive(Clone)]
pub struct Chains {
    height: Family<Chain, Gauge>,
    finalized: Family<Chain, Gauge>,
    head_age: Family<Chain, Seconds>,
    failures: Family<Chain, Counter>,
}

impl Chains {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            height: Family::default(),
            finalized: Family::default(),
            head_age: Family::default(),
            failures: Family::default(),
        };
        let what = |name, help| What {
            name,
            labels: &["chain"],
            roles: "watchers, workflows",
            help,
        };
        c.gauge(what("chain_height", "The followed tip"), &all.height);
        c.gauge(
            what("chain_finalized", "The followed final block"),
            &all.finalized,
        );
        c.gauge(
            what("chain_head_age_seconds", "Since the tip was first seen"),
            &all.head_age,
        );
        c.counter(
            what("chain_node_failures", "Calls to the chain's node that failed"),
            &all.failures,
        );
        all
    }

    /// Where a chain stands; `age_micros` since its tip was first seen.
    pub fn head(&self, slug: &str, height: u64, finalized: u64, age_micros: u64) {
        let chain = slug.to_owned();
        let label = Chain { chain };
        self.height.get_or_create(&label).set(count_u64(height));
        self.finalized.get_or_create(&label).set(count_u64(finalized));
        self.head_age.get_or_create(&label).set(seconds(age_micros));
    }

    /// Calls to a chain's node failed; none at first, so that the first is an increase.
    pub fn node_failed(&self, slug: &str, calls: u64) {
        let chain = slug.to_owned();
        self.failures.get_or_create(&Chain { chain }).inc_by(calls);
    }
}
