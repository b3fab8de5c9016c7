//! What the doors tell: requests, limits, sockets.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::catalogue::{Catalogue, What};
use super::labels::{Limit, Request};
use super::{latency, seconds};

const DOORS: &str = "command-api, query-api";
const READERS: &str = "query-api";

/// Requests, limits and sockets.
#[derive(Clone)]
pub struct Door {
    requests: Family<Request, Counter>,
    request_seconds: Histogram,
    running: Gauge,
    limit_hits: Family<Limit, Counter>,
    sockets: Gauge,
}

/// Counts one more as long as it lives.
#[derive(Debug)]
pub struct Held(Gauge);

impl Held {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Door {
    pub(super) fn register(c: &mut Catalogue) -> Self {
        let all = Self {
            requests: Family::default(),
            request_seconds: latency(),
            running: Gauge::default(),
            limit_hits: Family::default(),
            sockets: Gauge::default(),
        };
        let what = |name, labels, roles, help| What {
            name,
            labels,
            roles,
            help,
        };
        c.counter(
            what(
                "http_requests",
                &["method", "route", "status"],
                "all",
                "Requests answered; the route is the pattern, never the path",
            ),
            &all.requests,
        );
        c.histogram(
            what("http_request_seconds", &[], "all", "From request to answer"),
            &all.request_seconds,
        );
        c.gauge(
            what("http_requests_running", &[], DOORS, "Requests being answered"),
            &all.running,
        );
        c.counter(
            what(
                "limit_hits",
                &["limit"],
                "all",
                "Times something was turned away, cut or put off by a limit, by the limit's name",
            ),
            &all.limit_hits,
        );
        c.gauge(what("sockets", &[], READERS, "Open WebSockets"), &all.sockets);
        all
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

    /// A request is being answered until what this gives is dropped.
    pub fn running(&self) -> Held {
        Held::new(&self.running)
    }

    /// A socket was opened, or has ended.
    pub fn socket(&self, is_open: bool) {
        if is_open {
            self.sockets.inc();
        } else {
            self.sockets.dec();
        }
    }

    /// A limit was met so often; `limit` is a name in the code, such as `rate-limited`. None at first, so that the first
    /// time is an increase.
    pub fn limit(&self, limit: &'static str, times: u64) {
        self.limit_hits.get_or_create(&Limit { limit }).inc_by(times);
    }
}
