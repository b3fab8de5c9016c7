//! The embedded assembly: every port filled with a part that needs no set-up, all in one data directory.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{
    Bus, ChainNode, Clock, EventLog, Faucet, Ids, Progress, Rng, Spawn, ViewStore,
};
use vaultstream_event_schemas::Family;
use vaultstream_infra_chain_evm::{AnvilFaucet, Options as NodeOptions, SandboxFaucet};
use vaultstream_infra_keystore::{Keystore, MasterKeySource, Options as KeystoreOptions, Secret};
use vaultstream_infra_runtime::{SystemClock, SystemIds, SystemRng, TokioSpawn};
use vaultstream_infra_sqlite::views::{SqliteViews, ViewOptions};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, SqliteProgress};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{Executor, LogBus, Observer, Options as ExecutorOptions, Ports, Tailer};
use vaultstream_sandbox_evm::{Options as SandboxOptions, Running, Sandbox};
use vaultstream_workflows::Chain;

use crate::config::{self, ChainConfig, Config, NodeConfig};
use crate::late_node::LateNode;

/// A chain with what surrounds it.
pub struct ChainParts {
    /// Its settings and its node.
    pub chain: Chain,
    /// Its faucet, on a sandbox.
    pub faucet: Option<Arc<dyn Faucet>>,
}

/// Every port, filled.
pub struct Embedded {
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// Its records as they come.
    pub bus: Arc<dyn Bus>,
    /// Rows.
    pub views: Arc<dyn ViewStore>,
    /// Cursors and heads.
    pub progress: Arc<dyn Progress>,
    /// Account keys, signatures, subject keys, secrets.
    pub keystore: Arc<Keystore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identities.
    pub ids: Arc<dyn Ids>,
    /// Chance.
    pub rng: Arc<dyn Rng>,
    /// Tasks.
    pub spawn: Arc<dyn Spawn>,
    /// Runs use cases.
    pub executor: Executor,
    /// Follows shards.
    pub tailer: Tailer,
    /// The chains.
    pub chains: Vec<ChainParts>,
    /// The sandbox chains of this process; they stop when they are told to.
    pub sandboxes: Vec<Running>,
}

struct Files {
    log: SqliteLog,
    views: SqliteViews,
    progress: SqliteProgress,
    keystore: Keystore,
}

fn open_files(config: &Config) -> Result<Files> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .with_context(|| format!("data directory {} cannot be made", dir.display()))?;
    let families = config.families();
    let log = SqliteLog::open(&LogOptions::new(dir.join("log.db"), families))
        .context("the event log cannot be opened")?;
    let kept: Vec<Family> = vaultstream_domain::ports::EventLog::registry(&log)
        .entries()
        .iter()
        .map(|e| e.family.clone())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let views = SqliteViews::open(&ViewOptions::new(dir.join("views"), kept))
        .context("the views cannot be opened")?;
    let progress = SqliteProgress::open(&dir.join("progress.db")).context("progress cannot be opened")?;
    let passphrase = match config.keystore.passphrase.as_str() {
        "" => None,
        reference => Some(Secret::new(config::secret(reference)?)),
    };
    let keystore = Keystore::open(&KeystoreOptions {
        dir: dir.join("keys"),
        passphrase,
    })
    .context("the keystore cannot be opened")?;
    Ok(Files {
        log,
        views,
        progress,
        keystore,
    })
}

