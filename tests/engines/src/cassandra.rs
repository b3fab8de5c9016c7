//! Apache Cassandra: one node that speaks CQL in the place of ScyllaDB.
//!
//! Set up for a quick start and a small heap: one token, no gossip to wait for, no snapshots of dropped tables. As in
//! production the log is synced every ten seconds, so a killed node has lost the last writes; with
//! `("commitlog_sync", "batch")` it has not. What only a real ScyllaDB can show (shards per core, its own
//! compaction) is not shown by it.

use crate::data::Data;
use crate::place::Set;
use crate::server::{Plan, Server};
use crate::{java, port, variable, wire};
use anyhow::Result;
use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

const NAME: &str = "Cassandra";
const MAIN_CLASS: &str = "org.apache.cassandra.service.CassandraDaemon";

/// Console only; the console is the engine's log.
const LOGBACK: &str = r#"<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{HH:mm:ss.SSS} %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="CONSOLE"/></root>
</configuration>
"#;

/// What Cassandra 5 reaches into on Java 17.
const EXPORTS: [&str; 14] = [
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/java.lang.ref",
    "java.base/java.lang.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
];
const OPENS: [&str; 20] = [
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util",
    "java.base/jdk.internal.vm",
    "java.base/sun.security.provider",
    "java.management/com.sun.jmx.remote.security",
    "jdk.management/com.sun.management.internal",
];

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

fn configuration(dir: &Path, address: SocketAddr, storage: SocketAddr, settings: &[(&str, &str)]) -> String {
    let own: Vec<&str> = settings.iter().map(|(name, _)| *name).collect();
    let dir = dir.display();
    let ours = [
        ("cluster_name", "vaultstream-tests".to_owned()),
        ("num_tokens", "1".to_owned()),
        (
            "partitioner",
            "org.apache.cassandra.dht.Murmur3Partitioner".to_owned(),
        ),
        ("endpoint_snitch", "SimpleSnitch".to_owned()),
        (
            "seed_provider",
            format!(
                "[{{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{{seeds: \"{storage}\"}}]}}]"
            ),
        ),
        ("listen_address", "127.0.0.1".to_owned()),
        ("storage_port", storage.port().to_string()),
        ("rpc_address", "127.0.0.1".to_owned()),
        ("native_transport_port", address.port().to_string()),
        ("commitlog_sync", "periodic".to_owned()),
        ("commitlog_sync_period", "10s".to_owned()),
        ("commitlog_directory", format!("{dir}/commitlog")),
        ("data_file_directories", format!("[{dir}/data]")),
        ("saved_caches_directory", format!("{dir}/saved_caches")),
        ("hints_directory", format!("{dir}/hints")),
        ("cdc_raw_directory", format!("{dir}/cdc")),
        // A dropped table would be kept on disk, and dropping would wait for it.
        ("auto_snapshot", "false".to_owned()),
    ];
    let given = settings.iter().map(|(name, value)| format!("{name}: {value}\n"));
    // A period beside `batch` would be refused.
    let replaced = |name: &str| {
        own.iter()
            .any(|given| *given == name || name == format!("{given}_period"))
    };
    let ours = ours
        .iter()
        .filter(|(name, _)| !replaced(name))
        .map(|(name, value)| format!("{name}: {value}\n"));
    ours.chain(given).collect()
}

fn arguments(jars: &Path, dir: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = [
        "-Xms1g",
        "-Xmx1g",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Djdk.attach.allowAttachSelf=true",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.ring_delay_ms=100",
        "-Dcassandra-foreground=yes",
    ]
    .iter()
    .map(Into::into)
    .collect();
    let at = |name: &str, scheme: &str, file: &str| -> OsString {
        format!("-D{name}={scheme}{}", dir.join(file).display()).into()
    };
    words.push(at("cassandra.config", "file://", "cassandra.yaml"));
    words.push(at("logback.configurationFile", "", "logback.xml"));
    words.push(at("cassandra.storagedir", "", ""));
    words.extend(EXPORTS.map(|name| format!("--add-exports={name}=ALL-UNNAMED").into()));
    words.extend(OPENS.map(|name| format!("--add-opens={name}=ALL-UNNAMED").into()));
    words.push("--add-opens=jdk.naming.dns/com.sun.jndi.dns=java.naming".into());
    words.extend(java::class_path(jars));
    words.push(MAIN_CLASS.into());
    words
}
