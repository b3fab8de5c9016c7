//! `cargo xtask cluster`: every role and every engine on this machine, for people to try.
//!
//! One process a role, on PostgreSQL, Kafka, Cassandra (in ScyllaDB's place) and Redis, with an anvil as the chain. The
//! two doors share a process, because a browser wants one origin; in production an ingress routes by path. Data lives in
//! a temporary directory and goes with the verb. A role that ends is started again, as an orchestrator would: end one
//! and watch.

use crate::paths::Paths;
use crate::steps::Steps;
use crate::{doctor, engines, process, web};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use vaultstream_engines::Cluster;

/// The roles, each with its process.
const ROLES: [&str; 6] = [
    "relay",
    "sealer",
    "projectors",
    "workflows",
    "watchers",
    "command-api,query-api",
];
/// How long a role may take until it answers.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(500);
const DOORS: &str = "127.0.0.1:8080";

pub fn run(paths: &Paths) -> Result<ExitCode> {
    let mut steps = Steps::new(5);
    let fetched = steps.step("engines", || engines::ensure(paths))?;
    steps.step("dashboard", || {
        doctor::ensure_wasm_target(paths)?;
        web::build(paths).map(|built| println!("{built}"))
    })?;
    steps.step(
        "release binary with the cluster's engines (some minutes the first time)",
        || build_release(paths),
    )?;
    let dir = tempfile::Builder::new()
        .prefix("vaultstream-cluster-")
        .tempdir()
        .context("cannot make a directory for the cluster")?;
    let binary = dir.path().join("vaultstream");
    // A copy: building anything later must not pull the program from under its processes.
    std::fs::copy(paths.release_binary("vaultstream"), &binary).context("cannot copy the binary")?;
    let (cluster, anvil, node) =
        steps.step("starting PostgreSQL, Kafka, Cassandra, Redis and anvil", || {
            let cluster = Cluster::start()?;
            let (anvil, node) = start_anvil(&fetched.anvil)?;
            Ok((cluster, anvil, node))
        })?;
    let config = cluster.write_config(dir.path(), "vaultstream", &node)?;
    let setup = Setup {
        binary,
        config,
        web: paths.web(),
        dir: dir.path().to_owned(),
    };
    let mut roles = steps.step("roles", || {
        setup.migrate(&[])?;
        ROLES
            .iter()
            .map(|role| setup.start(role))
            .collect::<Result<Vec<_>>>()
    })?;
    for line in setup.migrate(&["--demo"])? {
        if let Some(path) = line
            .split_once("link: ")
            .and_then(|(_, url)| url.splitn(4, '/').nth(3))
        {
            println!("Vaultstream runs at http://{DOORS}; sign in once with http://{DOORS}/{path}");
        } else if line.starts_with("Demo API key") {
            println!("{line}");
        }
    }
    for role in &roles {
        println!(
            "  {:24} process {:7} {}",
            role.name,
            role.child.id(),
            role.log.display()
        );
    }
    println!("Ctrl-C ends it all. End one of the processes and it is started again.");
    let ended = watch(&setup, &mut roles);
    drop(roles);
    drop((anvil, cluster));
    ended.map(|()| ExitCode::SUCCESS)
}

/// The binary with the cluster's engines, also what `bench` measures.
pub fn build_release(paths: &Paths) -> Result<()> {
    process::run(&mut process::cargo(
        paths,
        "build --release -p vaultstream --bin vaultstream --features cluster",
    ))
}

/// A child that ends with its owner.
struct Leashed(Child);

impl Drop for Leashed {
    fn drop(&mut self) {
        // One that has ended already is as dead as it should be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that is asked to end when this one has gone, however that happened.
fn leashed(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

fn start_anvil(binary: &Path) -> Result<(Leashed, String)> {
    let port = free_port()?;
    let child = leashed(binary)
        .args([
            "--block-time",
            "1",
            "--slots-in-an-epoch",
            "1",
            "--silent",
            "--port",
        ])
        .arg(port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .context("anvil cannot be started")?;
    let child = Leashed(child);
    wait_for(&format!("127.0.0.1:{port}"), "anvil")?;
    Ok((child, format!("http://127.0.0.1:{port}")))
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

fn wait_for(address: &str, name: &str) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::park_timeout(LOOK);
    }
    bail!("{name} does not answer at {address}")
}

/// How processes are started.
struct Setup {
    binary: PathBuf,
    config: PathBuf,
    web: PathBuf,
    dir: PathBuf,
}

/// A role's process.
struct Role {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Drop for Role {
    fn drop(&mut self) {
        // SIGTERM by the shell: leases are given back and requests answered. What does not listen is killed.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let until = Instant::now() + Duration::from_secs(15);
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => std::thread::park_timeout(Duration::from_millis(100)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Setup {
    fn command(&self, role: &str, listen: &str) -> Command {
        let mut command = leashed(&self.binary);
        command
            .args(["serve", "--role", role, "--listen", listen, "--config"])
            .arg(&self.config)
            .arg("--data-dir")
            .arg(self.dir.join("data"))
            .env("VAULTSTREAM_WEB_DIR", &self.web);
        command
    }

    /// Brings the engines up to date; what it printed.
    fn migrate(&self, arguments: &[&str]) -> Result<Vec<String>> {
        let mut command = self.command("migrate", "127.0.0.1:0");
        let output = process::capture(command.args(arguments)).context("the migration failed")?;
        Ok(String::from_utf8_lossy(&output)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    fn start(&self, name: &'static str) -> Result<Role> {
        let listen = if name.contains("query-api") {
            DOORS
        } else {
            "127.0.0.1:0"
        };
        let log = self.dir.join(format!("{}.log", name.replace(',', "+")));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut child = self
            .command(name, listen)
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("role {name} cannot be started"))?;
        let output = child.stdout.take().context("standard output is piped")?;
        let role = Role { name, child, log };
        let (sender, ready) = sync_channel(1);
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            if lines.any(|line| line.starts_with("Vaultstream is ready")) {
                // Nobody waits any more when it took too long.
                let _ = sender.send(());
            }
            lines.for_each(drop);
        });
        match ready.recv_timeout(PATIENCE) {
            Ok(()) => Ok(role),
            Err(RecvTimeoutError::Timeout) => bail!("role {name} is not ready; see {}", role.log.display()),
            Err(RecvTimeoutError::Disconnected) => {
                let said = std::fs::read_to_string(&role.log).unwrap_or_default();
                bail!("role {name} ended: {}", said.trim_end())
            }
        }
    }
}

/// Starts again what ends, until this process is told to end. Ctrl-C goes to the whole group, so roles that end by it
/// end with us.
fn watch(setup: &Setup, roles: &mut [Role]) -> Result<()> {
    loop {
        std::thread::park_timeout(LOOK);
        for role in roles.iter_mut() {
            if let Some(status) = role.child.try_wait().context("cannot ask for a role")? {
                println!("role {} ended with {status}; it is started again", role.name);
                *role = setup.start(role.name)?;
                println!("role {} runs again as process {}", role.name, role.child.id());
            }
        }
    }
}
