//! Configuration: committed defaults < TOML file < `VAULTSTREAM_…` variables < flags. Secrets come by reference only.
//!
//! Refuses: unknown fields, a sandbox beside a live chain, two chains with one slug or id, a family without shards,
//! limits that could not work.

mod checkpoints;
#[cfg_attr(
    not(feature = "cluster"),
    expect(
        dead_code,
        reason = "a build without engines still reads and checks their sections"
    )
)]
mod cluster;
#[cfg(test)]
mod fuzz;
mod gateway;
mod marks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::chain::{AssetSettings, ChainSettings};
use vaultstream_event_schemas::{ChainId, Family, Slug};
use vaultstream_infra_chain_evm::Options as NodeOptions;

pub use checkpoints::Checkpoints;
pub use cluster::{Assembly, Kafka, Kind, Postgres, Redis, Scylla, Telemetry};
#[cfg(feature = "cluster")]
pub use cluster::{Database, KafkaSecurity};
pub use gateway::Gateway;
pub use marks::{Marks, Operators};

/// The committed defaults.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the product answers.
    pub listen: SocketAddr,
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Where the built dashboard lies; empty serves the APIs only.
    pub web_dir: PathBuf,
    /// `json` or `text`.
    pub log_format: LogFormat,
    /// A `tracing` filter.
    pub log_filter: String,
    /// Which parts fill the ports.
    pub assembly: Assembly,
    /// The log of a cluster.
    #[serde(default)]
    pub postgres: Option<Postgres>,
    /// The bus of a cluster.
    #[serde(default)]
    pub kafka: Option<Kafka>,
    /// The views of a cluster.
    #[serde(default)]
    pub scylla: Option<Scylla>,
    /// Cache and shared limits of a cluster.
    #[serde(default)]
    pub redis: Option<Redis>,
    /// Where spans go.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Shards of each family.
    pub shards: Shards,
    /// The door.
    pub gateway: Gateway,
    /// Software keys.
    pub keystore: Keystore,
    /// Signed checkpoints.
    #[serde(default)]
    pub checkpoints: Checkpoints,
    /// Marks.
    #[serde(default)]
    pub marks: Marks,
    /// Who releases a log that is behind its mark.
    #[serde(default)]
    pub operators: Operators,
    /// The chains.
    pub chains: Vec<ChainConfig>,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Shards of each family.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shards {
    /// Organizations, keys, vaults, claims.
    pub core: u16,
    /// Audit.
    pub audit: u16,
    /// Each chain.
    pub chain: u16,
}

/// Software keys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keystore {
    /// A reference to the passphrase; empty makes a key file.
    pub passphrase: String,
    /// Where the keys lie; absent for `keys` in the data directory. The processes of a cluster share one.
    #[serde(default)]
    pub dir: Option<PathBuf>,
}

/// A chain.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// CAIP-2 name.
    pub id: ChainId,
    /// Short unique name.
    pub slug: Slug,
    /// A person's name for it.
    pub name: String,
    /// Whether its money is worth nothing.
    pub sandbox: bool,
    /// What can be held; the first asset pays fees.
    pub assets: Vec<AssetSettings>,
    /// How it is reached.
    pub node: NodeConfig,
    /// What may be paid there and how long its node may take.
    #[serde(default)]
    pub limits: ChainLimits,
}

/// What may be paid on a chain and how long its node may take; what is absent keeps its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainLimits {
    /// The least to bid, in wei per gas.
    pub fee_floor_wei: Option<u64>,
    /// The most to bid, in wei per gas; while the next block takes more, transfers end `failed`.
    pub fee_ceiling_wei: Option<u64>,
    /// What is added to an estimate of gas, in per cent.
    pub gas_margin_percent: Option<u64>,
    /// How long a connection to the node may take, in milliseconds.
    pub connect_timeout_ms: Option<u64>,
    /// How long one question may take as a whole, in milliseconds.
    pub request_timeout_ms: Option<u64>,
}

