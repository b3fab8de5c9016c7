//! Checkpoints: what is signed, what waits for it, and whether anything is refused.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::catalogue::{Catalogue, What};
use super::labels::Found;
use super::{Seconds, count_u64, latency, seconds};

/// The sealer.
#[derive(Clone)]
pub struct Sealing {
    number: Gauge,
    events: Counter,
    seal_seconds: Histogram,
    unsealed: Gauge,
    lag_seconds: Seconds,
    refused: Family<Found, Gauge>,
}

impl Sealing {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            number: Gauge::default(),
            events: Counter::default(),
            seal_seconds: latency(),
            unsealed: Gauge::default(),
            lag_seconds: Seconds::default(),
            refused: Family::default(),
        };
        let what = |name, labels, help| What {
            name,
            labels,
            roles: "sealer",
            help,
        };
        c.gauge(
            what("checkpoint_number", &[], "The newest checkpoint signed here"),
            &all.number,
        );
        c.counter(what("sealed_events", &[], "Events sealed here"), &all.events);
        c.histogram(
            what(
                "seal_seconds",
                &[],
                "From the look for new events to the checkpoint being kept",
            ),
            &all.seal_seconds,
        );
        c.gauge(
            what("unsealed_events", &[], "Events that no checkpoint covers"),
            &all.unsealed,
        );
        c.gauge(
            what(
                "seal_lag_seconds",
                &[],
                "How old the newest checkpoint is while there are such events",
            ),
            &all.lag_seconds,
        );
        c.gauge(
            what(
                "seal_refused",
                &["by"],
                "1 while nothing is signed because the log contradicts a checkpoint: found by sealer or recheck",
            ),
            &all.refused,
        );
        all
    }

    /// A checkpoint was signed.
    pub fn sealed(&self, number: u64, events: u64, micros: u64) {
        self.number.set(count_u64(number));
        self.events.inc_by(events);
        self.seal_seconds.observe(seconds(micros));
    }

    /// What waits: events, and how long the newest checkpoint is ago while there are some.
    pub fn waits(&self, events: u64, micros: u64) {
        self.unsealed.set(count_u64(events));
        self.lag_seconds.set(seconds(micros));
    }

    /// Whether nothing is signed, by who found out why.
    pub fn refused(&self, by: &'static str, is_refused: bool) {
        self.refused
            .get_or_create(&Found { by })
            .set(i64::from(is_refused));
    }
}
