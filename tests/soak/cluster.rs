//! The cluster on real engines, one role after another killed under a load of commands.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use vaultstream_domain::ports::EventLog;
use vaultstream_engines::Cluster as Engines;
use vaultstream_event_schemas::{Family, Slug};
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions};
use vaultstream_infra_runtime::SystemClock;
use vaultstream_infra_scylla::{ScyllaOptions, ScyllaViews};
use vaultstream_rig::Child;

use crate::bed::{Bed, QUOTAS, doors};
use crate::chain::{Chain, program};
use crate::embedded::tail;
use crate::ends;
use crate::load::Load;
use crate::options::Options;
use crate::payer::{Payer, all_over};
use crate::report::Report;

/// Every role that serves, each in a process of its own.
const ROLES: [&str; 7] = [
    "command-api",
    "query-api",
    "relay",
    "sealer",
    "projectors",
    "workflows",
    "watchers",
];
const NAME: &str = "vs_soak";
/// How soon any role has to be ready again.
const READY: Duration = Duration::from_secs(5);
/// How long a start may take before the soak gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Engines, and how roles are started on them.
struct Home {
    engines: Engines,
    dir: TempDir,
    config: PathBuf,
    binary: PathBuf,
}

/// A role's process, always at the same address.
struct Role {
    name: &'static str,
    port: u16,
    child: Child,
}

