//! PostgreSQL.

use crate::speak::sql;
use crate::{bears_faults, says};
use anyhow::{Result, ensure};
use vaultstream_engines::Postgres;

#[test]
fn postgres_should_bear_faults() -> Result<()> {
    let postgres = Postgres::start()?;
    let url = postgres.url();
    ensure!(sql(&url, "SELECT current_user")? == ["postgres"]);
    ensure!(sql(&url, "SHOW server_version")?[0].starts_with("18."));
    sql(&url, "CREATE TABLE kept (word text)")?;
    bears_faults(
        &postgres,
        |word| sql(&url, &format!("INSERT INTO kept VALUES ('{word}')")).map(drop),
        |word| {
            Ok(sql(&url, "SELECT word FROM kept")?
                .iter()
                .any(|kept| kept == word))
        },
    )
}

#[test]
fn settings_should_reach_postgres_and_durability_be_the_default() -> Result<()> {
    let stock = Postgres::start()?;
    ensure!(sql(&stock.url(), "SHOW fsync")? == ["on"]);
    ensure!(sql(&stock.url(), "SHOW synchronous_commit")? == ["on"]);
    let tuned = Postgres::with(&[("synchronous_commit", "off"), ("max_connections", "20")])?;
    ensure!(sql(&tuned.url(), "SHOW synchronous_commit")? == ["off"]);
    ensure!(
        sql(&tuned.url(), "SHOW max_connections")? == ["20"],
        "ours come first, theirs win"
    );
    ensure!(stock.url() != tuned.url());
    Ok(())
}

#[test]
fn unknown_setting_should_be_named() -> Result<()> {
    says(
        Postgres::with(&[("no_such_setting", "1")]),
        "PostgreSQL",
        "no_such_setting",
    )
}

#[test]
fn shared_postgres_should_be_one_and_refuse_faults() -> Result<()> {
    let one = Postgres::shared();
    ensure!(std::ptr::eq(one, Postgres::shared()));
    for outcome in [one.kill(), one.stop(), one.pause(), one.resume(), one.restart()] {
        let error = outcome.expect_err("others work in it").to_string();
        ensure!(
            error.contains("PostgreSQL") && error.contains("start()"),
            "{error}"
        );
    }
    Ok(())
}
