//! Every port, filled: by parts that need no set-up, or by the engines of a cluster. What runs on the ports cannot tell.

mod chains;
#[cfg(feature = "cluster")]
mod cluster;
mod embedded;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::{
    Bus, Cache, Clock, Echo, EventLog, Ids, Leases, NoteList, Progress, Publisher, RateLimits, RestoreTarget,
    Rng, SealText, Spawn, VersionGate, ViewStore,
};
use vaultstream_event_schemas::Registry;
use vaultstream_infra_keystore::{
    CheckpointKeys, Keystore, MasterKeySource, Options as KeystoreOptions, Secret,
};
use vaultstream_infra_runtime::{FileNoteList, SystemClock, SystemIds, SystemRng, TokioSpawn};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{Executor, FairLeases, LogBus, Observer, Options as ExecutorOptions, Ports, Tailer};
use vaultstream_sandbox_evm::Running;

pub use chains::ChainParts;

use crate::config::{self, Config, Kind};
use crate::event_versions::{EventVersions, Overtaken};
use crate::observer::Observed;
use crate::roles::Roles;

/// How long tasks may take to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the assemblies fill differently.
pub struct Engines {
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// Its records as they come, for projectors.
    pub bus: Arc<dyn Bus>,
    /// The way onto the bus, where it is another engine than the log.
    pub publisher: Option<Arc<dyn Publisher>>,
    /// Rows; none in a process that needs none.
    pub views: Option<Arc<dyn ViewStore>>,
    /// Cursors and heads.
    pub progress: Arc<dyn Progress>,
    /// Signed checkpoints; none in a process that neither seals nor names them.
    pub checkpoints: Option<Arc<dyn NoteList>>,
    /// Marks; none in a process that neither signs nor takes what is signed, and before the embedded ones are opened.
    pub marks: Option<Arc<dyn NoteList>>,
    /// Who works on what.
    pub leases: Arc<dyn Leases>,
    /// Who reads which event versions, and which may be written.
    pub version_gate: Arc<dyn VersionGate>,
    /// Answers that were given before.
    pub cache: Arc<dyn Cache>,
    /// Rates that several processes share.
    pub rate_limits: Option<Arc<dyn RateLimits>>,
}

/// Every port, filled.
pub struct Assembly {
    /// What the assemblies fill differently.
    pub engines: Engines,
    /// Whether other processes work on the same engines.
    pub is_shared: bool,
    /// This process, as leases know it.
    pub holder: String,
    /// Who works on what, shared out fairly.
    pub leases: Arc<FairLeases>,
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
    /// Tasks that fold; they may be late.
    pub folding: Arc<dyn Spawn>,
    /// Tasks that give something back when the process stops.
    pub tasks: TaskTracker,
    /// What this process reads, announced.
    pub versions: Arc<EventVersions>,
    /// Tells when others write what this process does not read; none where there are no others.
    pub overtaken: Option<Overtaken>,
    /// Runs use cases.
    pub executor: Executor,
    /// Records straight from the log.
    pub log_bus: Arc<dyn Bus>,
    /// Follows shards over the log: for what acts and answers.
    pub tailer: Tailer,
    /// Follows shards over the bus: for what folds.
    pub bus_tailer: Tailer,
    /// The chains.
    pub chains: Vec<ChainParts>,
    /// The sandbox chains of this process; they stop when they are told to.
    pub sandboxes: Vec<Running>,
}

