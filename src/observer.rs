//! Turns facts of the rooms into metrics; the kernel's are logged too.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use vaultstream_event_schemas::{ErrorCode, ShardNumber};
use vaultstream_infra_telemetry::{Metrics, Outcome, RecordOutcome};
use vaultstream_kernel::observer::Ended;
use vaultstream_kernel::{Fact, Observer, TracingObserver};
use vaultstream_projectors::Fact as ViewFact;
use vaultstream_query_api::Fact as QueryFact;
use vaultstream_query_api::observer::SocketLimit;

/// Where the workflows that run here stand: by name and shard.
pub type Standing = BTreeMap<(String, ShardNumber), u64>;

/// Counts and logs facts.
pub struct Observed {
    /// What is counted.
    pub metrics: Metrics,
    standing: Mutex<Standing>,
    /// Why nothing is sealed, by who found it.
    refused: Mutex<BTreeMap<&'static str, String>>,
}

impl Observed {
    /// Nothing has happened yet.
    pub fn new(metrics: Metrics) -> Self {
        let codes = ErrorCode::ALL.iter().filter_map(|code| limit_of(*code));
        for limit in codes.chain(SocketLimit::ALL.map(limit_of_socket)) {
            metrics.door.limit(limit, 0);
        }
        Self {
            metrics,
            standing: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Where the workflows that run here stand.
    pub fn standing(&self) -> Standing {
        self.standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Why nothing is sealed, when nothing is.
    pub fn seal_refused(&self) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.values().next().cloned()
    }

    fn refuses(&self, by: &'static str, why: Option<&str>) {
        self.metrics.sealing.refused(by, why.is_some());
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => refused.insert(by, why.to_owned()),
            None => refused.remove(by),
        };
    }

    fn consumed(&self, consumer: &str, shard: ShardNumber, position: Option<u64>) {
        // `reactor/<name>/<shard>`: other consumers tell of themselves.
        let name = consumer
            .strip_prefix("reactor/")
            .and_then(|id| id.split('/').next());
        let Some(name) = name else { return };
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), shard);
        match position {
            Some(position) => standing.insert(key, position),
            None => standing.remove(&key),
        };
    }
}

/// The name of a limit that a refusal says was met; none for other refusals.
pub const fn limit_of(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::RateLimited
        | ErrorCode::Overloaded
        | ErrorCode::BodyTooLarge
        | ErrorCode::QueryTooComplex
        | ErrorCode::LimitReached
        | ErrorCode::FaucetLimit
        | ErrorCode::Timeout => Some(code.as_str()),
        _ => None,
    }
}

const fn limit_of_socket(limit: SocketLimit) -> &'static str {
    match limit {
        SocketLimit::Introduction => "socket-introduction",
        SocketLimit::MessageSize => "socket-message-size",
        SocketLimit::Messages => "socket-messages",
        SocketLimit::Sockets => "sockets",
        SocketLimit::Patience => "socket-patience",
    }
}

impl Observer for Observed {
    fn observe(&self, fact: &Fact<'_>) {
        let metrics = &self.metrics;
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
                metrics.command(use_case, outcome, *micros);
            }
            Fact::Appended {
                commands,
                bytes,
                micros,
            } => metrics.append(*commands, *bytes, *micros),
            Fact::Clock { ahead_us } => metrics.process.clock_skew(*ahead_us),
            Fact::Published {
                shard,
                events,
                micros,
            } => metrics.bus.published(shard.0, number(*events), *micros),
            Fact::Fetched { taken, duplicate } => {
                metrics.bus.records(RecordOutcome::Taken, number(*taken));
                metrics.bus.records(RecordOutcome::Duplicate, number(*duplicate));
            }
            Fact::Consumed {
                consumer,
                shard,
                position,
            } => self.consumed(consumer, *shard, *position),
            Fact::Sealed {
                number,
                events,
                micros,
            } => metrics.sealing.sealed(*number, *events, *micros),
            Fact::SealRefused { by, why, .. } => self.refuses(by, Some(why)),
            Fact::SealStands { by } => self.refuses(by, None),
            Fact::Marked {
                number: mark,
                binds,
                micros,
            } => metrics.marking.marked(*mark, *binds, *micros),
            Fact::MarkUnwritten { .. } | Fact::MarkUnread { .. } => metrics.marking.unwritten(true),
            Fact::MarksBegun => metrics.incident("marks_begun"),
            Fact::Rewound { why } => {
                metrics.marking.quarantined(why.is_some());
                metrics.marking.unwritten(false);
            }
            Fact::Leased { lease, is_held } => metrics.process.lease(lease, *is_held),
            Fact::Refilled { events, .. } => {
                metrics.bus.records(RecordOutcome::Refilled, number(*events));
                metrics.incident("bus_refilled");
            }
            Fact::Overloaded { .. } => metrics.incident("executor_overloaded"),
            Fact::Conflicted { .. } => metrics.incident("append_conflict"),
            Fact::AppendRepeated { .. } => metrics.incident("append_repeated"),
            Fact::Panicked { .. } => metrics.incident("use_case_panicked"),
            Fact::SnapshotLost { .. } => metrics.incident("snapshot_lost"),
            Fact::Stalled { .. } => metrics.incident("consumer_stalled"),
        }
        TracingObserver.observe(fact);
    }
}

impl vaultstream_projectors::Observer for Observed {
    fn observe(&self, fact: &ViewFact<'_>) {
        let views = &self.metrics.views;
        match fact {
            ViewFact::Folded { shard, events } => views.folded(shard.0, *events),
            ViewFact::Flushed { rows, micros } => views.flushed(*rows, *micros),
            ViewFact::Rebuilding {
                view,
                family,
                is_running,
            } => {
                let family = family.to_string();
                views.rebuilding(view.as_str(), &family, *is_running);
                views.rebuilt(view.as_str(), &family, 0);
                views.retried(view.as_str(), &family, 0);
            }
            ViewFact::Retried { view, family, healed } => {
                views.retried(view.as_str(), &family.to_string(), *healed);
            }
            ViewFact::Rebuilt { view, family, events } => {
                views.rebuilt(view.as_str(), &family.to_string(), number(*events));
            }
        }
    }
}

impl vaultstream_query_api::Observer for Observed {
    fn observe(&self, fact: QueryFact) {
        let metrics = &self.metrics;
        match fact {
            QueryFact::SocketOpened => metrics.door.socket(true),
            QueryFact::SocketClosed(limit) => {
                metrics.door.socket(false);
                if let Some(limit) = limit {
                    metrics.door.limit(limit_of_socket(limit), 1);
                }
            }
            QueryFact::Refused(code) => {
                if let Some(limit) = limit_of(code) {
                    metrics.door.limit(limit, 1);
                }
            }
            QueryFact::HandedOut { micros } => metrics.hub.handed_out(micros),
            QueryFact::Lapped => metrics.hub.lapped(),
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