impl ChainLimits {
    /// Puts them over a node's defaults.
    fn limit(&self, node: &mut NodeOptions) {
        for (limit, wei) in [
            (self.fee_floor_wei, &mut node.fee_floor_wei),
            (self.fee_ceiling_wei, &mut node.fee_ceiling_wei),
        ] {
            *wei = limit.map_or(*wei, u128::from);
        }
        for (limit, option) in [
            (self.gas_margin_percent, &mut node.gas_margin_percent),
            (self.connect_timeout_ms, &mut node.connect_timeout_ms),
            (self.request_timeout_ms, &mut node.request_timeout_ms),
        ] {
            *option = limit.unwrap_or(*option);
        }
    }
}

/// How a chain is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NodeConfig {
    /// A sandbox chain in this process.
    Sandbox {
        /// Milliseconds between blocks.
        block_time_ms: u64,
    },
    /// A JSON-RPC endpoint of the Ethereum family.
    Evm {
        /// The endpoint, or a reference to it.
        url: String,
        /// A PEM file of the authorities that may sign the certificate of an https endpoint, instead of this machine's.
        #[serde(default)]
        ca_file: Option<PathBuf>,
        /// The faucet of a development node: `sandbox:URL` of a control port, or `anvil`.
        #[serde(default)]
        faucet: Option<String>,
    },
}

impl ChainConfig {
    /// How its node at `url` is asked.
    pub fn node_options(&self, url: String) -> NodeOptions {
        let mut options = NodeOptions::new(url, self.id.clone());
        options.node = Some(self.slug.to_string());
        self.limits.limit(&mut options);
        if let NodeConfig::Evm { ca_file, .. } = &self.node {
            options.ca_file.clone_from(ca_file);
        }
        options
    }

    /// What the APIs show of it.
    pub fn settings(&self) -> ChainSettings {
        ChainSettings {
            id: self.id.clone(),
            slug: self.slug.clone(),
            name: self.name.clone(),
            sandbox: self.sandbox,
            assets: self.assets.clone(),
        }
    }
}

/// What flags override.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Overrides {
    /// `--listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// `--data-dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// `--web-dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_dir: Option<PathBuf>,
    /// `--log-format`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
}

/// Environment variables that are not configuration: they belong to tools and tests around the binary.
const NOT_CONFIG: &[&str] = &[
    "bin",
    "cluster_bin",
    "sandbox_evm_bin",
    "anvil_bin",
    "chromium",
    "browser_dir",
    "halt_at",
    "rehearse",
    "clock_file",
    "fault",
    "shots",
    "log",
    "engines",
    "pg_url",
    "kafka",
    "cql",
    "redis_url",
    "soak",
    "fuzz_seconds",
];

