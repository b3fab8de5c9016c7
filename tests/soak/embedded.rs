//! The embedded product, killed again and again under a load of commands.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::{Family, Slug};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, SqliteViews, ViewOptions};
use vaultstream_rig::Child;

use crate::bed::{Bed, QUOTAS, doors};
use crate::chain::{Chain, program};
use crate::ends;
use crate::load::Load;
use crate::options::Options;
use crate::payer::{Payer, all_over};
use crate::report::Report;

const SLUG: &str = "eth_soak";
/// How soon a killed process has to be ready again.
const READY: Duration = Duration::from_secs(1);
/// How long a start may take before the soak gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const PRODUCT: &str = "vaultstream";

/// Where it lives and how it is started.
struct Home {
    dir: TempDir,
    port: u16,
    binary: PathBuf,
}

impl Home {
    fn make(chain: &Chain) -> Result<Self> {
        let home = Self {
            // On the disk that the build is on: the machine's temporary directory may be memory.
            dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?,
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            binary: program("VAULTSTREAM_BIN")?,
        };
        let chain = format!(
            "[[chains]]\nid = \"eip155:31337\"\nslug = \"{SLUG}\"\nname = \"Soak\"\nsandbox = true\n\
             assets = [{{ id = \"eip155:31337/slip44:60\", symbol = \"ETH\", decimals = 18 }}]\n\
             node = {{ kind = \"evm\", url = \"{}\", faucet = \"sandbox:{}\" }}\n",
            chain.rpc, chain.control
        );
        std::fs::write(
            home.file("vaultstream.toml"),
            format!("log_filter = \"warn\"\n{QUOTAS}{chain}"),
        )?;
        Ok(home)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.file("data")
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn verb(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(words)
            .arg("--config")
            .arg(self.file("vaultstream.toml"));
        command.arg("--data-dir").arg(self.data());
        command
    }

    fn start(&self, words: &[&str]) -> Result<Child> {
        let mut command = self.verb(&["serve"]);
        command
            .args(words)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        let said = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.file("said"))?;
        command.stderr(said);
        Child::start(command, PRODUCT)
    }
}

fn is_up(child: &Child) -> Result<()> {
    child.line("Vaultstream is ready at ", PATIENCE).map(drop)
}

/// Runs it; whether it was ready in time after every kill.
pub async fn run(options: &Options) -> Result<bool> {
    let chain = Chain::start()?;
    let home = Home::make(&chain)?;
    let mut child = home.start(&["--demo"])?;
    is_up(&child).with_context(|| said(&home))?;
    child.line("One-time sign-in link: ", PATIENCE)?;
    let key = std::fs::read_to_string(home.data().join("demo.key"))?;
    let bed = Bed::make(doors(&home.base(), &home.base(), key.trim_end())?).await?;

    let mut load = Load::start(&bed.doors.commands, &bed.body, options.rate, options.seed);
    let payer = Payer::start(bed.doors.clone(), load.seen.clone());
    let mut report = Report::default();
    kills(&home, &mut child, &mut load, options, &mut report)
        .await
        .with_context(|| said(&home))?;
    let paid = payer.end().await?;
    let seen = load.end().await.with_context(|| said(&home))?;
    all_over(&bed.doors.reads, paid.keys()).await?;
    ends::caught_up(&home.base()).await?;
    ensure!(
        child.terminate()?.success(),
        "it did not end well: {}",
        said(&home)
    );

    let exported = home.file("log.jsonl");
    ends::verb(home.verb(&["export"]).arg("--out").arg(&exported))?;
    let events = ends::log_is_right(&exported, &seen, &paid)?;
    ensure!(events >= options.events, "{events} events");
    ends::paid_once(&chain, &bed.payer, &paid).await?;
    sealed(&home)?;
    let views = views(&home).await?;
    Ok(report.print(options, &ends::facts(&seen, paid.len(), events, views), READY))
}

async fn kills(
    home: &Home,
    child: &mut Child,
    load: &mut Load,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let mut chance = fastrand::Rng::with_seed(options.seed);
    while report.kills() < options.kills {
        let lives = Duration::from_millis(chance.u64(50..1_200));
        tokio::time::sleep(lives).await;
        load.check().await?;
        let killed = Instant::now();
        let mut begun = kill(home, child, load)?;
        // Some die again before they have come up.
        while chance.u8(..) < 26 && report.kills() + 1 < options.kills {
            let lives = Duration::from_millis(chance.u64(5..250));
            tokio::time::sleep(lives).await;
            report.killed_while_starting(PRODUCT, lives);
            begun = kill(home, child, load)?;
        }
        is_up(child)?;
        let ready = begun.elapsed();
        let first = first(load, killed).await;
        report.recovered(PRODUCT, lives, ready, first);
    }
    Ok(())
}

/// Kills it and starts it again; when.
fn kill(home: &Home, child: &mut Child, load: &Load) -> Result<Instant> {
    child.kill();
    load.seen.killed();
    let begun = Instant::now();
    *child = home.start(&[])?;
    Ok(begun)
}

/// How long after the kill the first command was acknowledged.
async fn first(load: &Load, killed: Instant) -> Option<Duration> {
    for _ in 0..500 {
        if let Some(first) = load.seen.first() {
            return Some(first - killed);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

/// The log is the one that was sealed.
fn sealed(home: &Home) -> Result<()> {
    let handed = home.file("handed");
    ends::verb(home.verb(&["audit", "export"]).arg("--out").arg(&handed))?;
    let mut verify = Command::new(&home.binary);
    verify.args(["audit", "verify", "--data-dir"]).arg(home.data());
    verify.arg("--checkpoint").arg(handed.join("checkpoints.notes"));
    ends::verb(verify.arg("--keys").arg(handed.join("checkpoints.keys")))
}

async fn views(home: &Home) -> Result<usize> {
    let families = vec![
        (Family::Core, 2),
        (Family::Audit, 1),
        (Family::Chain(Slug::try_new(SLUG)?), 2),
    ];
    let log = SqliteLog::open(&LogOptions::new(home.data().join("log.db"), families.clone()))?;
    let log: Arc<dyn EventLog> = Arc::new(log);
    let families = families.into_iter().map(|(family, _)| family).collect();
    let store = SqliteViews::open(&ViewOptions::new(home.data().join("views"), families))?;
    ends::views_are_right(&log, &store, &home.file("scratch")).await
}

/// The end of what it said.
fn said(home: &Home) -> String {
    tail(&home.file("said"))
}

/// The last lines of a file.
pub fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
