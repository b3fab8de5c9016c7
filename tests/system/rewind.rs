//! The drill of a rewind: transfers are in flight, the log is put back to what it was, and nothing is paid twice.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use vaultstream_client::Vault;
use vaultstream_client::http::ClientError;
use vaultstream_event_schemas::ErrorCode;

use crate::backup::word;
use crate::chain::Chain;
use crate::product::{ETHER, Product, Setup, address, problem, program, until};

/// The destinations of the drill, one a transfer, so that the chain tells what each was paid: nobody has their keys.
pub fn somewhere(n: u32) -> String {
    format!("0x{:040x}", 0xd00d_0000_0000_u64 + u64::from(n))
}

/// Three operators, each with a key of their own.
pub struct Operators(TempDir);

impl Operators {
    /// Three keys, and the configuration that wants two of them.
    pub fn new() -> Result<(Self, String)> {
        let dir = tempfile::tempdir()?;
        let mut keys = Vec::new();
        for name in ["alice", "bob", "carol"] {
            let out = Self::run(
                &["operator", "keygen", "--name", name, "--out"],
                &dir.path().join(name),
            )?;
            keys.push(out.trim().to_owned());
        }
        let config = format!("[operators]\nthreshold = 2\nkeys = {keys:?}\n");
        Ok((Self(dir), config))
    }