impl Assembly {
    /// Opens the configured engines and connects the chains.
    pub async fn open(
        config: &Config,
        roles: &Roles,
        observed: &Arc<Observed>,
        (folding, deciding): (&Handle, &Handle),
        stop: &CancellationToken,
    ) -> Result<Self> {
        let observer: Arc<dyn Observer> = observed.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("data directory {} cannot be made", config.data_dir.display()))?;
        let keystore = tokio::task::spawn_blocking({
            let config = config.clone();
            move || open_keystore(&config)
        });
        let keystore = async { keystore.await.context("opening the keystore was interrupted")? };
        let (engines, keystore, connected) = tokio::try_join!(
            open_engines(config, roles, &clock),
            keystore,
            chains::connect_all(config, &observed.metrics)
        )?;
        say_key_source(keystore.source());
        let engines = with_marks(config, engines, &keystore).await?;
        let (chains, sandboxes) = connected;
        let is_shared = config.assembly.kind == Kind::Cluster;
        let ids: Arc<dyn Ids> = Arc::new(SystemIds);
        let spawn: Arc<dyn Spawn> = Arc::new(TokioSpawn::new(Handle::current()));
        let (holder, process) = names(roles, is_shared, ids.as_ref());
        let versions = Arc::new(EventVersions::enter(engines.version_gate.clone(), process).await?);
        // Alone in its directory, a process is overtaken by nobody and waits for nobody.
        let overtaken = is_shared.then(|| versions.keep(clock.clone()));
        let log = &engines.log;
        let ports = Ports {
            log: log.clone(),
            clock: clock.clone(),
            spawn: Arc::new(TokioSpawn::new(deciding.clone())),
            observer: observer.clone(),
        };
        let options = ExecutorOptions::default();
        let executor = Executor::gated(options, ports, versions.writable(), stop.clone());
        let log_bus: Arc<dyn Bus> = Arc::new(LogBus::new(log.clone()));
        let follow = |bus: &Arc<dyn Bus>| {
            let options = TailOptions::default();
            Tailer::new(bus.clone(), log.clone(), clock.clone(), observer.clone(), options)
        };
        let (tailer, bus_tailer) = (follow(&log_bus), follow(&engines.bus));
        let leases = FairLeases::new(engines.leases.clone(), clock.clone(), observer.clone());
        Ok(Self {
            is_shared,
            holder,
            leases: Arc::new(leases),
            versions,
            overtaken,
            keystore: Arc::new(keystore),
            clock,
            ids,
            rng: Arc::new(SystemRng),
            spawn,
            folding: Arc::new(TokioSpawn::new(folding.clone())),
            tasks: TaskTracker::new(),
            executor,
            log_bus,
            tailer,
            bus_tailer,
            chains,
            sandboxes,
            engines,
        })
    }

    /// Returns when leases are given back and sandboxes have stopped, or after a bound.
    pub async fn ended(self) {
        self.tasks.close();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time; its leases run out by themselves");
        }
        self.versions.leave().await;
        if let Err(error) = self.leases.leave(&self.holder).await {
            tracing::warn!(error = %Causes(&error), "others count this process for a few seconds more");
        }
        for sandbox in self.sandboxes {
            sandbox.shutdown().await;
        }
    }
}

/// This process as leases know it, and as the gate of event versions does.
fn names(roles: &Roles, is_shared: bool, ids: &dyn Ids) -> (String, String) {
    if !is_shared {
        // One process has an embedded directory at a time, so what it left is never somebody else's.
        return ("embedded".to_owned(), "embedded".to_owned());
    }
    let holder = ids.next().to_string();
    let process = format!("{roles} {} {holder}", env!("CARGO_PKG_VERSION"));
    (holder, process)
}

/// Opens the log alone; `migrates` says whether its schema may be brought up to date.
pub async fn open_log(config: &Config, migrates: bool) -> Result<Arc<dyn EventLog>> {
    match config.assembly.kind {
        Kind::Embedded => {
            // The embedded log makes and upgrades its own tables.
            let _ = migrates;
            let config = config.clone();
            tokio::task::spawn_blocking(move || embedded::open_log(&config))
                .await
                .context("opening the log was interrupted")?
        }
        #[cfg(feature = "cluster")]
        Kind::Cluster => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let log = cluster::open_log(config, migrates, &clock).await?;
            Ok(Arc::new(log))
        }
        #[cfg(not(feature = "cluster"))]
        Kind::Cluster => Err(no_cluster()),
    }
}

#[cfg(not(feature = "cluster"))]
fn no_cluster() -> anyhow::Error {
    anyhow::anyhow!(
        "this build has no cluster engines; build with `cargo build --release --features cluster`"
    )
}