impl Home {
    fn make(chain: &Chain) -> Result<Self> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        // One node stands for several, of which not all die at once: what it has acknowledged is on disk.
        let engines = Engines::with(&[], &[("commitlog_sync", "batch")])?;
        let config = engines.write_config(dir.path(), NAME, &chain.rpc)?;
        let text = std::fs::read_to_string(&config)?;
        let faucet = format!("faucet = \"sandbox:{}\"", chain.control);
        let text = text.replace("faucet = \"anvil\"", &faucet);
        let text = text.replacen(
            "[assembly]",
            &format!("log_filter = \"warn\"\n{QUOTAS}\n[assembly]"),
            1,
        );
        std::fs::write(&config, text)?;
        Ok(Self {
            engines,
            dir,
            config,
            binary: program("VAULTSTREAM_CLUSTER_BIN")?,
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn verb(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--config").arg(&self.config);
        command.arg("--data-dir").arg(self.file("data"));
        command
    }

    fn start(&self, name: &'static str, port: u16) -> Result<Child> {
        let mut command = self.verb(&["serve", "--role", name]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        let said = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.file(name))?;
        command.stderr(said);
        Child::start(command, name)
    }

    fn role(&self, name: &'static str) -> Result<Role> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = self.start(name, port)?;
        self.is_up(name, &child)?;
        Ok(Role { name, port, child })
    }

    fn is_up(&self, name: &str, child: &Child) -> Result<()> {
        let said = child.line("Vaultstream is ready at ", PATIENCE);
        said.map(drop).with_context(|| tail(&self.file(name)))
    }

    fn migrate(&self, words: &[&str]) -> Result<()> {
        ends::verb(
            self.verb(&["serve", "--role", "migrate", "--listen", "127.0.0.1:0"])
                .args(words),
        )
    }

    async fn log(&self) -> Result<PgLog> {
        let database = DatabaseConfig::new("main", self.engines.postgres.url());
        let options = PgLogOptions::new(NAME, vec![database], families()?, Arc::new(SystemClock));
        Ok(PgLog::open(&options).await?)
    }
}

fn families() -> Result<Vec<(Family, u16)>> {
    Ok(vec![
        (Family::Core, 2),
        (Family::Audit, 1),
        (Family::Chain(Slug::try_new("eth_sandbox")?), 2),
    ])
}

impl Role {
    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn base_of(roles: &[Role], name: &str) -> Result<String> {
    let role = roles.iter().find(|role| role.name == name);
    Ok(role.with_context(|| format!("{name} runs"))?.base())
}

/// Runs it; whether every role was ready in time after every kill.
pub async fn run(options: &Options) -> Result<bool> {
    let chain = Chain::start()?;
    let home = Home::make(&chain)?;
    home.migrate(&[])?;
    let mut roles = ROLES
        .iter()
        .map(|role| home.role(role))
        .collect::<Result<Vec<_>>>()?;
    home.migrate(&["--demo"])?;
    let key = std::fs::read_to_string(home.file("data/demo.key"))?;
    let (commands, reads) = (base_of(&roles, "command-api")?, base_of(&roles, "query-api")?);
    let bed = Bed::make(doors(&commands, &reads, key.trim_end())?).await?;

    let log = home.log().await?;
    let mut load = Load::start(&bed.doors.commands, &bed.body, options.rate, options.seed);
    let payer = Payer::start(bed.doors.clone(), load.seen.clone());
    let mut report = Report::default();
    kills(&home, &mut roles, &mut load, options, &mut report).await?;
    while events(&log).await? < options.events {
        load.check().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let paid = payer.end().await?;
    let seen = load.end().await?;
    all_over(&bed.doors.reads, paid.keys()).await?;
    at_rest(&log).await?;
    ends::caught_up(&reads).await?;
    for role in &mut roles {
        ensure!(
            role.child.terminate()?.success(),
            "{} did not end well",
            role.name
        );
    }

    let exported = home.file("log.jsonl");
    ends::verb(home.verb(&["export"]).arg("--out").arg(&exported))?;
    let events = ends::log_is_right(&exported, &seen, &paid)?;
    ends::paid_once(&chain, &bed.payer, &paid).await?;
    sealed(&home, &exported)?;
    let views = views(&home, Arc::new(log)).await?;
    Ok(report.print(options, &ends::facts(&seen, paid.len(), events, views), READY))
}

async fn kills(
    home: &Home,
    roles: &mut [Role],
    load: &mut Load,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let mut chance = fastrand::Rng::with_seed(options.seed);
    while report.kills() < options.kills {
        let lives = Duration::from_millis(chance.u64(50..1_500));
        tokio::time::sleep(lives).await;
        load.check().await?;
        let role = &mut roles[chance.usize(..ROLES.len())];
        let killed = Instant::now();
        role.child.kill();
        load.seen.killed();
        let mut begun = Instant::now();
        role.child = home.start(role.name, role.port)?;
        // Some die again before they have come up.
        while chance.u8(..) < 26 && report.kills() + 1 < options.kills {
            let lives = Duration::from_millis(chance.u64(5..500));
            tokio::time::sleep(lives).await;
            role.child.kill();
            report.killed_while_starting(role.name, lives);
            begun = Instant::now();
            role.child = home.start(role.name, role.port)?;
        }
        home.is_up(role.name, &role.child)?;
        let ready = begun.elapsed();
        // Commands are acknowledged by one role; the others' deaths must not stop them at all.
        let first = load.seen.first().map(|first| first - killed);
        report.recovered(role.name, lives, ready, first);
    }
    Ok(())
}

async fn events(log: &PgLog) -> Result<u64> {
    Ok(log.heads().await?.values().map(|head| head.position).sum())
}

/// Waits until nothing has been written for two seconds.
async fn at_rest(log: &PgLog) -> Result<()> {
    let begun = Instant::now();
    let mut seen = events(log).await?;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = events(log).await?;
        if now == seen {
            return Ok(());
        }
        seen = now;
        ensure!(
            begun.elapsed() < Duration::from_secs(900),
            "the workflows do not come to rest"
        );
    }
}

/// The log is the one that was sealed.
fn sealed(home: &Home, exported: &std::path::Path) -> Result<()> {
    let handed = home.file("handed");
    ends::verb(home.verb(&["audit", "export"]).arg("--out").arg(&handed))?;
    let mut verify = Command::new(&home.binary);
    verify
        .args(["audit", "verify", "--checkpoint"])
        .arg(handed.join("checkpoints.notes"));
    verify
        .arg("--keys")
        .arg(handed.join("checkpoints.keys"))
        .arg("--log")
        .arg(exported);
    ends::verb(&mut verify)
}

async fn views(home: &Home, log: Arc<dyn EventLog>) -> Result<usize> {
    let contact = home.engines.cassandra.contact_point();
    let stored = families()?.into_iter().map(|(family, _)| family);
    let stored = stored.filter(|family| *family != Family::Audit).collect();
    let store = ScyllaViews::open(ScyllaOptions::new(vec![contact], NAME, stored)).await?;
    ends::views_are_right(&log, &store, &home.file("scratch")).await
}
