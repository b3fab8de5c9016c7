//! Apache Kafka: one KRaft node that is broker and controller, formatted anew for whoever starts it.
//!
//! Topics are not made by asking for them: a missing topic must be an error in tests as in production.
//! [`SecuredKafka`] is the same with a listener that demands TLS and a password.

mod secured;

pub use secured::SecuredKafka;

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

const NAME: &str = "Kafka";
const CONFIGURATION: &str = "server.properties";

/// What one node needs to be a whole cluster, and less of what it would keep ready for many.
const ONE_NODE: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=8
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216
";

/// A running Kafka 4; dereferences to its [`Server`] for faults.
pub struct Kafka {
    server: Server,
    bootstrap: String,
}

impl Kafka {
    /// One with default settings and a plain listener.
    ///
    /// # Errors
    /// It or Java 17 is absent, or it does not come up: then with the end of its log.
    pub fn start() -> Result<Self> {
        Self::with(&[])
    }

    /// One with settings of `server.properties`, such as `("log.retention.ms", "1000")`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn with(settings: &[(&str, &str)]) -> Result<Self> {
        let jars = Set::Kafka.find()?;
        port::retrying(|| {
            let mut data = Data::new(NAME, "KILL")?;
            let listeners = Listeners::plain(&mut data)?;
            let bootstrap = listeners.plain.to_string();
            let settings = settings.iter().map(|(name, value)| format!("{name}={value}\n"));
            let settings: String = settings.collect();
            Ok(Self {
                server: start(&jars, data, &listeners, &settings, &[])?,
                bootstrap,
            })
        })
    }

    /// The one of this test process, or the runner's. Put your own prefix before your topics.
    ///
    /// # Panics
    /// There is none and none could be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| match env::var(variable::KAFKA) {
            Ok(bootstrap) => Self {
                server: Server::given(NAME),
                bootstrap,
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

    /// `host:port` of the one broker.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }
}

impl Deref for Kafka {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Where the node listens; the plain one is also how it is asked whether it is ready.
struct Listeners {
    plain: SocketAddr,
    controller: SocketAddr,
    secured: Option<SocketAddr>,
}

impl Listeners {
    fn plain(data: &mut Data) -> Result<Self> {
        Ok(Self {
            plain: data.port()?,
            controller: data.port()?,
            secured: None,
        })
    }

    fn properties(&self) -> String {
        let Self {
            plain,
            controller,
            secured,
        } = self;
        let secured = secured.map_or_else(String::new, |address| format!(",SECURED://{address}"));
        format!(
            "listeners=PLAINTEXT://{plain},CONTROLLER://{controller}{secured}\n\
             advertised.listeners=PLAINTEXT://{plain}{secured}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL\n\
             controller.quorum.voters=1@{controller}\n"
        )
    }
}

/// Formats the data directory and starts the node on it.
fn start(
    jars: &Path,
    data: Data,
    listeners: &Listeners,
    settings: &str,
    format_with: &[&str],
) -> Result<Server> {
    let logs = data.path().join("logs");
    let text = format!(
        "{ONE_NODE}{}log.dirs={}\n{settings}",
        listeners.properties(),
        logs.display()
    );
    let configuration = data.write(CONFIGURATION, &text)?;
    let mut format = java::tool(jars)?;
    format
        .args([
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            &cluster_id(data.path()),
            "--config",
        ])
        .arg(&configuration)
        .args(format_with);
    data.prepare("formatting", &mut format)?;
    let plan = Plan {
        name: NAME,
        program: java::program(&java::home()?),
        arguments: arguments(jars, configuration.into()),
        address: listeners.plain,
        answers: wire::kafka,
        patience: Duration::from_secs(120),
        stop_signal: "TERM",
        end_signal: "KILL",
    };
    Server::start(plan, data)
}

fn arguments(jars: &Path, configuration: OsString) -> Vec<OsString> {
    let words = [
        "-Xms512m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    ];
    let mut arguments: Vec<OsString> = words.iter().map(Into::into).collect();
    arguments.extend(java::class_path(jars));
    arguments.extend(["kafka.Kafka".into(), configuration]);
    arguments
}

/// 16 bytes in Base64, another one for every data directory: clients notice when they meet another cluster.
fn cluster_id(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let random: String = name
        .chars()
        .rev()
        .take(6)
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("vaultstream-{random:A<9}A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_id_should_be_sixteen_bytes_and_follow_the_directory() {
        let one = cluster_id(Path::new("/tmp/vaultstream-kafka-abc123"));
        let two = cluster_id(Path::new("/tmp/vaultstream-kafka-xyz789"));
        assert_ne!(one, two);
        assert_eq!((one.len(), two.len()), (22, 22));
        assert!(one.ends_with('A'), "the last digit holds two bits only");
    }
}