async fn open_engines(config: &Config, roles: &Roles, clock: &Arc<dyn Clock>) -> Result<Engines> {
    match config.assembly.kind {
        Kind::Embedded => {
            anyhow::ensure!(
                roles.is_all(),
                "the embedded assembly runs everything in one process: leave out --role, or set assembly.kind = \"cluster\""
            );
            let config = config.clone();
            let clock = clock.clone();
            tokio::task::spawn_blocking(move || embedded::open(&config, clock))
                .await
                .context("opening the data directory was interrupted")?
        }
        #[cfg(feature = "cluster")]
        Kind::Cluster => cluster::open(config, roles, clock).await,
        #[cfg(not(feature = "cluster"))]
        Kind::Cluster => {
            let _ = clock;
            Err(no_cluster())
        }
    }
}

/// The list of checkpoints of a cluster, for who reads it beside a running product, or for a restore; `migrates` says
/// whether it may be begun. Embedded ones are files ([`Config::checkpoints_dir`]).
pub async fn open_list(config: &Config, migrates: bool) -> Result<Arc<dyn NoteList>> {
    #[cfg(feature = "cluster")]
    return Ok(Arc::new(cluster::open_checkpoints(config, migrates).await?));
    #[cfg(not(feature = "cluster"))]
    {
        let _ = (config, migrates);
        Err(no_cluster())
    }
}

/// What a cluster's bus still has of the log; an embedded log has no bus but itself.
pub fn open_echo(config: &Config, registry: &Registry) -> Result<Option<Box<dyn Echo>>> {
    match config.assembly.kind {
        Kind::Embedded => Ok(None),
        #[cfg(feature = "cluster")]
        Kind::Cluster => Ok(Some(Box::new(cluster::open_echo(config, registry)?))),
        #[cfg(not(feature = "cluster"))]
        Kind::Cluster => {
            let _ = registry;
            Err(no_cluster())
        }
    }
}

/// The log of a cluster, to be put back or declared.
pub async fn open_target(config: &Config) -> Result<Box<dyn RestoreTarget>> {
    #[cfg(feature = "cluster")]
    {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log = cluster::open_log(config, true, &clock).await?;
        Ok(Box::new(vaultstream_infra_postgres::PgTarget::new(log)))
    }
    #[cfg(not(feature = "cluster"))]
    {
        let _ = config;
        Err(no_cluster())
    }
}

/// Engines with the embedded list of marks, which is named after the keys that sign it.
async fn with_marks(config: &Config, mut engines: Engines, keystore: &Keystore) -> Result<Engines> {
    if config.assembly.kind == Kind::Cluster {
        return Ok(engines);
    }
    let keys = checkpoint_keys(config, keystore.clone())?.public_keys().await?;
    let key = keys
        .all()
        .first()
        .context("the keystore has no key that signs marks")?
        .id();
    let dir = config.marks_dir();
    let open = move || FileNoteList::marks(&dir, key);
    let marks = tokio::task::spawn_blocking(open).await?;
    engines.marks = Some(Arc::new(marks.context("the list of marks cannot be used")?));
    Ok(engines)
}

/// The keys that sign checkpoints.
pub fn checkpoint_keys(config: &Config, keystore: Keystore) -> Result<CheckpointKeys> {
    Ok(CheckpointKeys::try_new(keystore, &config.origin())?)
}

/// Opens the keystore alone. Blocks.
pub fn open_keystore(config: &Config) -> Result<Keystore> {
    let passphrase = match config.keystore.passphrase.as_str() {
        "" => None,
        reference => Some(Secret::new(config::secret(reference)?)),
    };
    let dir = match &config.keystore.dir {
        Some(dir) => dir.clone(),
        None => config.data_dir.join("keys"),
    };
    Keystore::open(&KeystoreOptions { dir, passphrase }).context("the keystore cannot be opened")
}

fn say_key_source(source: &MasterKeySource) {
    if let MasterKeySource::KeyFile { path, created } = source {
        let made = if *created { "was made" } else { "is used" };
        tracing::warn!(file = %path.display(), "no passphrase is configured: the key file {made}; whoever has it has every key");
    }
}
