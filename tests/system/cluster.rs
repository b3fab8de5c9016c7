//! The same product role by role on the real engines: a transfer to its end, every role killed and restarted under way,
//! a rolling restart under load, and the log carried over from the embedded assembly.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use vaultstream_client::http::{Client, ClientError};
use vaultstream_engines::Cluster;
use vaultstream_event_schemas::TransferStatus;

use crate::chain::Chain;
use crate::eyes::Scrape;
use crate::product::{ETHER, Process, Product, Setup, account, address, program, transfer_body, until};

/// Every role that runs for itself; the doors are in [`Roles::doors`].
const BEHIND: [&str; 4] = ["relay", "projectors", "workflows", "watchers"];

/// The doors, in one process.
const DOORS: &str = "command-api,query-api";

/// The processes of a cluster on one set of engines.
struct Roles {
    dir: TempDir,
    config: PathBuf,
    engines: Cluster,
    chain: Chain,
}

impl Roles {
    fn start() -> Result<Self> {
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

    fn command(&self, verb: &str) -> Result<Command> {
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        command.arg(verb).arg("--config").arg(&self.config);
        command.arg("--data-dir").arg(self.dir.path().join("data"));
        Ok(command)
    }

    fn spawn(&self, role: &str) -> Result<Process> {
        let mut command = self.command("serve")?;
        command.args(["--role", role, "--listen", "127.0.0.1:0"]);
        Process::start(&mut command)
    }

    /// A role, ready; and where it answers.
    fn role(&self, role: &str) -> Result<(Process, String)> {
        let process = self.spawn(role)?;
        let ready = |l: &str| l.strip_prefix("Vaultstream is ready at ").map(str::to_owned);
        let base = process.line(ready).with_context(|| format!("role {role}"))?;
        Ok((process, base))
    }

    async fn migrate(&self) -> Result<()> {
        let mut process = self.spawn("migrate")?;
        ensure!(process.wait_for_end().await?.success(), "the migration failed");
        Ok(())
    }

    /// Seeds the demo through the running roles.
    fn seed(&self) -> Result<Process> {
        let mut command = self.command("serve")?;
        command.args(["--role", "migrate", "--demo", "--listen", "127.0.0.1:0"]);
        Process::start(&mut command)
    }

    /// The doors as tests know the product.
    fn product(&self, process: Process, base: String, link: String) -> Result<Product> {
        let key = std::fs::read_to_string(self.dir.path().join("data/demo.key"))?
            .trim_end()
            .to_owned();
        let client = Client::try_new(&base, Some(&key))?;
        Ok(Product::of(process, (base, link, key), client))
    }

    fn doors(&self) -> Result<(Process, String)> {
        self.role(DOORS)
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
    let roles = Roles::start()?;
    roles.migrate().await?;
    let (mut behind, mut bases) = (Vec::new(), Vec::new());
    for role in BEHIND {
        let (process, base) = roles.role(role)?;
        behind.push((role, process));
        bases.push((role, base));
    }
    let (doors, base) = roles.doors()?;
    bases.push((DOORS, base.clone()));
    let mut seeding = roles.seed()?;
    let link = seeding.line(|l| l.strip_prefix("One-time sign-in link: ").map(str::to_owned))?;
    ensure!(seeding.wait_for_end().await?.success(), "the demo was not seeded");
    let product = roles.product(doors, base, link)?;
    pay(&product, "first").await?;
    every_role_tells_its_metrics(&bases).await?;

    // Killed in the middle of a payment, each is replaced by another process that takes its leases over.
    for (role, process) in &mut behind {
        let from = product.vault("Operations").await?;
        let to = product.vault("Payouts").await?;
        let id = product
            .transfer(&from, &address(&to)?, ETHER / 1_000, &format!("kill-{role}"))
            .await?;
        process.kill();
        *process = roles.role(role)?.0;
        let done = product
            .completed(&id)
            .await
            .with_context(|| format!("{role} was killed"))?;
        ensure!(done.executions.len() == 1, "{role}: {done:?}");
    }
    let payments = 1 + u128::try_from(BEHIND.len())?;
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
    rolling_restart(&roles, product, behind).await?;
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
    let told = Scrape::of(&product.base).await?;
    let oldest = told.sum("vaultstream_view_lag_seconds", "view=\"vaults\"");
    ensure!(
        oldest.is_some_and(|age| age > 10.0),
        "{oldest:?}: the alert would not fire"
    );
    ensure!(told.sum("vaultstream_ready", "") == Some(0.0));
    let (next, _) = roles.role("projectors")?;
    until("the views have caught up", || async {
        Ok((ready().await?.0 == 200).then_some(()))
    })
    .await?;
    Ok(next)
}

/// Two doors and two of everything behind them; each is restarted by SIGTERM while commands go on. A client tries the
/// other door when one does not take its connection, as any balancer does; no command that was taken is lost.
async fn rolling_restart(
    roles: &Roles,
    first: Product,
    mut behind: Vec<(&'static str, Process)>,
) -> Result<()> {
    let (second, second_base) = roles.doors()?;
    let vault = first.vault("Operations").await?;
    let to = address(&first.vault("Payouts").await?)?;
    let (stop, key) = (Arc::new(AtomicBool::new(false)), first.key.clone());
    let bases = Arc::new(std::sync::Mutex::new(vec![first.base.clone(), second_base]));
    let load = tokio::spawn({
        let (stop, bases) = (stop.clone(), bases.clone());
        async move {
            let mut taken = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let key_of = format!("rolling-{}", taken.len());
                let body = transfer_body(&vault, &to, "1");
                let id = until("a door takes the command", || async {
                    let doors = bases.lock().map(|b| b.clone()).unwrap_or_default();
                    for base in doors {
                        let client = Client::try_new(&base, Some(&key))?;
                        match client.request_transfer(&body, &key_of).await {
                            Ok(answer) => return Ok(Some(answer.body.id.to_string())),
                            Err(ClientError::Connection(_)) => {}
                            Err(error) => return Err(error.into()),
                        }
                    }
                    Ok(None)
                })
                .await?;
                taken.push(id);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(taken)
        }
    });
    for (role, process) in &mut behind {
        ensure!(process.terminate().await?.success(), "{role} did not end well");
        *process = roles.role(role)?.0;
    }
    let mut doors = [first.process, second];
    for (index, process) in doors.iter_mut().enumerate() {
        ensure!(process.terminate().await?.success(), "a door did not end well");
        let (next, base) = roles.doors()?;
        *process = next;
        if let Ok(mut bases) = bases.lock() {
            bases[index] = base;
        }
    }
    stop.store(true, Ordering::SeqCst);
    let taken = load.await??;
    ensure!(taken.len() > 20, "only {} commands in all that time", taken.len());
    let base = bases.lock().map(|b| b[0].clone()).unwrap_or_default();
    let client = Client::try_new(&base, Some(&first.key))?;
    for id in &taken {
        let over = until("every command that was taken is carried out", || async {
            let transfer = client.transfer(id).await?.body;
            Ok(transfer.status.is_terminal().then_some(transfer.status))
        })
        .await?;
        ensure!(over == TransferStatus::Completed, "{id} ended as {over:?}");
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
