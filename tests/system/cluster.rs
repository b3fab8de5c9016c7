//! The same product role by role on the real engines: a transfer to its end, every role killed and restarted under way,
//! and the log carried over from the embedded assembly. The rolling upgrade is in `rolling.rs`.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use vaultstream_client::http::{Client, With};
use vaultstream_engines::Cluster;

use crate::chain::Chain;
use crate::collector::Collector;
use crate::eyes::Scrape;
use crate::faults::Links;
use crate::people::Person;
use crate::product::{ETHER, Process, Product, Setup, account, address, program, until};
use crate::traces::{self, Subscriber};

/// Every role that runs for itself; the doors are in [`Roles::doors`].
pub const BEHIND: [&str; 5] = ["relay", "sealer", "projectors", "workflows", "watchers"];

/// The doors, in one process.
pub const DOORS: &str = "command-api,query-api";
/// Which build a process is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The one under test.
    This,
    /// The one after it, rehearsed.
    Next,
}

/// The processes of a cluster on one set of engines.
pub struct Roles {
    /// Configuration and data.
    pub dir: TempDir,
    pub config: PathBuf,
    /// The engines, of this test alone.
    pub engines: Cluster,
    chain: Chain,
}

impl Roles {
    /// Engines and a chain, and nothing of ours.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (engines, chain) = (Cluster::start()?, Chain::anvil()?);
        let config = engines.write_config(dir.path(), "vs_test", &chain.rpc)?;
        Ok(Self {
            dir,
            config,
            engines,
            chain,
        })
    }

    /// The same, with every engine and the node at the other end of a link.
    pub async fn behind(links: &Links) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let kafka = format!("PLAINTEXT://{}", links.kafka.address());
        let start = move || {
            // A node that stands for several must not lose what it has acknowledged when it is killed.
            let cassandra = [("commitlog_sync", "batch")];
            let engines = Cluster::with(&[("advertised.listeners", kafka.as_str())], &cassandra)?;
            anyhow::Ok((engines, Chain::anvil()?))
        };
        let (engines, chain) = tokio::task::spawn_blocking(start).await??;
        let config = engines.write_config(dir.path(), "vs_test", &chain.rpc)?;
        links.stand_between(&engines, &chain.rpc, &config)?;
        Ok(Self {
            dir,
            config,
            engines,
            chain,
        })
    }

    /// Puts a shard of the chain into a database of its own.
    async fn split_the_chain(&self) -> Result<()> {
        let first = self.engines.postgres.url();
        let mut connection = PgConnection::connect(&first).await?;
        connection.execute("CREATE DATABASE second").await?;
        let (server, _) = first.rsplit_once('/').context("a url names its database")?;
        let url = format!("{server}/second");
        let file = self.dir.path().join("second.url");
        std::fs::write(&file, url)?;
        let all = std::fs::read_to_string(&self.config)?;
        let (before, after) = all.split_once(" }]\n\n[kafka]").context("one database")?;
        let (first, second) = (
            r#"shards = ["core", "audit", "eth_sandbox:0"]"#,
            r#"shards = ["eth_sandbox:1"]"#,
        );
        let second = format!(
            "{{ name = \"second\", url = \"file:{}\", {second} }}",
            file.display()
        );
        let config = format!("{before}, {first} }}, {second}]\n\n[kafka]{after}");
        Ok(std::fs::write(&self.config, config)?)
    }

    /// A verb on this cluster.
    pub fn command(&self, verb: &str) -> Result<Command> {
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        command.arg(verb).arg("--config").arg(&self.config);
        command.arg("--data-dir").arg(self.dir.path().join("data"));
        Ok(command)
    }

    /// How a role is run.
    pub fn serve(&self, build: Build, role: &str) -> Result<Command> {
        let mut command = self.command("serve")?;
        command.args(["--role", role, "--listen", "127.0.0.1:0"]);
        if build == Build::Next {
            command.env("VAULTSTREAM_REHEARSE", "next");
        }
        Ok(command)
    }

    /// A role, started.
    pub fn spawn(&self, build: Build, role: &str) -> Result<Process> {
        Process::start(&mut self.serve(build, role)?)
    }

    /// A role that answers; and where.
    pub fn role(&self, build: Build, role: &str) -> Result<(Process, String)> {
        let process = self.spawn(build, role)?;
        let ready = |l: &str| l.strip_prefix("Vaultstream is ready at ").map(str::to_owned);
        let base = process.line(ready).with_context(|| format!("role {role}"))?;
        Ok((process, base))
    }

    /// Makes what every role needs.
    pub async fn migrate(&self) -> Result<()> {
        let mut process = self.spawn(Build::This, "migrate")?;
        ensure!(process.wait_for_end().await?.success(), "the migration failed");
        Ok(())
    }

    /// Seeds the demo through the running roles.
    pub fn seed(&self) -> Result<Process> {
        let mut command = self.command("serve")?;
        command.args(["--role", "migrate", "--demo", "--listen", "127.0.0.1:0"]);
        Process::start(&mut command)
    }

    /// The doors as tests know the product.
    pub fn product(&self, process: Process, base: String, link: String) -> Result<Product> {
        let key = std::fs::read_to_string(self.dir.path().join("data/demo.key"))?
            .trim_end()
            .to_owned();
        let client = Client::try_new(&base, Some(&key))?;
        Ok(Product::of(process, (base, link, key), client))
    }

    fn doors(&self) -> Result<(Process, String)> {
        self.role(Build::This, DOORS)
    }

    /// Everything, running and seeded: the cluster, its doors, and the roles behind them.
    pub async fn running() -> Result<(Self, Product, Vec<(&'static str, Process)>)> {
        let roles = Self::start()?;
        roles.migrate().await?;
        let behind = BEHIND.map(|role| anyhow::Ok((role, roles.role(Build::This, role)?.0)));
        let behind = behind.into_iter().collect::<Result<_>>()?;
        let (doors, base) = roles.doors()?;
        let mut seeding = roles.seed()?;
        let link = seeding.line(|l| l.strip_prefix("One-time sign-in link: ").map(str::to_owned))?;
        ensure!(seeding.wait_for_end().await?.success(), "the demo was not seeded");
        let product = roles.product(doors, base, link)?;
        Ok((roles, product, behind))
    }
}

