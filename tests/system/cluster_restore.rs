//! The cluster, copied while it runs and put back into a new database: every role follows the next life of the log, over
//! Kafka and in views that still hold the life that ended.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};
use vaultstream_client::http::With;
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::{Checkpoint, TransferStatus};

use crate::audit::copy;
use crate::backup::{done, noted, nothing_secret, run, word};
use crate::cluster::{BEHIND, Build, DOORS, Roles};
use crate::product::{Process, Product, until};

/// Events in a log.
async fn events(url: &str) -> Result<u64> {
    let mut log = PgConnection::connect(url).await?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM vaultstream.event")
        .fetch_one(&mut log)
        .await?;
    Ok(u64::try_from(count)?)
}

/// The newest checkpoint.
async fn newest(roles: &Roles) -> Result<Option<Checkpoint>> {
    let mut list = PgConnection::connect(&roles.engines.postgres.checkpoints_url()).await?;
    let note: Option<String> = sqlx::query_scalar(
        "SELECT note FROM vaultstream_checkpoints.checkpoint ORDER BY number DESC LIMIT 1",
    )
    .fetch_optional(&mut list)
    .await?;
    let Some(note) = note else { return Ok(None) };
    Ok(Some(Note::parse(&note)?.text().parse()?))
}

/// Waits until as many events are sealed as there are now.
async fn sealed(roles: &Roles, url: &str) -> Result<()> {
    let wanted = events(url).await?;
    until("every event is sealed", || async {
        let sealed = newest(roles).await?.map_or(0, |newest| newest.events());
        Ok((sealed >= wanted).then_some(()))
    })
    .await
}

/// Stops every role.
async fn stop(mut product: Product, behind: Vec<(&'static str, Process)>) -> Result<()> {
    ensure!(
        product.process.terminate().await?.success(),
        "the doors did not stop well"
    );
    for (role, mut process) in behind {
        ensure!(process.terminate().await?.success(), "{role} did not stop well");
    }
    Ok(())
}

/// Points the configuration at a new database, and gives its URL.
async fn another_database(roles: &Roles) -> Result<String> {
    let first = roles.engines.postgres.url();
    let mut connection = PgConnection::connect(&first).await?;
    connection.execute("CREATE DATABASE restored").await?;
    let (server, _) = first.rsplit_once('/').context("a url names its database")?;
    let url = format!("{server}/restored");
    std::fs::write(roles.dir.path().join("postgres.url"), &url)?;
    Ok(url)
}

/// Every role on the restored log, and the doors.
fn start_again(roles: &Roles) -> Result<(Product, Vec<(&'static str, Process)>)> {
    let behind = BEHIND.map(|role| anyhow::Ok((role, roles.role(Build::This, role)?.0)));
    let behind = behind.into_iter().collect::<Result<_>>()?;
    let (doors, base) = roles.role(Build::This, DOORS)?;
    Ok((roles.product(doors, base, String::new())?, behind))
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_should_come_back_in_another_database_and_declare_what_it_lost() -> Result<()> {
    let (roles, product, behind) = Roles::running().await?;
    let (first, data) = (roles.engines.postgres.url(), roles.dir.path().join("data"));
    let (config, data_word) = (word(&roles.config), word(&data));
    let before = noted(&product, "before").await?;
    sealed(&roles, &first).await?;
    let backup = roles.dir.path().join("backup");
    let add = ["backup", "--config", &config, "--data-dir", &data_word, "--to"];
    done(&[&add[..], &[&word(&backup)]].concat())?;
    nothing_secret(&backup, &roles.dir.path().join("keys"))?;
    let earlier = roles.dir.path().join("earlier");
    copy(&backup, &earlier)?;
    let later = noted(&product, "later").await?;
    sealed(&roles, &first).await?;
    let segment = backup.join("segment-000001.jsonl");
    let size = std::fs::metadata(&segment)?.len();
    done(&[&add[..], &[&word(&backup)]].concat())?;
    let grown = std::fs::metadata(&segment)?.len();
    ensure!(grown > size && grown < 2 * size, "{size} and {grown}");
    stop(product, behind).await?;

    let restore = ["restore", "--config", &config, "--data-dir", &data_word];
    let (code, said) = run(&[&restore[..], &["--from", &word(&earlier)]].concat())?;
    ensure!(
        code == Some(1) && said.contains("has events in database"),
        "{said}"
    );
    let url = another_database(&roles).await?;
    let said = done(&[&restore[..], &["--from", &word(&earlier)]].concat())?;
    ensure!(
        said.contains("incarnation 1 ended at position") && said.contains("what was kept is what was sealed"),
        "{said}"
    );
    roles.migrate().await?;

    let (product, behind) = start_again(&roles)?;
    let kept = product.client.transfer(&before).await?.body;
    ensure!(kept.status == TransferStatus::Completed, "{kept:?}");
    let gone = product
        .client
        .get::<Value>(&format!("/v1/transfers/{later}"), With::default())
        .await;
    ensure!(gone.is_err(), "{gone:?}");
    until("the views are those of the kept log", || async {
        let listed = product.client.transfers(None).await?;
        Ok((listed.items.len() == 1).then_some(()))
    })
    .await?;
    // What happens now goes the whole way: log, relay, Kafka, projectors, views.
    let vault = product.new_vault("After the restore", 0).await?;
    until("the new vault is listed", || async {
        let page = product.client.vaults(None).await?;
        Ok(page
            .items
            .iter()
            .any(|listed| listed.id == vault.id)
            .then_some(()))
    })
    .await?;
    until("the loss is declared", || async {
        let newest = newest(&roles).await?;
        let lives = newest.is_some_and(|n| n.shards.iter().all(|shard| shard.incarnation == 2));
        Ok(lives.then_some(()))
    })
    .await?;
    sealed(&roles, &url).await?;
    stop(product, behind).await?;
    declared(&roles, &config, &data)
}

/// The auditor is told what was lost.
fn declared(roles: &Roles, config: &str, data: &Path) -> Result<()> {
    let (handed, log) = (
        roles.dir.path().join("handed"),
        roles.dir.path().join("log.jsonl"),
    );
    let at = ["--config", config, "--data-dir", &word(data), "--out"];
    done(&[&["audit", "export"], &at[..], &[&word(&handed)]].concat())?;
    done(&[&["export"], &at[..], &[&word(&log)]].concat())?;
    let (notes, keys) = (handed.join("checkpoints.notes"), handed.join("checkpoints.keys"));
    let (code, said) = run(&[
        "audit",
        "verify",
        "--checkpoint",
        &word(&notes),
        "--keys",
        &word(&keys),
        "--log",
        &word(&log),
    ])?;
    ensure!(
        code == Some(0)
            && said.contains("declared loss: shard")
            && said.contains("restored after incarnation 1"),
        "{code:?} {said}"
    );
    Ok(())
}
