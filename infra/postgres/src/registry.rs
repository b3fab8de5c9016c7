//! The registry of shards: written at first start, compared ever after, the same in every database of a cluster.
//!
//! Invariants: the first database decides what is known, and is written last; a shard is kept in exactly one database,
//! which every database names and `here` marks in that one. Refuses: counts that changed, a database that knows other shards, a shard that is configured
//! elsewhere than it is kept.

use std::sync::Arc;

use sqlx::PgConnection;
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::{Registry, ShardNumber};

use crate::database::Database;
use crate::error::{OpenError, opening};
use crate::migrations;
use crate::options::PgLogOptions;

/// Where every shard is kept, in order of number, and the registry itself.
pub(crate) struct Placement {
    pub(crate) registry: Registry,
    /// Indexes of databases.
    pub(crate) homes: Vec<usize>,
}

/// Reads the stored registry, adds what is new, and sees that every shard is where it is configured. Starts take turns
/// by the lock of the first database.
pub(crate) async fn settle(
    databases: &[Arc<Database>],
    options: &PgLogOptions,
) -> Result<Placement, OpenError> {
    let first = &databases[0];
    let mut held = first
        .append()
        .acquire()
        .await
        .map_err(opening(first.name(), "opened"))?;
    migrations::lock(first.name(), &mut held).await?;
    let settled = settle_locked(databases, options, &mut held).await;
    migrations::unlock(first.name(), &mut held).await?;
    settled
}

async fn settle_locked(
    databases: &[Arc<Database>],
    options: &PgLogOptions,
    held: &mut PgConnection,
) -> Result<Placement, OpenError> {
    let known = read(databases[0].name(), held).await?;
    let stored: Vec<ShardEntry> = known.iter().map(|shard| shard.entry.clone()).collect();
    let registry = if stored.is_empty() {
        Registry::try_new(&options.families)
    } else {
        rebuilt(databases[0].name(), &stored)?.extended(&options.families)
    }
    .map_err(OpenError::Registry)?;
    let homes = options.place(&registry)?;
    for (shard, home) in known.iter().zip(&homes) {
        let configured = databases[*home].name();
        if shard.home != configured {
            let (kept, configured) = (shard.home.clone(), configured.to_owned());
            return Err(OpenError::Moved {
                shard: shard.entry.number,
                kept,
                configured,
            });
        }
    }
    // The first one last: what it has, all have.
    for (index, database) in databases.iter().enumerate().rev() {
        let mut own;
        // The first one's is held already, and may be its only one.
        let connection: &mut PgConnection = if index == 0 {
            &mut *held
        } else {
            let acquired = database.append().acquire().await;
            own = acquired.map_err(opening(database.name(), "opened"))?;
            &mut own
        };
        let shards = read(database.name(), connection).await?;
        compare(databases, index, &shards, &registry, &homes)?;
        if shards.len() < known.len() {
            let fault = "it knows fewer shards than the first database: it is not the one this cluster was begun with";
            let database = database.name().to_owned();
            return Err(OpenError::RegistryDamaged {
                database,
                fault: fault.into(),
            });
        }
        if shards.len() < registry.entries().len() {
            write(databases, index, connection, &registry, &homes).await?;
        }
    }
    Ok(Placement { registry, homes })
}

/// A line of the stored registry.
struct Stored {
    entry: ShardEntry,
    home: String,
    here: bool,
}

async fn read(database: &str, connection: &mut PgConnection) -> Result<Vec<Stored>, OpenError> {
    let rows: Vec<(i32, String, i32, String, bool)> =
        sqlx::query_as("SELECT number, family, k, home, here FROM vaultstream.shard ORDER BY number")
            .fetch_all(connection)
            .await
            .map_err(opening(database, "read"))?;
    let damaged = |fault: String| OpenError::RegistryDamaged {
        database: database.to_owned(),
        fault,
    };
    rows.into_iter()
        .map(|(number, family, k, home, here)| {
            let entry = ShardEntry {
                number: ShardNumber(
                    u16::try_from(number).map_err(|e| damaged(format!("shard {number}: {e}")))?,
                ),
                family: serde_json::from_str(&family).map_err(|e| damaged(format!("shard {number}: {e}")))?,
                k: u16::try_from(k).map_err(|e| damaged(format!("shard {number}: {e}")))?,
            };
            Ok(Stored { entry, home, here })
        })
        .collect()
}

/// A registry is only made by its own rules or read back whole.
fn rebuilt(database: &str, entries: &[ShardEntry]) -> Result<Registry, OpenError> {
    let dense = entries
        .iter()
        .zip(0u16..)
        .all(|(entry, number)| entry.number.0 == number);
    let damaged = |fault: String| OpenError::RegistryDamaged {
        database: database.to_owned(),
        fault,
    };
    if !dense {
        return Err(damaged("its numbers are not dense from 0".into()));
    }
    serde_json::from_value(serde_json::json!({ "entries": entries })).map_err(|e| damaged(e.to_string()))
}

/// What a database has stored must be how the registry begins, and what it keeps must be configured for it.
fn compare(
    databases: &[Arc<Database>],
    index: usize,
    shards: &[Stored],
    registry: &Registry,
    homes: &[usize],
) -> Result<(), OpenError> {
    let name = databases[index].name();
    for (n, shard) in shards.iter().enumerate() {
        if registry.entries().get(n) != Some(&shard.entry) {
            let fault = format!(
                "its shard {} is not the one of database {}; list the databases in the order they were first used in",
                shard.entry.number,
                databases[0].name()
            );
            return Err(OpenError::RegistryDamaged {
                database: name.to_owned(),
                fault,
            });
        }
        let configured = homes[n] == index;
        if shard.here != configured {
            let (kept, configured) = if shard.here {
                (name.to_owned(), databases[homes[n]].name().to_owned())
            } else {
                ("another one".to_owned(), name.to_owned())
            };
            return Err(OpenError::Moved {
                shard: shard.entry.number,
                kept,
                configured,
            });
        }
    }
    Ok(())
}

/// Number, family, k, home and whether that is here, of each shard.
type Columns<'a> = (Vec<i32>, Vec<String>, Vec<i32>, Vec<&'a str>, Vec<bool>);

async fn write(
    databases: &[Arc<Database>],
    index: usize,
    connection: &mut PgConnection,
    registry: &Registry,
    homes: &[usize],
) -> Result<(), OpenError> {
    let database = databases[index].name();
    let mut columns: Columns<'_> = Default::default();
    for (entry, home) in registry.entries().iter().zip(homes) {
        let family = serde_json::to_string(&entry.family).map_err(|e| OpenError::RegistryDamaged {
            database: database.to_owned(),
            fault: e.to_string(),
        })?;
        columns.0.push(entry.number.0.into());
        columns.1.push(family);
        columns.2.push(entry.k.into());
        columns.3.push(databases[*home].name());
        columns.4.push(*home == index);
    }
    sqlx::query(
        "INSERT INTO vaultstream.shard (number, family, k, home, here, incarnation) \
         SELECT s.number, s.family, s.k, s.home, s.here, 1 \
         FROM unnest($1::integer[], $2::text[], $3::integer[], $4::text[], $5::boolean[]) \
              AS s(number, family, k, home, here) \
         ON CONFLICT DO NOTHING",
    )
    .bind(columns.0)
    .bind(columns.1)
    .bind(columns.2)
    .bind(columns.3)
    .bind(columns.4)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(opening(database, "written"))
}
