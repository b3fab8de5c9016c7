//! What a soak prints: a line a kill, and one JSON object at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::options::Options;

/// Times to recover, of everything that was killed or of one role.
pub struct Times {
    ready: Histogram<u64>,
    first: Histogram<u64>,
}

impl Default for Times {
    fn default() -> Self {
        let new =
            || Histogram::new(3).unwrap_or_else(|error| unreachable!("three digits are allowed: {error}"));
        Self {
            ready: new(),
            first: new(),
        }
    }
}

/// The report so far.
#[derive(Default)]
pub struct Report {
    all: Times,
    by_role: BTreeMap<&'static str, Times>,
    kills: u32,
    killed_while_starting: u32,
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Times {
    fn take(&mut self, ready: Duration, first: Option<Duration>) {
        self.ready.saturating_record(ms(ready));
        if let Some(first) = first {
            self.first.saturating_record(ms(first));
        }
    }

    fn json(&self) -> Value {
        let of = |times: &Histogram<u64>| json!({ "p50": times.value_at_quantile(0.5), "p99": times.value_at_quantile(0.99), "max": times.max() });
        json!({ "readyMs": of(&self.ready), "firstCommandMs": of(&self.first) })
    }
}

impl Report {
    /// One that was killed, started again, and came up: how long from its start to ready, and to the first command that
    /// was acknowledged after the kill.
    pub fn recovered(
        &mut self,
        role: &'static str,
        lived: Duration,
        ready: Duration,
        first: Option<Duration>,
    ) {
        self.kills += 1;
        self.all.take(ready, first);
        self.by_role.entry(role).or_default().take(ready, first);
        let first = first.map_or_else(|| "not measured".to_owned(), |first| format!("{} ms", ms(first)));
        println!(
            "kill {}: {role} after {} ms; ready in {} ms, first command acknowledged {first} after the kill",
            self.kills,
            ms(lived),
            ms(ready)
        );
    }

    /// One that was killed before it had come up.
    pub fn killed_while_starting(&mut self, role: &'static str, lived: Duration) {
        self.kills += 1;
        self.killed_while_starting += 1;
        println!(
            "kill {}: {role} {} ms after its start, not ready yet",
            self.kills,
            ms(lived)
        );
    }

    /// How many were killed.
    pub const fn kills(&self) -> u32 {
        self.kills
    }

    /// Prints the end; whether the slowest was ready in time.
    pub fn print(&self, options: &Options, facts: &Value, slowest: Duration) -> bool {
        let is_met = self.all.ready.max() <= ms(slowest);
        let by_role: BTreeMap<_, _> = self
            .by_role
            .iter()
            .map(|(role, times)| (role, times.json()))
            .collect();
        let line = json!({
            "soak": options.to_string(), "kills": self.kills, "killedWhileStarting": self.killed_while_starting,
            "recovery": self.all.json(), "byRole": by_role, "targetReadyMs": ms(slowest), "met": is_met, "facts": facts,
        });
        println!("{line}");
        is_met
    }
}
