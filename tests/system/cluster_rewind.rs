//! The cluster's log is put back into another database behind its mark: doors and watchers start in quarantine, and a
//! release ends it while they run. What the lost history paid is not paid again.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use vaultstream_event_schemas::ErrorCode;

use crate::backup::{done, run, word};
use crate::cluster::{BEHIND, Build, DOORS, Roles};
use crate::product::{ETHER, Product, problem, until};
use crate::rewind::{Operators, signing, somewhere};

/// What an address holds, by the chain itself.
async fn balance(node: &str, of: &str) -> Result<u128> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": [of, "latest"] });
    let answer: Value = reqwest::Client::new()
        .post(node)
        .json(&body)
        .send()
        .await?
        .json()
        .await?;
    let hex = answer["result"].as_str().and_then(|hex| hex.strip_prefix("0x"));
    Ok(u128::from_str_radix(hex.context("a quantity is hex")?, 16)?)
}

async fn pay(product: &Product, n: u32) -> Result<()> {
    let from = product.vault("Operations").await?;
    let key = format!("rewind-{n}");
    let id = product.transfer(&from, &somewhere(n), ETHER, &key).await?;
    product.completed(&id).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_behind_its_mark_should_sign_nothing_until_released_while_it_runs() -> Result<()> {
    let (roles, product, behind) = Roles::running().await?;
    let (config, data) = (word(&roles.config), word(&roles.dir.path().join("data")));
    let text = std::fs::read_to_string(&roles.config)?;
    let node = text.split("url = \"").find(|rest| rest.starts_with("http://"));
    let node = node
        .and_then(|rest| rest.split('"').next())
        .context("a node")?
        .to_owned();
    pay(&product, 0).await?;
    let backup = word(&roles.dir.path().join("backup"));
    done(&[
        "backup",
        "--config",
        &config,
        "--data-dir",
        &data,
        "--to",
        &backup,
    ])?;
    // What will be lost: 1 and 2 are paid.
    pay(&product, 1).await?;
    pay(&product, 2).await?;
    drop(product);
    for (_, mut process) in behind {
        process.kill();
    }

    let (operators, section) = Operators::new()?;
    std::fs::write(&roles.config, format!("{text}\n{section}"))?;
    let first = roles.engines.postgres.url();
    let mut connection = PgConnection::connect(&first).await?;
    connection.execute("CREATE DATABASE rewound").await?;
    let (server, _) = first.rsplit_once('/').context("a url names its database")?;
    std::fs::write(roles.dir.path().join("postgres.url"), format!("{server}/rewound"))?;
    done(&[
        "restore",
        "--config",
        &config,
        "--data-dir",
        &data,
        "--from",
        &backup,
    ])?;
    roles.migrate().await?;

    let behind = BEHIND.map(|role| anyhow::Ok((role, roles.role(Build::This, role)?)));
    let behind: Vec<_> = behind.into_iter().collect::<Result<_>>()?;
    let (doors, base) = roles.role(Build::This, DOORS)?;
    let product = roles.product(doors, base, String::new())?;
    let watchers = behind.iter().find(|(role, _)| *role == "watchers");
    let watchers = &watchers.context("in the list")?.1.1;
    for base in [&product.base, watchers] {
        let seen = signing(base).await?;
        ensure!(seen["status"] == "quarantined", "{base}: {seen}");
    }
    let from = product.vault("Operations").await?;
    let refused = problem(product.transfer(&from, &somewhere(1), ETHER, "rewind-1").await)?;
    ensure!(refused.code == ErrorCode::Quarantined, "{refused:?}");

    let statement = roles.dir.path().join("statement");
    let verb = ["--config", &config, "--data-dir", &data];
    let (code, said) = run(&[&["reconcile", "--statement", &word(&statement)], &verb[..]].concat())?;
    ensure!(
        code == Some(3) && said.contains("unknown here"),
        "{code:?} {said}"
    );
    let alice = word(&operators.sign("alice", &statement)?);
    let carol = word(&operators.sign("carol", &statement)?);
    let signed = ["release", "--signed", &alice, "--signed", &carol];
    let (code, said) = run(&[&signed[..], &verb[..]].concat())?;
    ensure!(
        code == Some(0) && said.contains("released by alice, carol"),
        "{code:?} {said}"
    );
    // Nobody was started again.
    for base in [&product.base, watchers] {
        until("signing goes on", || async {
            Ok((signing(base).await?["status"] == "open").then_some(()))
        })
        .await?;
    }
    for n in 1..4 {
        pay(&product, n).await?;
    }
    for n in 0..4 {
        let paid = balance(&node, &somewhere(n)).await?;
        ensure!(paid == ETHER, "transfer {n} was paid {paid}");
    }
    Ok(())
}
