//! What the reading side tells: views, rebuilds, caches, the hub.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::catalogue::{Catalogue, What};
use super::labels::{CacheOutcome, Cached, Shard, View, ViewShard};
use super::{Seconds, count, count_u64, latency, seconds};

const FOLDERS: &str = "projectors";
const DOORS: &str = "command-api, query-api";
const READERS: &str = "query-api";
const BOTH: &str = "projectors, query-api";

/// Views as they are kept and as they are seen.
#[derive(Clone)]
pub struct Views {
    lag_events: Family<View, Gauge>,
    lag_seconds: Family<View, Seconds>,
    quarantined: Family<View, Gauge>,
    shard_lag: Family<ViewShard, Gauge>,
    folded: Family<Shard, Counter>,
    rows: Counter,
    flush_seconds: Histogram,
    generation: Family<View, Gauge>,
    healed: Family<View, Counter>,
    rebuild_events: Family<View, Counter>,
    rebuilds_running: Family<View, Gauge>,
}

impl Views {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            lag_events: Family::default(),
            lag_seconds: Family::default(),
            quarantined: Family::default(),
            shard_lag: Family::default(),
            folded: Family::default(),
            rows: Counter::default(),
            flush_seconds: latency(),
            generation: Family::default(),
            healed: Family::default(),
            rebuild_events: Family::default(),
            rebuilds_running: Family::default(),
        };
        let what = |name, labels, roles, help| What {
            name,
            labels,
            roles,
            help,
        };
        let view = &["view", "family"];
        c.gauge(
            what("view_lag_events", view, BOTH, "Events a view has not folded yet"),
            &all.lag_events,
        );
        c.gauge(
            what(
                "view_lag_seconds",
                view,
                BOTH,
                "How long the oldest of them has waited; 0 when none waits",
            ),
            &all.lag_seconds,
        );
        c.gauge(
            what("view_quarantined", view, BOTH, "Streams a view could not fold"),
            &all.quarantined,
        );
        c.gauge(
            what(
                "view_generation",
                view,
                BOTH,
                "The generation of a view that is read",
            ),
            &all.generation,
        );
        c.counter(
            what(
                "view_healed_streams",
                view,
                FOLDERS,
                "Parked streams that were folded again because an operator asked for it",
            ),
            &all.healed,
        );
        c.gauge(
            what(
                "projector_lag_events",
                &["view", "shard"],
                FOLDERS,
                "Events of a shard a view has not folded yet",
            ),
            &all.shard_lag,
        );
        c.counter(
            what(
                "projector_events",
                &["shard"],
                FOLDERS,
                "Events given to the views",
            ),
            &all.folded,
        );
        c.counter(
            what(
                "projector_rows",
                &[],
                FOLDERS,
                "Rows written to the view store by what follows the log",
            ),
            &all.rows,
        );
        c.histogram(
            what(
                "projector_flush_seconds",
                &[],
                FOLDERS,
                "One flush to the view store",
            ),
            &all.flush_seconds,
        );
        c.counter(
            what("rebuild_events", view, FOLDERS, "Events folded by rebuilds"),
            &all.rebuild_events,
        );
        c.gauge(
            what("rebuilds_running", view, FOLDERS, "Rebuilds under way"),
            &all.rebuilds_running,
        );
        all
    }

    /// How far a view is behind, over all shards of a family.
    pub fn view(&self, view: &str, family: &str, events: u64, micros: u64, quarantined: usize) {
        let label = label(view, family);
        self.lag_events.get_or_create(&label).set(count_u64(events));
        self.lag_seconds.get_or_create(&label).set(seconds(micros));
        self.quarantined.get_or_create(&label).set(count(quarantined));
    }

    /// Which generation of a view is read.
    pub fn generation(&self, view: &str, family: &str, generation: u32) {
        self.generation
            .get_or_create(&label(view, family))
            .set(i64::from(generation));
    }

    /// Parked streams were folded again; none when the projector begins.
    pub fn retried(&self, view: &str, family: &str, healed: u64) {
        self.healed.get_or_create(&label(view, family)).inc_by(healed);
    }

    /// How far views are behind in the shards that are folded here, and in no others: view, shard, events.
    pub fn shards<'a>(&self, lags: impl IntoIterator<Item = (&'a str, u16, u64)>) {
        self.shard_lag.clear();
        for (view, shard, events) in lags {
            let view = view.to_owned();
            self.shard_lag
                .get_or_create(&ViewShard { view, shard })
                .set(count_u64(events));
        }
    }

    /// Events of a shard were given to the views.
    pub fn folded(&self, shard: u16, events: usize) {
        self.folded
            .get_or_create(&Shard { shard })
            .inc_by(u64::try_from(events).unwrap_or(u64::MAX));
    }

    /// Rows were written after `micros`.
    pub fn flushed(&self, rows: usize, micros: u64) {
        self.rows.inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
        self.flush_seconds.observe(seconds(micros));
    }

    /// A rebuild began or ended.
    pub fn rebuilding(&self, view: &str, family: &str, is_running: bool) {
        self.rebuilds_running
            .get_or_create(&label(view, family))
            .set(i64::from(is_running));
    }

    /// A rebuild folded more events; none when it begins.
    pub fn rebuilt(&self, view: &str, family: &str, events: u64) {
        self.rebuild_events
            .get_or_create(&label(view, family))
            .inc_by(events);
    }
}