    fn run(arguments: &[&str], last: &Path) -> Result<String> {
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        let output = command.args(arguments).arg(last).output()?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The statement as an operator signed it.
    pub fn sign(&self, name: &str, statement: &Path) -> Result<PathBuf> {
        let out = statement.with_extension(name);
        let key = self.0.path().join(name);
        let (key, shown) = (key.to_string_lossy(), statement.to_string_lossy());
        let said = Self::run(
            &["operator", "sign", "--key", &key, "--statement", &shown, "--out"],
            &out,
        )?;
        ensure!(said.contains(&format!("signed by {name}")), "{said}");
        Ok(out)
    }
}

/// What a verb of the installation said, and how it ended.
fn verb(setup: &Setup, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let mut command = Command::new(program("VAULTSTREAM_BIN")?);
    command.args(arguments).arg("--data-dir").arg(setup.data_dir());
    command
        .arg("--config")
        .arg(setup.data_dir().with_file_name("vaultstream.toml"));
    let output = command.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

/// What a process says of signing.
pub async fn signing(base: &str) -> Result<Value> {
    let body: Value = reqwest::get(format!("{base}/health/ready")).await?.json().await?;
    Ok(body["signing"].clone())
}

/// Puts the log back to a copy of it, and declares that.
fn put_back(setup: &Setup, copy: &Path) -> Result<()> {
    let data = setup.data_dir();
    for name in ["log.db", "log.db-wal", "log.db-shm"] {
        let (from, to) = (copy.join(name), data.join(name));
        if to.exists() {
            std::fs::remove_file(&to)?;
        }
        if from.exists() {
            std::fs::copy(&from, &to)?;
        }
    }
    let (code, said) = verb(setup, &["restore", "--declare"])?;
    ensure!(code == Some(0), "{code:?}: {said}");
    Ok(())
}

/// Asks for an ether to each destination, each under a key of its own, as a client does again that finds nothing.
async fn ask(product: &Product, from: &Vault, numbers: std::ops::Range<u32>) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for n in numbers {
        let key = format!("drill-{n}");
        ids.push(product.transfer(from, &somewhere(n), ETHER, &key).await?);
    }
    Ok(ids)
}

/// The log's files, as they lie.
fn copied(setup: &Setup) -> Result<TempDir> {
    let copy = tempfile::tempdir()?;
    for name in ["log.db", "log.db-wal", "log.db-shm"] {
        let file = setup.data_dir().join(name);
        if file.exists() {
            std::fs::copy(file, copy.path().join(name))?;
        }
    }
    Ok(copy)
}

/// A vault whose transfers 0 and 1 are paid and whose transfer 2 is queued, and a copy of the log as it is then.
async fn until_queued(setup: &Setup) -> Result<(Vault, TempDir)> {
    let mut product = setup.start()?;
    let from = product.new_vault("Drill", 20 * ETHER).await?;
    for id in ask(&product, &from, 0..2).await? {
        product.completed(&id).await?;
    }
    ensure!(signing(&product.base).await?["status"] == "open");
    product.process.terminate().await?;
    drop(product);
    let mut product = setup.clone().with_env("VAULTSTREAM_HALT_AT", "queued").start()?;
    // It may die before it answers.
    drop(ask(&product, &from, 2..3).await);
    product.process.wait_for_end().await?;
    Ok((from, copied(setup)?))
}

/// The history that will be lost: 2 is paid, 3 to 5 are asked for and paid, 6 and 7 are in flight when it ends. Answers the
/// ids of 3 to 7, and leaves a backup behind that has all of it.
async fn lost_history(setup: &Setup, chain: &Chain, from: &Vault, backup: &str) -> Result<Vec<String>> {
    let mut product = setup.start()?;
    let mut ids = ask(&product, from, 2..6).await?;
    for id in &ids {
        product.completed(id).await?;
    }
    ids.remove(0);
    chain.control("sandbox_setAutomine", json!([false])).await?;
    for id in ask(&product, from, 6..8).await? {
        until("it is in flight", || async {
            let transfer = product.client.transfer(&id).await?.body;
            Ok(transfer.executions.first().and_then(|e| e.txid.clone()))
        })
        .await?;
        ids.push(id);
    }
    product.process.kill();
    let (code, said) = verb(setup, &["backup", "--to", backup])?;
    ensure!(code == Some(0), "{code:?}: {said}");
    chain.control("sandbox_setAutomine", json!([true])).await?;
    chain.advance(3).await?;
    Ok(ids)
}

/// Reads work, nothing is signed, nothing is sent.
async fn quarantine_holds(setup: &Setup, chain: &Chain, from: &Vault) -> Result<()> {
    let sent = chain.sent(&address(from)?).await?;
    let mut product = setup.start()?;
    let seen = signing(&product.base).await?;
    let why = seen["detail"].as_str().unwrap_or_default();
    ensure!(
        seen["status"] == "quarantined" && why.contains("was marked"),
        "{seen}"
    );
    let metrics = reqwest::get(format!("{}/metrics", product.base))
        .await?
        .text()
        .await?;
    ensure!(metrics.contains("\nvaultstream_quarantined 1"), "it is counted");
    let vault = product.vault("Drill").await?;
    ensure!(vault.id == from.id, "reads go on");
    let refused = problem(product.transfer(from, &somewhere(8), ETHER, "drill-8").await)?;
    ensure!(refused.code == ErrorCode::Quarantined, "{refused:?}");
    chain.advance(5).await?;
    ensure!(
        chain.sent(&address(from)?).await? == sent,
        "something was sent in quarantine"
    );
    product.process.terminate().await?;
    Ok(())
}

/// What the backup has and the log has lost is named, each with how far it came.
fn lost_is_named(setup: &Setup, lost: &[String], backup: &str) -> Result<()> {
    let (code, said) = verb(setup, &["reconcile", "--backup", backup, "-o", "json"])?;
    ensure!(code == Some(3), "{code:?}: {said}");
    let found: Value = serde_json::from_str(said.lines().next().context("an object")?)?;
    let named = found["lostEvents"]["named"].as_array().context("a list")?;
    let reached = |id: &str| {
        let named = named.iter().find(|named| named["id"] == id);
        named.and_then(|named| named["reached"].as_str())
    };
    for (n, id) in lost.iter().enumerate() {
        let wanted = if n < 3 { "completed" } else { "approved" };
        ensure!(reached(id) == Some(wanted), "{id}: {found}");
    }
    let executions = |word: &str| {
        let is_one = |named: &&Value| named["type"] == "execution.queued" && named["reached"] == word;
        named.iter().filter(is_one).count()
    };
    ensure!(
        (executions("completed"), executions("bound")) == (3, 2),
        "{found}"
    );
    // Without it nobody knows, and that is said.
    let (_, said) = verb(setup, &["reconcile"])?;
    ensure!(said.contains("give --backup DIR"), "{said}");
    Ok(())
}

/// Reconciled, signed by two of three, released.
fn released(setup: &Setup, operators: &Operators, lost: &[String], backup: &str) -> Result<()> {
    lost_is_named(setup, lost, backup)?;
    let place = tempfile::tempdir()?;
    let statement = place.path().join("statement");
    let shown = statement.to_string_lossy().into_owned();
    let (code, said) = verb(setup, &["reconcile", "--statement", &shown, "--backup", backup])?;
    ensure!(code == Some(3) && said.contains("QUARANTINE"), "{code:?}: {said}");
    ensure!(lost.iter().all(|id| said.contains(id)), "{lost:?}: {said}");
    ensure!(
        said.contains("goes on with the same transaction"),
        "2 is known: {said}"
    );
    ensure!(said.contains("unknown here"), "3 to 7 are not: {said}");
    let signed = |name| anyhow::Ok(operators.sign(name, &statement)?.to_string_lossy().into_owned());
    let alice = signed("alice")?;
    let (code, said) = verb(setup, &["release", "--signed", &alice])?;
    ensure!(
        code == Some(1) && said.contains("2 are needed"),
        "one is not enough: {said}"
    );
    let bob = signed("bob")?;
    let both = ["release", "--signed", &alice, "--signed", &bob];
    let (code, said) = verb(setup, &both)?;
    ensure!(
        code == Some(1) && said.contains("give --backup DIR"),
        "what was counted is looked at again: {said}"
    );
    let (code, said) = verb(setup, &[&both[..], &["--backup", backup]].concat())?;
    ensure!(
        code == Some(0) && said.contains("released by alice, bob"),
        "{code:?}: {said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_is_put_back_should_sign_nothing_until_released_and_pay_nothing_twice() -> Result<()> {
    let chain = Chain::sandbox()?;
    let (operators, config) = Operators::new()?;
    let setup = Setup::new()?.with_config(format!("{config}{}", chain.config()));
    let (from, copy) = until_queued(&setup).await?;
    let further = tempfile::tempdir()?;
    let backup = word(&further.path().join("backup"));
    let lost = lost_history(&setup, &chain, &from, &backup).await?;
    put_back(&setup, copy.path())?;
    quarantine_holds(&setup, &chain, &from).await?;
    released(&setup, &operators, &lost, &backup)?;

    // It goes on: the clients that find nothing of what they asked for ask again, under the same keys.
    let mut product = setup.start()?;
    ensure!(signing(&product.base).await?["status"] == "open");
    for id in ask(&product, &from, 2..9).await? {
        product.completed(&id).await?;
    }
    for n in 0..9 {
        let paid = chain.balance(&somewhere(n)).await?;
        ensure!(paid == ETHER, "transfer {n} was paid {paid}");
    }
    ensure!(
        chain.sent(&address(&from)?).await? == 9,
        "one transaction for each of nine transfers"
    );
    product.process.terminate().await?;
    drop(product);
    let (code, said) = verb(&setup, &["reconcile"])?;
    ensure!(
        code == Some(0) && said.contains("holds its mark"),
        "{code:?}: {said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_mark_should_be_a_quarantine_where_operators_are_named() -> Result<()> {
    let chain = Chain::sandbox()?;
    let (_operators, config) = Operators::new()?;
    let setup = Setup::new()?.with_config(format!("{config}{}", chain.config()));
    let mut product = setup.start()?;
    let from = product.new_vault("Marked", 3 * ETHER).await?;
    let id = product.transfer(&from, &somewhere(0), ETHER, "marked").await?;
    product.completed(&id).await?;
    product.process.terminate().await?;
    drop(product);
    let marks = setup.data_dir().with_file_name("data-marks");
    let names: Vec<_> = std::fs::read_dir(&marks)?.collect::<Result<_, _>>()?;
    ensure!(!names.is_empty(), "marks lie beside the data directory");
    std::fs::remove_dir_all(&marks)?;
    let product = setup.start()?;
    let seen = signing(&product.base).await?;
    let detail = seen["detail"].as_str().context("it says why")?;
    ensure!(detail.contains("there is no mark"), "{detail}");
    let refused: Result<_, ClientError> = product.transfer(&from, &somewhere(1), ETHER, "more").await;
    ensure!(problem(refused)?.code == ErrorCode::Quarantined);
    Ok(())
}
