//! What the writing side tells: commands, appends, queues.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use super::catalogue::{Catalogue, What};
use super::labels::{Command, Outcome, Queue};
use super::{count, latency, seconds};

const WRITERS: &str = "command-api, workflows, watchers";

/// Commands and the appends they become.
#[derive(Clone)]
pub struct Writing {
    commands: Family<Command, Counter>,
    command_seconds: Histogram,
    append_seconds: Histogram,
    append_commands: Histogram,
    append_bytes: Histogram,
    queue_entries: Family<Queue, Gauge>,
    queue_limit: Family<Queue, Gauge>,
}

impl Writing {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            commands: Family::default(),
            command_seconds: latency(),
            append_seconds: latency(),
            append_commands: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            append_bytes: Histogram::new(exponential_buckets(256.0, 4.0, 8)),
            queue_entries: Family::default(),
            queue_limit: Family::default(),
        };
        let what = |name, labels, help| What {
            name,
            labels,
            roles: WRITERS,
            help,
        };
        c.counter(
            what("commands", &["use_case", "outcome"], "Commands answered"),
            &all.commands,
        );
        c.histogram(
            what(
                "command_seconds",
                &[],
                "From a command's arrival in the queue to its answer",
            ),
            &all.command_seconds,
        );
        c.histogram(
            what(
                "append_seconds",
                &[],
                "From sending a batch to the log to its answer",
            ),
            &all.append_seconds,
        );
        c.histogram(
            what("append_commands", &[], "Commands of one batch"),
            &all.append_commands,
        );
        c.histogram(
            what("append_bytes", &[], "Bytes of events of one batch"),
            &all.append_bytes,
        );
        let every = |name, labels, help| What {
            name,
            labels,
            roles: "all",
            help,
        };
        c.gauge(
            every(
                "queue_entries",
                &["queue"],
                "Entries that wait in a bounded queue",
            ),
            &all.queue_entries,
        );
        c.gauge(
            every("queue_limit", &["queue"], "Entries that may wait in it"),
            &all.queue_limit,
        );
        all
    }

    /// A command was answered after `micros`.
    pub fn command(&self, use_case: &'static str, outcome: Outcome, micros: u64) {
        self.commands.get_or_create(&Command { use_case, outcome }).inc();
        self.command_seconds.observe(seconds(micros));
    }

    /// A batch of `commands` with `bytes` of events became durable after `micros`.
    pub fn append(&self, commands: usize, bytes: usize, micros: u64) {
        self.append_seconds.observe(seconds(micros));
        self.append_commands.observe(as_float(commands));
        self.append_bytes.observe(as_float(bytes));
    }

    /// How full a bounded queue is; `queue` is a name in the code, such as `executor`.
    pub fn queue(&self, queue: &'static str, entries: usize, limit: usize) {
        self.queue_entries
            .get_or_create(&Queue { queue })
            .set(count(entries));
        self.queue_limit.get_or_create(&Queue { queue }).set(count(limit));
    }
}

fn as_float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
