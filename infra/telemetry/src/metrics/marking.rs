//! Marks: what is covered by them before it is signed, and whether anything may be signed.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::catalogue::{Catalogue, What};
use super::{count_u64, latency, seconds};

/// The marks of a process.
#[derive(Clone)]
pub struct Marking {
    number: Gauge,
    marks: Counter,
    binds: Counter,
    mark_seconds: Histogram,
    unwritten: Gauge,
    quarantined: Gauge,
}

impl Marking {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            number: Gauge::default(),
            marks: Counter::default(),
            binds: Counter::default(),
            mark_seconds: latency(),
            unwritten: Gauge::default(),
            quarantined: Gauge::default(),
        };
        let what = |name, roles, help| What {
            name,
            labels: &[],
            roles,
            help,
        };
        let signers = "watchers";
        c.gauge(
            what("mark_number", signers, "The newest mark kept from here"),
            &all.number,
        );
        c.counter(what("marks", signers, "Marks kept from here"), &all.marks);
        c.counter(
            what("marked_binds", signers, "Binds that marks kept from here cover"),
            &all.binds,
        );
        c.histogram(
            what(
                "mark_seconds",
                signers,
                "From the first bind that waits for a mark to its being kept",
            ),
            &all.mark_seconds,
        );
        c.gauge(
            what(
                "mark_unwritten",
                signers,
                "1 while nothing is signed because no mark can be kept or read",
            ),
            &all.unwritten,
        );
        c.gauge(
            what(
                "quarantined",
                "command-api, watchers",
                "1 while nothing is signed or sent because the log is behind its mark",
            ),
            &all.quarantined,
        );
        all
    }

    /// A mark was kept.
    pub fn marked(&self, number: u64, binds: usize, micros: u64) {
        self.number.set(count_u64(number));
        self.marks.inc();
        self.binds.inc_by(u64::try_from(binds).unwrap_or(u64::MAX));
        self.mark_seconds.observe(seconds(micros));
        self.unwritten.set(0);
    }

    /// Whether marks can be kept and read.
    pub fn unwritten(&self, is_unwritten: bool) {
        self.unwritten.set(i64::from(is_unwritten));
    }

    /// Whether the log is behind its mark.
    pub fn quarantined(&self, is_quarantined: bool) {
        self.quarantined.set(i64::from(is_quarantined));
    }
}