impl Embedded {
    /// Opens everything in the data directory and connects the chains.
    pub async fn open(
        config: &Config,
        observer: Arc<dyn Observer>,
        stop: &CancellationToken,
    ) -> Result<Self> {
        let files = tokio::task::spawn_blocking({
            let config = config.clone();
            move || open_files(&config)
        });
        let (files, connected) = tokio::try_join!(
            async {
                files
                    .await
                    .context("opening the data directory was interrupted")?
            },
            connect_chains(config)
        )?;
        let (chains, sandboxes) = connected;
        say_key_source(files.keystore.source());
        let log: Arc<dyn EventLog> = Arc::new(files.log);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let spawn: Arc<dyn Spawn> = Arc::new(TokioSpawn::new(Handle::current()));
        let bus: Arc<dyn Bus> = Arc::new(LogBus::new(log.clone()));
        let ports = Ports {
            log: log.clone(),
            clock: clock.clone(),
            spawn: spawn.clone(),
            observer: observer.clone(),
        };
        let executor = Executor::start(ExecutorOptions::default(), ports, stop.clone());
        let tailer = Tailer::new(
            bus.clone(),
            log.clone(),
            clock.clone(),
            observer,
            TailOptions::default(),
        );
        Ok(Self {
            log,
            bus,
            views: Arc::new(files.views),
            progress: Arc::new(files.progress),
            keystore: Arc::new(files.keystore),
            clock,
            ids: Arc::new(SystemIds),
            rng: Arc::new(SystemRng),
            spawn,
            executor,
            tailer,
            chains,
            sandboxes,
        })
    }
}

fn say_key_source(source: &MasterKeySource) {
    if let MasterKeySource::KeyFile { path, created } = source {
        let made = if *created { "was made" } else { "is used" };
        tracing::warn!(file = %path.display(), "no passphrase is configured: the key file {made}; whoever has it has every key");
    }
}

async fn connect_chains(config: &Config) -> Result<(Vec<ChainParts>, Vec<Running>)> {
    let (mut chains, mut sandboxes) = (Vec::new(), Vec::new());
    for chain in &config.chains {
        let (parts, sandbox) = connect(chain, &config.data_dir)
            .await
            .with_context(|| format!("chain {} cannot be used", chain.slug))?;
        chains.push(parts);
        sandboxes.extend(sandbox);
    }
    Ok((chains, sandboxes))
}

async fn connect(chain: &ChainConfig, data_dir: &Path) -> Result<(ChainParts, Option<Running>)> {
    let options = |url: String| {
        let mut options = NodeOptions::new(url, chain.id.clone());
        options.node = Some(chain.slug.to_string());
        options
    };
    let (url, faucet, sandbox): (String, Option<Arc<dyn Faucet>>, _) = match &chain.node {
        NodeConfig::Sandbox { block_time_ms } => {
            let mut sandbox = SandboxOptions::new(data_dir.join("sandbox").join(chain.slug.as_str()));
            sandbox.chain_id = chain
                .id
                .reference()
                .parse()
                .context("the chain's reference is no number")?;
            sandbox.block_time_ms = *block_time_ms;
            let opened = tokio::task::spawn_blocking(move || Sandbox::open(sandbox)).await?;
            let running = opened
                .context("the sandbox chain cannot be opened")?
                .start()
                .await?;
            let faucet = SandboxFaucet::try_new(&options(running.control_url.clone()))?;
            (running.rpc_url.clone(), Some(Arc::new(faucet)), Some(running))
        }
        NodeConfig::Evm { url, faucet } => {
            let url = config::endpoint(url)?;
            let faucet: Option<Arc<dyn Faucet>> = match faucet.as_deref() {
                None => None,
                Some(_) if !chain.sandbox => anyhow::bail!("only a sandbox chain has a faucet"),
                Some("anvil") => Some(Arc::new(AnvilFaucet::try_new(&options(url.clone()))?)),
                Some(other) => {
                    let control = other
                        .strip_prefix("sandbox:")
                        .context("a faucet is `anvil` or `sandbox:URL`")?;
                    Some(Arc::new(SandboxFaucet::try_new(&options(control.to_owned()))?))
                }
            };
            (url, faucet, None)
        }
    };
    let node = LateNode::new(options(url));
    node.try_now().await?;
    let node: Arc<dyn ChainNode> = Arc::new(node);
    Ok((
        ChainParts {
            chain: Chain {
                settings: chain.settings(),
                node,
            },
            faucet,
        },
        sandbox,
    ))
}
