//! One of each engine, and the configuration that tells the product to use them.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::{Cassandra, Kafka, Postgres, Redis};

/// Every role is a process with a few connections of its own.
const CONNECTIONS: &str = "300";

/// The engines of a cluster, all on this machine.
pub struct Cluster {
    /// The log, progress and leases.
    pub postgres: Postgres,
    /// The bus.
    pub kafka: Kafka,
    /// The views, in ScyllaDB's place.
    pub cassandra: Cassandra,
    /// Cache and shared limits.
    pub redis: Redis,
}

impl Cluster {
    /// Starts all of them side by side.
    pub fn start() -> Result<Self> {
        Self::with(&[], &[])
    }

    /// The same with settings of Kafka's `server.properties` and of `cassandra.yaml`.
    pub fn with(kafka: &[(&str, &str)], cassandra: &[(&str, &str)]) -> Result<Self> {
        let panicked = |_| anyhow!("the thread that started an engine panicked");
        thread::scope(|scope| {
            let kafka = scope.spawn(|| Kafka::with(kafka));
            let cassandra = scope.spawn(|| Cassandra::with(cassandra));
            let postgres = Postgres::with(&[("max_connections", CONNECTIONS)]);
            let redis = Redis::start();
            // All are waited for before the first error is told: the others' engines must end, too.
            let (kafka, cassandra) = (
                kafka.join().map_err(panicked)?,
                cassandra.join().map_err(panicked)?,
            );
            Ok(Self {
                postgres: postgres?,
                kafka: kafka?,
                cassandra: cassandra?,
                redis: redis?,
            })
        })
    }

    /// Writes `cluster.toml` into a directory, for one sandbox chain whose node is an anvil at `node`; `name` keeps
    /// installations on the same engines apart.
    pub fn write_config(&self, dir: &Path, name: &str, node: &str) -> Result<PathBuf> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let url = dir.join("postgres.url");
        write_private(&url, &self.postgres.url())?;
        let checkpoints = dir.join("checkpoints.url");
        write_private(&checkpoints, &self.postgres.checkpoints_url())?;
        let config = format!(
            r#"log_format = "text"

[assembly]
kind = "cluster"
cluster = "{name}"

[postgres]
checkpoints = {{ url = "file:{checkpoints}" }}
databases = [{{ url = "file:{url}" }}]

[kafka]
bootstrap = ["{kafka}"]
prefix = "{name}"

[scylla]
nodes = ["{cql}"]
prefix = "{name}"

[redis]
url = "{redis}"
prefix = "{name}:"

[keystore]
dir = "{keys}"

[[chains]]
id = "eip155:31337"
slug = "eth_sandbox"
name = "Ethereum sandbox"
sandbox = true
assets = [{{ id = "eip155:31337/slip44:60", symbol = "ETH", decimals = 18 }}]
node = {{ kind = "evm", url = "{node}", faucet = "anvil" }}
"#,
            url = url.display(),
            checkpoints = checkpoints.display(),
            kafka = self.kafka.bootstrap(),
            cql = self.cassandra.contact_point(),
            redis = self.redis.url(),
            keys = dir.join("keys").display(),
        );
        let file = dir.join("cluster.toml");
        fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).context("cannot write a secret")
}
