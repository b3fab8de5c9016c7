//! Metrics: what the platform counts and measures, under stable names with the prefix `vaultstream_`.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// It had its effect.
    Committed,
    /// It had had its effect before.
    Unchanged,
    /// It was refused by the domain.
    Refused,
    /// It failed.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Command {
    use_case: &'static str,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct View {
    view: String,
    family: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Chain {
    chain: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Incident {
    kind: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// All metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    commands: Family<Command, Counter>,
    command_seconds: Histogram,
    append_seconds: Histogram,
    append_commands: Histogram,
    requests: Family<Request, Counter>,
    request_seconds: Histogram,
    incidents: Family<Incident, Counter>,
    view_lag_events: Family<View, Gauge>,
    view_lag_seconds: Family<View, Seconds>,
    view_quarantined: Family<View, Gauge>,
    chain_height: Family<Chain, Gauge>,
    chain_finalized: Family<Chain, Gauge>,
    chain_head_age: Family<Chain, Seconds>,
    registry: std::sync::Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let latency = || Histogram::new(exponential_buckets(0.000_5, 2.0, 16));
        let mut metrics = Self {
            commands: Family::default(),
            command_seconds: latency(),
            append_seconds: latency(),
            append_commands: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            requests: Family::default(),
            request_seconds: latency(),
            incidents: Family::default(),
            view_lag_events: Family::default(),
            view_lag_seconds: Family::default(),
            view_quarantined: Family::default(),
            chain_height: Family::default(),
            chain_finalized: Family::default(),
            chain_head_age: Family::default(),
            registry: std::sync::Arc::default(),
        };
        metrics.registry = std::sync::Arc::new(metrics.register());
        metrics
    }

    fn register(&self) -> Registry {
        let mut r = Registry::with_prefix("vaultstream");
        r.register(
            "commands",
            "Commands answered, by use case and outcome",
            self.commands.clone(),
        );
        r.register_with_unit(
            "command",
            "From queue to answer",
            Unit::Seconds,
            self.command_seconds.clone(),
        );
        r.register_with_unit(
            "append",
            "From sending a batch to its answer",
            Unit::Seconds,
            self.append_seconds.clone(),
        );
        r.register(
            "append_commands",
            "Commands of a batch",
            self.append_commands.clone(),
        );
        r.register(
            "http_requests",
            "Requests answered, by route and status",
            self.requests.clone(),
        );
        r.register_with_unit(
            "http_request",
            "From request to answer",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        r.register(
            "incidents",
            "Things that should be rare, by kind",
            self.incidents.clone(),
        );
        r.register(
            "view_lag_events",
            "Events a view has not folded yet",
            self.view_lag_events.clone(),
        );
        r.register_with_unit(
            "view_lag",
            "How old a view is",
            Unit::Seconds,
            self.view_lag_seconds.clone(),
        );
        r.register(
            "view_quarantined",
            "Streams a view could not fold",
            self.view_quarantined.clone(),
        );
        r.register("chain_height", "The followed tip", self.chain_height.clone());
        r.register(
            "chain_finalized",
            "The followed final block",
            self.chain_finalized.clone(),
        );
        r.register_with_unit(
            "chain_head_age",
            "Since the tip was first seen",
            Unit::Seconds,
            self.chain_head_age.clone(),
        );
        r
    }

    /// A command was answered after `micros`.
    pub fn command(&self, use_case: &'static str, outcome: Outcome, micros: u64) {
        self.commands.get_or_create(&Command { use_case, outcome }).inc();
        self.command_seconds.observe(seconds(micros));
    }

    /// A batch became durable after `micros`.
    pub fn append(&self, commands: usize, micros: u64) {
        self.append_seconds.observe(seconds(micros));
        self.append_commands
            .observe(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
    }

    /// A request was answered after `micros`; `route` is the pattern, never the path.
    pub fn request(&self, method: &str, route: &str, status: u16, micros: u64) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.requests
            .get_or_create(&Request {
                method,
                route,
                status,
            })
            .inc();
        self.request_seconds.observe(seconds(micros));
    }

    /// Something rare happened.
    pub fn incident(&self, kind: &'static str) {
        self.incidents.get_or_create(&Incident { kind }).inc();
    }

    /// How far a view is behind.
    pub fn view(&self, view: &str, family: &str, events: u64, micros: u64, quarantined: usize) {
        let label = View {
            view: view.to_owned(),
            family: family.to_owned(),
        };
        self.view_lag_events
            .get_or_create(&label)
            .set(i64::try_from(events).unwrap_or(i64::MAX));
        self.view_lag_seconds.get_or_create(&label).set(seconds(micros));
        self.view_quarantined
            .get_or_create(&label)
            .set(i64::try_from(quarantined).unwrap_or(i64::MAX));
    }

    /// Where a chain stands; `age_micros` since its tip was first seen.
    pub fn chain(&self, slug: &str, height: u64, finalized: u64, age_micros: u64) {
        let label = Chain {
            chain: slug.to_owned(),
        };
        self.chain_height
            .get_or_create(&label)
            .set(i64::try_from(height).unwrap_or(i64::MAX));
        self.chain_finalized
            .get_or_create(&label)
            .set(i64::try_from(finalized).unwrap_or(i64::MAX));
        self.chain_head_age.get_or_create(&label).set(seconds(age_micros));
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_should_name_what_was_counted() {
        let metrics = Metrics::new();
        metrics.command("transfer.request", Outcome::Committed, 1_500);
        metrics.request("POST", "/v1/transfers", 202, 2_000);
        metrics.view("transfers", "eth_sandbox", 3, 2_000_000, 0);
        let text = metrics.text();
        for line in [
            "vaultstream_commands_total{use_case=\"transfer.request\",outcome=\"Committed\"} 1",
            "vaultstream_http_requests_total{method=\"POST\",route=\"/v1/transfers\",status=\"202\"} 1",
            "vaultstream_view_lag_seconds{view=\"transfers\",family=\"eth_sandbox\"} 2.0",
        ] {
            assert!(text.contains(line), "{line} missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
