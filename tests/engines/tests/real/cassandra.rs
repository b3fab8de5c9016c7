//! Cassandra. One test, because each start takes seconds and a gigabyte.

use crate::speak::cql;
use crate::{bears_faults, says};
use anyhow::{Result, ensure};
use vaultstream_engines::Cassandra;

#[test]
fn cassandra_should_bear_faults() -> Result<()> {
    let engine = Cassandra::with(&[("cluster_name", "given"), ("commitlog_sync", "batch")])?;
    let node = engine.contact_point();
    let about = cql(&node, "SELECT cluster_name, release_version FROM system.local")?;
    let about = String::from_utf8_lossy(&about).into_owned();
    ensure!(about.contains("given") && about.contains("5.0."), "{about}");
    cql(
        &node,
        "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    )?;
    cql(&node, "CREATE TABLE kept.words (word text PRIMARY KEY)")?;
    bears_faults(
        &engine,
        |word| cql(&node, &format!("INSERT INTO kept.words (word) VALUES ('{word}')")).map(drop),
        |word| {
            let rows = cql(&node, "SELECT word FROM kept.words")?;
            Ok(rows.windows(word.len()).any(|part| part == word.as_bytes()))
        },
    )
}

#[test]
fn unknown_setting_should_be_named() -> Result<()> {
    says(
        Cassandra::with(&[("no_such_setting", "1")]),
        "Cassandra",
        "no_such_setting",
    )
}
