//! A cluster that is backed up while it runs, goes on, and is put back into another database as it was at an event: doors and
//! watchers start in quarantine, what was lost is named from Kafka and from the backup, and a release ends it while they run.
//! What the lost history paid is not paid again.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use vaultstream_event_schemas::ErrorCode;

use crate::backup::{done, run, word};
use crate::cluster::{BEHIND, Build, DOORS, Roles};
use crate::product::{ETHER, Process, Product, problem, until};
use crate::rewind::{Operators, signing, somewhere};

/// Asks the chain itself.
async fn rpc(node: &str, method: &str, params: Value) -> Result<Value> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer: Value = reqwest::Client::new()
        .post(node)
        .json(&body)
        .send()
        .await?
        .json()
        .await?;
    ensure!(answer.get("error").is_none(), "{method}: {answer}");
    Ok(answer["result"].clone())
}

/// What an address holds.
async fn balance(node: &str, of: &str) -> Result<u128> {
    let answer = rpc(node, "eth_getBalance", json!([of, "latest"])).await?;
    let hex = answer.as_str().and_then(|hex| hex.strip_prefix("0x"));
    Ok(u128::from_str_radix(hex.context("a quantity is hex")?, 16)?)
}

/// Asks for an ether to the `n`th destination under the `n`th key.
async fn ask(product: &Product, n: u32) -> Result<String> {
    let from = product.vault("Operations").await?;
    let key = format!("rewind-{n}");
    Ok(product.transfer(&from, &somewhere(n), ETHER, &key).await?)
}

/// What was lost.
struct Lost {
    paid: String,
    flying: String,
    asked: String,
}

/// What will be lost: one transfer is paid, one is in flight when those who carry it die, and one is only asked for and on
/// Kafka.
async fn lost_history(product: &Product, behind: &mut [(&str, Process)], node: &str) -> Result<Lost> {
    let paid = ask(product, 1).await?;
    product.completed(&paid).await?;
    rpc(node, "evm_setIntervalMining", json!([0])).await?;
    let flying = ask(product, 2).await?;
    until("it is in flight", || async {
        let transfer = product.client.transfer(&flying).await?.body;
        Ok(transfer.executions.first().and_then(|e| e.txid.clone()))
    })
    .await?;
    for (role, process) in behind {
        if ["workflows", "watchers"].contains(role) {
            process.kill();
        }
    }
    let asked = ask(product, 3).await?;
    rpc(node, "evm_setIntervalMining", json!([1])).await?;
    // Views are folded from Kafka: what is listed has been relayed.
    until("it is listed", || async {
        let listed = product.client.transfers(None).await?.items;
        Ok(listed
            .iter()
            .any(|transfer| transfer.id.to_string() == asked)
            .then_some(()))
    })
    .await?;
    Ok(Lost { paid, flying, asked })
}

/// The newest event of a backup, as `--to-position` takes it.
fn newest(backup: &Path) -> Result<String> {
    let journal = std::fs::read_to_string(backup.join("backup.journal"))?;
    let entries = journal.lines().filter_map(|line| line.split_once(' '));
    let entries = entries.filter_map(|(_, entry)| serde_json::from_str::<Value>(entry).ok());
    let blocks = entries.filter_map(|entry| entry.get("block").cloned());
    let last = blocks.max_by_key(|block| block["lastHlc"].as_u64());
    let last = last.context("the backup has events")?;
    Ok(format!("{}:{}", last["shard"], last["upto"]))
}

/// Reads the cluster's log into another database, as it was at an event.
async fn restored(roles: &Roles, verb: &[&str], backup: &str, upto: &str) -> Result<()> {
    let first = roles.engines.postgres.url();
    let mut connection = PgConnection::connect(&first).await?;
    connection.execute("CREATE DATABASE rewound").await?;
    let (server, _) = first.rsplit_once('/').context("a url names its database")?;
    std::fs::write(roles.dir.path().join("postgres.url"), format!("{server}/rewound"))?;
    let from = ["restore", "--from", backup, "--to-position", upto];
    let said = done(&[&from[..], verb].concat())?;
    ensure!(said.contains("incarnation 1 ended at position"), "{said}");
    roles.migrate().await
}