async fn pay(product: &Product, key: &str) -> Result<()> {
    let from = product.vault("Operations").await?;
    let to = product.vault("Payouts").await?;
    let id = product
        .transfer(&from, &address(&to)?, ETHER / 1_000, key)
        .await?;
    let done = product.completed(&id).await.with_context(|| key.to_owned())?;
    ensure!(done.executions.len() == 1, "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_should_complete_whatever_role_is_killed_or_restarted() -> Result<()> {
    let (roles, collector) = (Roles::start()?, Collector::start().await);
    let config = std::fs::read_to_string(&roles.config)?;
    std::fs::write(&roles.config, config + &traces::config(&collector))?;
    roles.migrate().await?;
    let (mut behind, mut bases) = (Vec::new(), Vec::new());
    for role in BEHIND {
        let (process, base) = roles.role(Build::This, role)?;
        behind.push((role, process));
        bases.push((role, base));
    }
    let (doors, base) = roles.doors()?;
    bases.push((DOORS, base.clone()));
    let mut seeding = roles.seed()?;
    let link = seeding.line(|l| l.strip_prefix("One-time sign-in link: ").map(str::to_owned))?;
    ensure!(seeding.wait_for_end().await?.success(), "the demo was not seeded");
    let product = roles.product(doors, base, link)?;
    let mut subscriber = Subscriber::of(&product).await?;
    pay(&product, "first").await?;
    subscriber.event("transfer.completed").await?;
    traces::should_link_the_whole_way(&collector).await?;
    views_are_rebuilt(&roles, &product).await?;
    revocation_reaches_the_other_door(&roles, &product).await?;
    every_role_tells_its_metrics(&bases).await?;

    // Killed in the middle of a payment, each is replaced by another process that takes its leases over.
    for (role, process) in &mut behind {
        let from = product.vault("Operations").await?;
        let to = product.vault("Payouts").await?;
        let id = product
            .transfer(&from, &address(&to)?, ETHER / 1_000, &format!("kill-{role}"))
            .await?;
        process.kill();
        *process = roles.role(Build::This, role)?.0;
        let done = product
            .completed(&id)
            .await
            .with_context(|| format!("{role} was killed"))?;
        ensure!(done.executions.len() == 1, "{role}: {done:?}");
    }
    let payments = 2 + u128::try_from(BEHIND.len())?;
    let payouts = product.vault("Payouts").await?;
    let expected = 100 * ETHER + payments * (ETHER / 1_000);
    product
        .balance_is(&account(&payouts)?, |wei| wei == expected)
        .await?;

    let (_, projectors) = behind
        .iter_mut()
        .find(|(role, _)| *role == "projectors")
        .context("in the list")?;
    *projectors = views_grow_old_unfolded(&roles, &product, projectors).await?;
    let _ = (&roles.engines, &roles.chain);
    Ok(())
}

/// Every process tells every metric that the page says its role fills, but for what did not happen here: no spans are
/// exported, and caches have metrics of their own.
async fn every_role_tells_its_metrics(bases: &[(&str, String)]) -> Result<()> {
    for (role, base) in bases {
        until("a role tells all its metrics", || async {
            let told = Scrape::of(base).await?;
            let missing = told.missing(role, &["vaultstream_spans_", "vaultstream_cache_"]);
            // The log's clock is told by the first append, watermarks by the first look.
            Ok(missing.is_empty().then_some(()))
        })
        .await
        .with_context(|| role.to_string())?;
    }
    let relay = bases.iter().find(|(role, _)| *role == "relay");
    let told = Scrape::of(&relay.context("in the list")?.1).await?;
    let events = told.sum("vaultstream_relay_events_total", "");
    ensure!(events.is_some_and(|events| events > 10.0), "{events:?}");
    Ok(())
}

/// Nobody folds: whoever reads says how long what happens waits, and is not ready any more; the next projectors mend it.
async fn views_grow_old_unfolded(
    roles: &Roles,
    product: &Product,
    projectors: &mut Process,
) -> Result<Process> {
    let ready = || async {
        let answer = reqwest::get(format!("{}/health/ready", product.base)).await?;
        anyhow::Ok((
            answer.status().as_u16(),
            answer.json::<serde_json::Value>().await?,
        ))
    };
    ensure!(ready().await?.0 == 200, "ready before");
    projectors.kill();
    product.new_vault("Nobody folds this", 0).await?;
    let body = until("the reads are not ready", || async {
        let (status, body) = ready().await?;
        Ok((status == 503).then_some(body))
    })
    .await?;
    ensure!(body["status"] == "behind", "{body}");
    // Another view may be the oldest, and each of them grows older.
    until("the alert would fire", || async {
        let told = Scrape::of(&product.base).await?;
        let oldest = told.sum("vaultstream_view_lag_seconds", "view=\"vaults\"");
        let fires = oldest.is_some_and(|age| age > 10.0) && told.sum("vaultstream_ready", "") == Some(0.0);
        Ok(fires.then_some(()))
    })
    .await?;
    let (next, _) = roles.role(Build::This, "projectors")?;
    until("the views have caught up", || async {
        Ok((ready().await?.0 == 200).then_some(()))
    })
    .await?;
    Ok(next)
}

/// Asked for at a door, done by the process that keeps the views, read by the doors.
async fn views_are_rebuilt(roles: &Roles, product: &Product) -> Result<()> {
    let operator = Person::with(product, roles.dir.path().join("data/platform.key"));
    for view in ["transfers", "feed"] {
        let rebuilt = operator
            .reads(&["views", "rebuild", view, "--reason", "a test", "--wait", "120"])
            .await?;
        let rebuilt = rebuilt.as_array().context("a list")?;
        ensure!(
            !rebuilt.is_empty() && rebuilt.iter().all(|v| v["generation"] == 2),
            "{rebuilt:?}"
        );
    }
    pay(product, "after-a-rebuild").await?;
    let page = product.client.transfers(None).await?;
    ensure!(page.items.len() == 2, "{page:?}");
    Ok(())
}

/// Revoked at one door, refused at the other within a second.
async fn revocation_reaches_the_other_door(roles: &Roles, product: &Product) -> Result<()> {
    let (_other, base) = roles.doors()?;
    let body = json!({ "name": "short-lived", "scopes": ["vaults:read"] });
    let issued: Value = product
        .client
        .post("/v1/api-keys", &body, With::default())
        .await?
        .body;
    let (id, key) = (
        issued["id"].as_str().context("an id")?,
        issued["key"].as_str().context("a key")?,
    );
    let http = reqwest::Client::new();
    let ask = || http.get(format!("{base}/v1/vaults")).bearer_auth(key).send();
    for _ in 0..20 {
        ensure!(ask().await?.status() == 200);
    }
    let revoke = http
        .delete(format!("{}/v1/api-keys/{id}", product.base))
        .bearer_auth(&product.key);
    ensure!(revoke.send().await?.status() == 200);
    let begun = Instant::now();
    while ask().await?.status() != 401 {
        ensure!(
            begun.elapsed() < Duration::from_secs(1),
            "the other door still lets it in"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_one_machine_should_move_into_a_cluster_and_back() -> Result<()> {
    let embedded = Setup::new()?;
    let mut product = embedded.start()?;
    let from = product.new_vault("Moving", ETHER).await?;
    let to = address(&product.vault("Payouts").await?)?;
    let id = product.transfer(&from, &to, ETHER / 10, "moving").await?;
    product.completed(&id).await?;
    ensure!(
        product.process.terminate().await?.success(),
        "it did not stop well"
    );

    let dir = tempfile::tempdir()?;
    let run = |words: &[&str], config: Option<&PathBuf>, data: &PathBuf, file: &PathBuf| -> Result<String> {
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        command.args(words).arg(file).arg("--data-dir").arg(data);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (first, second) = (dir.path().join("first.jsonl"), dir.path().join("second.jsonl"));
    let said = run(&["export", "--out"], None, &embedded.data_dir(), &first)?;
    ensure!(said.contains("events of 5 shards"), "{said}");

    let roles = Roles::start()?;
    roles.split_the_chain().await?;
    let data = roles.dir.path().join("data");
    // The log's tables, and nothing in them: a migration of the whole product would register its own organization.
    run(&["import", "--from"], Some(&roles.config), &data, &first)?;
    run(&["export", "--out"], Some(&roles.config), &data, &second)?;
    ensure!(
        std::fs::read(&first)? == std::fs::read(&second)?,
        "the copy is not the same, byte for byte"
    );

    let back = Setup::new()?;
    let third = dir.path().join("third.jsonl");
    run(&["import", "--from"], None, &back.data_dir(), &second)?;
    run(&["export", "--out"], None, &back.data_dir(), &third)?;
    ensure!(
        std::fs::read(&first)? == std::fs::read(&third)?,
        "there and back is not the same"
    );
    Ok(())
}
