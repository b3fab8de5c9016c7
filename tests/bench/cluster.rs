//! The product role by role on the real engines, all on this machine: the real binary built with `--features cluster`,
//! `PostgreSQL`, Kafka, Cassandra in ScyllaDB's place, Redis, and as few roles as a row needs.

mod reads;
mod sockets;
mod transfers;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vaultstream_domain::ports::EventLog;
use vaultstream_engines::Cluster;
use vaultstream_event_schemas::{Family, Slug};
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions};
use vaultstream_infra_runtime::SystemClock;

use crate::Extent;
use crate::line::BenchLine;
use crate::process::{Process, program};
use crate::product::caught_up;
use crate::subscribe::from_commit;
use crate::tenant::Tenant;

const NAME: &str = "vs_bench";
/// No row needs a chain: nobody answers there, and the product waits for it as for any node that is away.
const NO_NODE: &str = "http://127.0.0.1:9";
/// Files that a process with 10,000 sockets has open, and some.
const OPEN_FILES: u32 = 16_384;

/// Engines and what the product needs to know of them.
pub struct Installation {
    dir: tempfile::TempDir,
    engines: Cluster,
    config: PathBuf,
}

/// A process with some roles.
pub struct Role {
    /// The process.
    pub process: Process,
    /// Where it answers.
    pub address: String,
}

impl Installation {
    fn start() -> Result<Self> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("no directory for the bench")?;
        let engines = Cluster::start()?;
        let config = engines.write_config(dir.path(), NAME, NO_NODE)?;
        Ok(Self { dir, engines, config })
    }

    fn spawn(&self, roles: &str) -> Result<Process> {
        let mut command = Command::new(program("VAULTSTREAM_CLUSTER_BIN")?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--role", roles, "--config"])
            .arg(&self.config)
            .arg("--data-dir")
            .arg(self.dir.path().join("data"));
        Process::start(command, self.dir.path().join(format!("{roles}.said")))
    }

    /// Brings the engines up to date.
    fn migrate(&self) -> Result<()> {
        self.spawn("migrate")?.ended()
    }

    /// A process with these roles, ready.
    pub fn role(&self, roles: &str) -> Result<Role> {
        let mut process = self.spawn(roles)?;
        let address = process
            .line("Vaultstream is ready at http://")
            .with_context(|| roles.to_owned())?;
        Ok(Role { process, address })
    }

    /// The log, as one more process on it.
    async fn log(&self) -> Result<Arc<dyn EventLog>> {
        // As many shards as the product has by default.
        let families = vec![
            (Family::Core, 2),
            (Family::Audit, 1),
            (Family::Chain(Slug::try_new("eth_sandbox")?), 2),
        ];
        let database = DatabaseConfig::new("main", self.engines.postgres.url());
        let options = PgLogOptions::new(NAME, vec![database], families, Arc::new(SystemClock));
        Ok(Arc::new(PgLog::open(&options).await?))
    }
}

/// Lets this process, and those it starts, hold so many sockets.
fn allow_open_files() -> Result<()> {
    let status = Command::new("prlimit")
        .args([
            "--pid",
            &std::process::id().to_string(),
            &format!("--nofile={OPEN_FILES}:"),
        ])
        .status()
        .context("prlimit (util-linux) cannot be started")?;
    ensure!(
        status.success(),
        "this machine allows fewer than {OPEN_FILES} open files; raise the hard limit (`ulimit -Hn`)"
    );
    Ok(())
}

/// Measures, on engines of its own.
pub async fn run(out: &mut Vec<BenchLine>, extent: Extent) -> Result<()> {
    allow_open_files()?;
    let installation = tokio::task::spawn_blocking(Installation::start).await??;
    installation.migrate()?;
    let log = installation.log().await?;
    transfers::run(out, &installation, &log).await?;

    let behind = [installation.role("relay")?, installation.role("projectors")?];
    let door = installation.role("query-api")?;
    let mut tenant = Tenant::found(log.clone(), 2).await?;
    // Roles before these were killed: until their leases have run out nobody relays, and that is another figure.
    let written = transfers::events(&log).await?;
    while caught_up(&door.address).await? < written {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let p99_ms = from_commit(&door.address, &mut tenant).await?;
    out.push(BenchLine::at_most(
        "cluster: commit to GraphQL subscriber, 1,000 events/s, p99",
        p99_ms,
        "ms",
        50.0,
    ));
    sockets::run(out, &door, &log).await?;
    reads::run(out, &door, &log, extent).await?;
    drop((door, behind));
    Ok(())
}