impl Config {
    /// Reads and checks the configuration.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            ensure!(
                file.is_file(),
                "configuration file {} does not exist",
                file.display()
            );
            figment = figment.merge(Toml::file_exact(file));
        }
        let env = Env::prefixed("VAULTSTREAM_").ignore(NOT_CONFIG).split("__");
        let config: Self = figment
            .merge(env)
            .merge(Serialized::defaults(overrides))
            .extract()
            .context("the configuration cannot be read")?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        self.check_assembly()?;
        self.gateway.check()?;
        self.check_checkpoints()?;
        self.check_marks()?;
        ensure!(
            !self.chains.is_empty(),
            "no chain is configured; add a [[chains]] section"
        );
        ensure!(
            self.chains.iter().all(|c| c.sandbox) || self.chains.iter().all(|c| !c.sandbox),
            "a sandbox chain stands beside a live one; run them as two installations"
        );
        for (i, chain) in self.chains.iter().enumerate() {
            let earlier = &self.chains[..i];
            ensure!(
                earlier.iter().all(|c| c.slug != chain.slug),
                "two chains have the slug {}",
                chain.slug
            );
            ensure!(
                earlier.iter().all(|c| c.id != chain.id),
                "two chains have the id {}",
                chain.id
            );
            ensure!(
                chain.id.namespace() == "eip155",
                "chain {} is of a family that is not served yet",
                chain.id
            );
            ensure!(
                !chain.assets.is_empty(),
                "chain {} lists no asset; the first one pays fees",
                chain.slug
            );
            for asset in &chain.assets {
                ensure!(
                    asset.id.chain() == chain.id,
                    "asset {} is not of chain {}",
                    asset.id,
                    chain.id
                );
                ensure!(
                    asset.decimals <= 77,
                    "asset {} has more decimals than 256 bits hold",
                    asset.id
                );
            }
            if let Some((name, problem)) = chain.node_options(String::new()).problem() {
                bail!("chain {}: limits.{name}: {problem}", chain.slug);
            }
            if matches!(chain.node, NodeConfig::Sandbox { .. }) && !chain.sandbox {
                bail!("chain {} is no sandbox but its node is one", chain.slug);
            }
        }
        Ok(())
    }

    /// The families of the log, in registry order.
    pub fn families(&self) -> Vec<(Family, u16)> {
        let chains = self
            .chains
            .iter()
            .map(|c| (Family::Chain(c.slug.clone()), self.shards.chain));
        [
            (Family::Core, self.shards.core),
            (Family::Audit, self.shards.audit),
        ]
        .into_iter()
        .chain(chains)
        .collect()
    }
}

/// Resolves `file:PATH` and `env:NAME`; any other text is refused, because a secret does not belong in a configuration.
pub fn secret(reference: &str) -> Result<String> {
    if let Some(path) = reference.strip_prefix("file:") {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("secret file {path} cannot be read"))?;
        return Ok(text.trim_end().to_owned());
    }
    if let Some(name) = reference.strip_prefix("env:") {
        return std::env::var(name).with_context(|| format!("secret variable {name} is not set"));
    }
    bail!("a secret is given by reference: file:PATH or env:NAME")
}

