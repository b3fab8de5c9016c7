//! Stock postgres-es: the table of its documentation, its own repository and framework, the product's payload.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use postgres_es::PostgresEventRepository;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgPool};
use vaultstream_domain::ports::{Clock, Ids};
use vaultstream_domain::transfer::{Transfer, TransferCommand};
use vaultstream_event_schemas::{ApiKeyId, CommandId, OrganizationId, ShardNumber, TransferId, id};
use vaultstream_infra_cqrs::Wrapped;
use vaultstream_infra_runtime::{SystemClock, SystemIds};

use super::bed::request;
use super::{database, per_second};
use crate::tenant::TRACE;

/// Stock is slow: fewer tell enough.
const STOCK_COMMANDS: usize = 256 * 80;
const STOCK_CALLERS: [usize; 3] = [64, 128, 256];
/// The table of the postgres-es documentation.
const STOCK_TABLE: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
     sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
     payload json NOT NULL, metadata json NOT NULL, timestamp timestamptz DEFAULT current_timestamp, \
     PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// Commands a second on a server, at whichever count of callers is best.
pub async fn best(server: &str) -> Result<f64> {
    let mut best: f64 = 0.0;
    for callers in STOCK_CALLERS {
        best = best.max(measure(server, callers).await?);
    }
    Ok(best)
}

type Stock =
    CqrsFramework<Wrapped<Transfer>, PersistedEventStore<PostgresEventRepository, Wrapped<Transfer>>>;

/// Stock commands a second: the framework loads nothing, decides, and commits one event of a new aggregate.
async fn measure(server: &str, callers: usize) -> Result<f64> {
    let url = database(server, &format!("stock_{callers}")).await?;
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(64)
        .min_connections(64)
        .connect(&url)
        .await?;
    pool.execute(STOCK_TABLE).await?;
    let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool.clone()));
    let stock: Arc<Stock> = Arc::new(CqrsFramework::new(store, Vec::new(), ()));
    let request = request(ShardNumber(1))?.request;
    let commands = STOCK_COMMANDS / callers;
    let started = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (stock, request) = (Arc::clone(&stock), request.clone());
            tokio::spawn(async move {
                for _ in 0..commands {
                    let name = TransferId::from_uuid(id::with_shard(SystemIds.next(), ShardNumber(1)));
                    let notes = [
                        ("actor", format!("key:{}", ApiKeyId::from_uuid(name.uuid()))),
                        ("command", CommandId::from_uuid(SystemIds.next()).to_string()),
                        ("organization", OrganizationId::from_uuid(name.uuid()).to_string()),
                        ("occurredAt", SystemClock.now().to_string()),
                        ("trace", TRACE.to_owned()),
                    ];
                    let notes = notes
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect();
                    let command = TransferCommand::Request(request.clone());
                    stock
                        .execute_with_metadata(&name.to_string(), command, notes)
                        .await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    let count = callers.len() * commands;
    for caller in callers {
        caller.await??;
    }
    let rate = per_second(count, started.elapsed());
    eprintln!("stock postgres-es, {} callers: {rate:.0}/s", count / commands);
    pool.close().await;
    Ok(rate)
}
