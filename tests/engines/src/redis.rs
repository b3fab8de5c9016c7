//! Redis from the system, with an append-only file so that a restart keeps the data.

use crate::data::Data;
use crate::server::{Plan, Server};
use crate::{port, variable, wire};
use anyhow::{Context, Result};
use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

const NAME: &str = "Redis";
const PROGRAM: &str = "redis-server";

/// A running Redis; dereferences to its [`Server`] for faults.
pub struct Redis {
    server: Server,
    url: String,
}

impl Redis {
    /// One with default settings.
    ///
    /// # Errors
    /// It is not installed, or does not come up: then with the end of its log.
    pub fn start() -> Result<Self> {
        Self::with(&[])
    }

    /// One with settings of `redis.conf`, such as `("maxmemory", "64mb")`.
    ///
    /// # Errors
    /// As [`start`](Self::start); an unknown setting is named in the log.
    pub fn with(settings: &[(&str, &str)]) -> Result<Self> {
        let program = program().context("no redis-server on the PATH: run `cargo xtask doctor --install`")?;
        port::retrying(|| {
            let mut data = Data::new(NAME, "KILL")?;
            let address = data.port()?;
            let plan = plan(program.clone(), data.path(), address, settings);
            Ok(Self {
                server: Server::start(plan, data)?,
                url: format!("redis://{address}/"),
            })
        })
    }

    /// The one of this test process, or the runner's. Put your own prefix before your keys.
    ///
    /// # Panics
    /// There is none and none could be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| match env::var(variable::REDIS) {
            Ok(url) => Self {
                server: Server::given(NAME),
                url,
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

    /// `redis://127.0.0.1:PORT/`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Deref for Redis {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(PROGRAM))
        .find(|file| file.is_file())
}

fn plan(program: PathBuf, dir: &Path, address: SocketAddr, settings: &[(&str, &str)]) -> Plan {
    let port = address.port().to_string();
    let dir = dir.to_string_lossy();
    let ours = [
        ("port", port.as_str()),
        ("bind", "127.0.0.1"),
        ("dir", &dir),
        ("daemonize", "no"),
        ("save", ""),
        ("appendonly", "yes"),
    ];
    let arguments = ours
        .iter()
        .chain(settings)
        .flat_map(|(name, value)| [OsString::from(format!("--{name}")), (*value).into()])
        .collect();
    Plan {
        name: NAME,
        program,
        arguments,
        address,
        answers: wire::redis,
        patience: Duration::from_secs(30),
        stop_signal: "TERM",
        end_signal: "KILL",
    }
}