fn label(view: &str, family: &str) -> View {
    View {
        view: view.to_owned(),
        family: family.to_owned(),
    }
}

/// Caches and the hub of subscriptions.
#[derive(Clone)]
pub struct Hub {
    cache: Family<Cached, Counter>,
    subscribers: Gauge,
    topics: Gauge,
    lag_events: Family<Shard, Gauge>,
    items: Counter,
    delivery_seconds: Histogram,
    laps: Counter,
}

impl Hub {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            cache: Family::default(),
            subscribers: Gauge::default(),
            topics: Gauge::default(),
            lag_events: Family::default(),
            items: Counter::default(),
            delivery_seconds: latency(),
            laps: Counter::default(),
        };
        let what = |name, labels, help| What {
            name,
            labels,
            roles: READERS,
            help,
        };
        c.counter(
            What {
                roles: DOORS,
                ..what(
                    "cache_requests",
                    &["cache", "outcome"],
                    "Look-ups in a cache: hit, miss or failed",
                )
            },
            &all.cache,
        );
        c.gauge(
            what("hub_subscribers", &[], "Subscriptions that are open"),
            &all.subscribers,
        );
        c.gauge(what("hub_topics", &[], "Topics somebody reads"), &all.topics);
        c.gauge(
            what(
                "hub_lag_events",
                &["shard"],
                "Events of the log that were not handed out yet",
            ),
            &all.lag_events,
        );
        c.counter(what("hub_items", &[], "Items handed out to topics"), &all.items);
        c.histogram(
            what(
                "hub_delivery_seconds",
                &[],
                "From an event's clock to its handing out",
            ),
            &all.delivery_seconds,
        );
        c.counter(
            what(
                "hub_laps",
                &[],
                "Times a slow reader fell out of its ring and went back to the log",
            ),
            &all.laps,
        );
        all
    }

    /// A cache was asked; `cache` is a name in the code.
    pub fn cache(&self, cache: &'static str, outcome: CacheOutcome) {
        let outcome = outcome.name();
        self.cache.get_or_create(&Cached { cache, outcome }).inc();
    }

    /// How many read.
    pub fn readers(&self, subscribers: usize, topics: usize) {
        self.subscribers.set(count(subscribers));
        self.topics.set(count(topics));
    }

    /// How far the hub is behind the log in a shard.
    pub fn behind(&self, shard: u16, events: u64) {
        self.lag_events
            .get_or_create(&Shard { shard })
            .set(count_u64(events));
    }

    /// An item went out, `micros` after its event's clock.
    pub fn handed_out(&self, micros: u64) {
        self.items.inc();
        self.delivery_seconds.observe(seconds(micros));
    }

    /// A reader fell out of its ring.
    pub fn lapped(&self) {
        self.laps.inc();
    }
}