/// An endpoint: given as it is, or by reference when it holds a credential.
pub fn endpoint(text: &str) -> Result<String> {
    if text.starts_with("file:") || text.starts_with("env:") {
        secret(text)
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(extra: &str) -> Result<Config> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), extra)?;
        Config::load(Some(file.path()), &Overrides::default())
    }

    #[test]
    fn defaults_should_be_complete_and_checked() {
        let config = Config::load(None, &Overrides::default()).expect("the committed defaults load");
        assert_eq!(config.families().len(), 3);
        assert!(config.chains[0].sandbox);
    }

    #[test]
    fn flags_should_win() {
        let overrides = Overrides {
            listen: Some("127.0.0.1:1".into()),
            ..Overrides::default()
        };
        assert_eq!(Config::load(None, &overrides).expect("loads").listen.port(), 1);
    }

    #[test]
    fn nonsense_should_be_refused_with_its_name() {
        for (extra, word) in [
            ("nonsense = 1", "nonsense"),
            ("listen = \"nowhere\"", "listen"),
            ("chains = []", "no chain"),
        ] {
            let error = format!("{:#}", with(extra).expect_err(extra));
            assert!(error.contains(word), "{error}");
        }
        assert!(secret("hunter2").is_err());
    }

    #[test]
    fn deployed_configuration_should_load() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/deploy/config/cluster.toml");
        let config = Config::load(Some(&file), &Overrides::default()).expect("it is what compose runs with");
        assert_eq!(config.assembly.kind, Kind::Cluster);
        config.engines().expect("every engine is there");
    }

    #[test]
    fn cluster_should_name_what_is_missing_and_what_is_too_much() {
        let cluster = "[assembly]\nkind = \"cluster\"\ncluster = \"x\"\n";
        let kafka = "[kafka]\nbootstrap = [\"127.0.0.1:1\"]\n";
        for (extra, word) in [
            (cluster.to_owned(), "[postgres]"),
            (kafka.to_owned(), "[kafka]"),
            (
                format!(
                    "{cluster}[postgres]\ndatabases = []\ncheckpoints = {{ url = \"env:Y\" }}\n{kafka}[scylla]\nnodes = []\n"
                ),
                "postgres.databases",
            ),
            (
                format!("{cluster}[postgres]\ndatabases = [{{ url = \"env:X\" }}]\n{kafka}"),
                "checkpoints",
            ),
            (
                format!(
                    "{cluster}[postgres]\ndatabases = [{{ url = \"env:X\" }}]\ncheckpoints = {{ url = \"env:X\" }}\n{kafka}[scylla]\nnodes = [\"127.0.0.1:1\"]\n"
                ),
                "postgres.checkpoints",
            ),
            (
                format!(
                    "{cluster}[postgres]\ndatabases = [{{ url = \"env:X\" }}]\ncheckpoints = {{ url = \"env:Y\" }}\n{kafka}[scylla]\nnodes = [\"127.0.0.1:1\"]\n"
                ),
                "sandbox node lives inside one process",
            ),
        ] {
            let error = format!("{:#}", with(&extra).expect_err(word));
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn limits_of_a_chain_should_be_taken_and_checked() {
        let chain = |limits: &str| {
            format!(
                "[[chains]]\nid=\"eip155:1\"\nslug=\"eth_main\"\nname=\"c\"\nsandbox=false\nlimits={{{limits}}}\n\
                 assets=[{{id=\"eip155:1/slip44:60\",symbol=\"ETH\",decimals=18}}]\n\
                 node={{kind=\"evm\",url=\"http://127.0.0.1:1\"}}\n"
            )
        };
        let limits = "fee_floor_wei=1000000000, fee_ceiling_wei=60000000000, gas_margin_percent=5, request_timeout_ms=900";
        let config = with(&chain(limits)).expect("good limits");
        let options = config.chains[0].node_options("http://127.0.0.1:1".into());
        let (floor, ceiling) = (options.fee_floor_wei, options.fee_ceiling_wei);
        assert_eq!((floor, ceiling), (1_000_000_000, 60_000_000_000));
        assert_eq!((options.gas_margin_percent, options.request_timeout_ms), (5, 900));
        assert_eq!(options.connect_timeout_ms, 2_000, "the default");
        for (limits, words) in [
            (
                "fee_floor_wei=2, fee_ceiling_wei=1",
                "eth_main: limits.fee_ceiling_wei",
            ),
            ("fee_ceiling_wei=0", "limits.fee_ceiling_wei"),
            ("gas_margin_percent=401", "limits.gas_margin_percent"),
            ("connect_timeout_ms=0", "limits.connect_timeout_ms"),
            ("request_timeout_ms=120001", "limits.request_timeout_ms"),
            ("fee_ceiling_gwei=1", "fee_ceiling_gwei"),
            ("fee_floor_wei=-1", "fee_floor_wei"),
        ] {
            let said = format!("{:#}", with(&chain(limits)).expect_err(limits));
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn sandbox_should_not_stand_beside_a_live_chain() {
        let chain = |id: u64, sandbox: bool, node: &str| {
            format!(
                "[[chains]]\nid=\"eip155:{id}\"\nslug=\"c{id}\"\nname=\"c\"\nsandbox={sandbox}\n\
                 assets=[{{id=\"eip155:{id}/slip44:60\",symbol=\"ETH\",decimals=18}}]\nnode={node}\n"
            )
        };
        let sandbox = chain(31337, true, "{kind=\"sandbox\",block_time_ms=1000}");
        let live = chain(1, false, "{kind=\"evm\",url=\"http://127.0.0.1:1\"}");
        let error = with(&format!("{sandbox}{live}"))
            .expect_err("refused")
            .to_string();
        assert!(error.contains("beside a live one"), "{error}");
        with(&live).expect("a live chain alone is fine");
    }
}
