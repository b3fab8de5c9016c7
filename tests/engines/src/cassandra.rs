//! Apache Cassandra: one node that speaks CQL in the place of ScyllaDB.
//!
//! Set up for a quick start and a small heap: one token, no gossip to wait for, no snapshots of dropped tables. As in
//! production the log is synced every ten seconds, so a killed node has lost the last writes; with
//! `("commitlog_sync", "batch")` it has not. What only a real ScyllaDB can show (shards per core, its own
//! compaction) is not shown by it.

mod arguments;
mod settings;

use crate::data::Data;
use crate::place::Set;
use crate::server::{Plan, Server};
use crate::{java, port, variable, wire};
use anyhow::Result;
use arguments::arguments;
use settings::{LOGBACK, configuration};
use std::env;
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

const NAME: &str = "Cassandra";

/// A running Cassandra 5; dereferences to its [`Server`] for faults.
pub struct Cassandra {
    server: Server,
    contact_point: String,
}

impl Cassandra {
    /// One with default settings.
    ///
    /// # Errors
    /// It or Java 17 is absent, or it does not come up: then with the end of its log.
    pub fn start() -> Result<Self> {
        Self::with(&[])
    }

    /// One with top-level settings of `cassandra.yaml`, such as `("read_request_timeout", "500ms")`. Whoever gives
    /// `commitlog_sync` gives its period too, where it has one.
    ///
    /// # Errors
    /// As [`start`](Self::start); an unknown setting is named in the log.
    pub fn with(settings: &[(&str, &str)]) -> Result<Self> {
        let jars = Set::Cassandra.find()?;
        let java = java::home()?;
        port::retrying(|| {
            let mut data = Data::new(NAME, "KILL")?;
            let (address, storage) = (data.port()?, data.port()?);
            let text = configuration(data.path(), address, storage, settings);
            data.write("cassandra.yaml", &text)?;
            data.write("logback.xml", LOGBACK)?;
            let plan = Plan {
                name: NAME,
                program: java::program(&java),
                arguments: arguments(&jars, data.path()),
                address,
                answers: wire::cassandra,
                patience: Duration::from_secs(180),
                stop_signal: "TERM",
                end_signal: "KILL",
            };
            Ok(Self {
                server: Server::start(plan, data)?,
                contact_point: address.to_string(),
            })
        })
    }

    /// The one of this test process, or the runner's. Make your own keyspaces in it.
    ///
    /// # Panics
    /// There is none and none could be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cassandra> = OnceLock::new();
        SHARED.get_or_init(|| match env::var(variable::CQL) {
            Ok(contact_point) => Self {
                server: Server::given(NAME),
                contact_point,
            },
            Err(_) => match Self::start() {
                Ok(own) => Self {
                    server: own.server.for_all(),
                    ..own
                },
                Err(error) => panic!("{error:#}"),
            },
        })
    }

    /// `host:port` of the one node.
    #[must_use]
    pub fn contact_point(&self) -> String {
        self.contact_point.clone()
    }
}

impl Deref for Cassandra {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
