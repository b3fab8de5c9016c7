//! The list of all metrics: what is registered is described in the same breath, so the two cannot differ.
//!
//! A name is given without the prefix; one that ends in `_seconds` is registered with that unit. Descriptions are what
//! `docs/telemetry.md` shows and what rules and dashboards are checked against.

use prometheus_client::registry::{Metric, Registry, Unit};

/// The prefix of every name.
const PREFIX: &str = "vaultstream";

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; its sample ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Its samples end in `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What is said of a metric where it is registered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct What {
    /// Without the prefix, and without `_total`.
    pub(crate) name: &'static str,
    pub(crate) labels: &'static [&'static str],
    /// The roles that fill it.
    pub(crate) roles: &'static str,
    pub(crate) help: &'static str,
}

/// A metric as an operator reads about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The whole name, without the ending of a sample.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// The roles that fill it.
    pub roles: &'static str,
    /// What it says.
    pub help: &'static str,
}

impl Described {
    /// The names of its samples, as a query names them.
    pub fn samples(&self) -> Vec<String> {
        let endings: &[&str] = match self.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
        };
        endings.iter().map(|end| format!("{}{end}", self.name)).collect()
    }

    /// Its row in `docs/telemetry.md`.
    fn row(&self) -> String {
        let labels = match self.labels {
            [] => "–".to_owned(),
            labels => labels
                .iter()
                .map(|l| format!("`{l}`"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let name = match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.clone(),
        };
        format!(
            "| `{name}` | {} | {labels} | {} | {} |",
            self.kind.name(),
            self.roles,
            self.help
        )
    }
}

/// Registers and describes.
pub(crate) struct Catalogue {
    registry: Registry,
    described: Vec<Described>,
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        Self {
            registry: Registry::with_prefix(PREFIX),
            described: Vec::new(),
        }
    }

    pub(crate) fn counter(&mut self, what: What, metric: &(impl Metric + Clone)) {
        self.add(Kind::Counter, what, metric);
    }

    pub(crate) fn gauge(&mut self, what: What, metric: &(impl Metric + Clone)) {
        self.add(Kind::Gauge, what, metric);
    }

    pub(crate) fn histogram(&mut self, what: What, metric: &(impl Metric + Clone)) {
        self.add(Kind::Histogram, what, metric);
    }

    fn add(&mut self, kind: Kind, what: What, metric: &(impl Metric + Clone)) {
        match what.name.strip_suffix("_seconds") {
            Some(name) => self
                .registry
                .register_with_unit(name, what.help, Unit::Seconds, metric.clone()),
            None => self.registry.register(what.name, what.help, metric.clone()),
        }
        self.described.push(Described {
            name: format!("{PREFIX}_{}", what.name),
            kind,
            labels: what.labels,
            roles: what.roles,
            help: what.help,
        });
    }

    pub(crate) fn finish(self) -> (Registry, Vec<Described>) {
        (self.registry, self.described)
    }
}

/// The table of all metrics as Markdown.
pub fn table(described: &[Described]) -> String {
    let mut text =
        String::from("| metric | kind | labels | roles | what it says |\n| --- | --- | --- | --- | --- |\n");
    for one in described {
        text.push_str(&one.row());
        text.push('\n');
    }
    text
}