/// Kafka and the backup name the same requests, with how far each of them came.
fn lost_is_named(verb: &[&str], lost: &Lost, backup: &str) -> Result<()> {
    for (place, more) in [("Kafka", &[][..]), ("the backup", &["--backup", backup][..])] {
        let (code, said) = run(&[&["reconcile", "-o", "json"], more, verb].concat())?;
        ensure!(code == Some(3), "{place}: {code:?} {said}");
        let found: Value = serde_json::from_str(said.lines().next().context("an object")?)?;
        let found = &found["lostEvents"];
        ensure!(found["place"] == place && found["cut"] == false, "{found}");
        let named = found["named"].as_array().context("a list")?;
        for (id, reached) in [
            (&lost.paid, "completed"),
            (&lost.flying, "approved"),
            (&lost.asked, "requested"),
        ] {
            let named = named.iter().find(|named| named["id"] == id.as_str());
            let named = named.with_context(|| format!("{place} does not name {id}: {found}"))?;
            ensure!(
                named["reached"] == reached && named["askedAgain"] == false,
                "{place}: {named}"
            );
        }
        let executions = named.iter().filter(|named| named["type"] == "execution.queued");
        let mut reached: Vec<_> = executions.map(|named| named["reached"].as_str()).collect();
        reached.sort_unstable();
        ensure!(reached == [Some("bound"), Some("completed")], "{place}: {found}");
    }
    Ok(())
}

/// Reconciled, signed by two of three, released.
fn released(roles: &Roles, verb: &[&str], lost: &Lost, operators: &Operators) -> Result<()> {
    let statement = roles.dir.path().join("statement");
    let (code, said) = run(&[&["reconcile", "--statement", &word(&statement)], verb].concat())?;
    ensure!(
        code == Some(3) && said.contains("unknown here") && said.contains("Kafka has "),
        "{code:?} {said}"
    );
    let named = format!("{} of org_", lost.asked);
    ensure!(
        said.contains(&named) && said.contains("came as far as: requested"),
        "{said}"
    );
    let alice = word(&operators.sign("alice", &statement)?);
    let carol = word(&operators.sign("carol", &statement)?);
    let signed = ["release", "--signed", &alice, "--signed", &carol];
    let (code, said) = run(&[&signed[..], verb].concat())?;
    ensure!(
        code == Some(0) && said.contains("released by alice, carol"),
        "{code:?} {said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_behind_its_mark_should_sign_nothing_until_released_while_it_runs() -> Result<()> {
    let (roles, product, mut behind) = Roles::running().await?;
    let (config, data) = (word(&roles.config), word(&roles.dir.path().join("data")));
    let verb = ["--config", &config, "--data-dir", &data];
    let text = std::fs::read_to_string(&roles.config)?;
    let node = text.split("url = \"").find(|rest| rest.starts_with("http://"));
    let node = node
        .and_then(|rest| rest.split('"').next())
        .context("a node")?
        .to_owned();
    let kept = ask(&product, 0).await?;
    product.completed(&kept).await?;
    let folder = roles.dir.path().join("backup");
    let backup = word(&folder);
    let add = [&["backup", "--to", &backup], &verb[..]].concat();
    done(&add)?;
    let upto = newest(&folder)?;
    let lost = lost_history(&product, &mut behind, &node).await?;
    done(&add)?;
    drop(product);
    for (_, mut process) in behind {
        process.kill();
    }

    let (operators, section) = Operators::new()?;
    std::fs::write(&roles.config, format!("{text}\n{section}"))?;
    restored(&roles, &verb, &backup, &upto).await?;
    let behind = BEHIND.map(|role| anyhow::Ok((role, roles.role(Build::This, role)?)));
    let behind: Vec<_> = behind.into_iter().collect::<Result<_>>()?;
    let (doors, base) = roles.role(Build::This, DOORS)?;
    let product = roles.product(doors, base, String::new())?;
    let signing_roles = behind
        .iter()
        .filter(|(role, _)| ["watchers", "workflows"].contains(role));
    let mut bases: Vec<&String> = signing_roles.map(|(_, (_, base))| base).collect();
    bases.push(&product.base);
    ensure!(bases.len() == 3, "both are in the list");
    for base in &bases {
        let seen = signing(base).await?;
        ensure!(seen["status"] == "quarantined", "{base}: {seen}");
    }
    let from = product.vault("Operations").await?;
    let refused = problem(product.transfer(&from, &somewhere(1), ETHER, "rewind-1").await)?;
    ensure!(refused.code == ErrorCode::Quarantined, "{refused:?}");
    lost_is_named(&verb, &lost, &backup)?;
    released(&roles, &verb, &lost, &operators)?;
    // Nobody was started again.
    for base in &bases {
        until("signing goes on", || async {
            Ok((signing(base).await?["status"] == "open").then_some(()))
        })
        .await?;
    }
    // Clients that find nothing of what they asked for ask again, and one asks for something new.
    let mut again = Vec::new();
    for n in 1..5 {
        again.push(ask(&product, n).await?);
    }
    ensure!(
        again[..3] == [lost.paid, lost.flying, lost.asked],
        "the same keys are the same transfers: {again:?}"
    );
    for id in &again {
        product.completed(id).await?;
    }
    for n in 0..5 {
        let paid = balance(&node, &somewhere(n)).await?;
        ensure!(paid == ETHER, "transfer {n} was paid {paid}");
    }
    Ok(())
}
