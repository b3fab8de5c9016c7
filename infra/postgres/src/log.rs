//! The event log on PostgreSQL.
//!
//! A batch is one autocommit statement on each database it concerns: it locks the rows of its shards in ascending order
//! and to its commit, so positions are dense and in commit order, and a process that stops holds no lock. Batches of
//! different shards do not wait for each other; processes take turns on a shard. The shard's head is its last event and
//! the stream's head is a row of its own, written under the shard's lock; nothing is ever read that a transaction left
//! open elsewhere could hold back. Refuses: malformed batches, events made for another incarnation, everything
//! [`crate::database`] and the registry refuse at start.

mod answer;
mod heads;
mod read;
pub mod restore;
mod segments;
mod statement;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{BoxFuture, join_all, try_join_all};
use tokio::task::JoinHandle;
use vaultstream_domain::ports::event_log::{
    AppendCommand, AppendOutcome, Head, Leaf, LogError, MAX_READ, Snapshot,
};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::clock::Timestamp;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Registry, ShardNumber, StreamId};

use crate::database::{Database, Installation};
use crate::error::{OpenError, failed, opening, sqlstate};
use crate::options::PgLogOptions;
use crate::registry;
use heads::Heads;
use segments::Segments;
use statement::Statement;

/// `wait_beyond` looks again at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const SAVE_SNAPSHOT: &str = "INSERT INTO vaultstream.snapshot (stream, fold_version, sequence, hash, state) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (stream, fold_version) \
     DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, state = excluded.state";

/// One database and what this process knows of it.
#[derive(Debug)]
struct Home {
    database: Arc<Database>,
    segments: Segments,
}

/// The event log on one or several databases.
pub struct PgLog {
    registry: Arc<Registry>,
    homes: Vec<Arc<Home>>,
    /// The home of every shard, in order of number.
    placement: Vec<usize>,
    heads: Arc<Heads>,
    clock: Arc<dyn Clock>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for PgLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgLog")
            .field("homes", &self.homes)
            .field("placement", &self.placement)
            .finish_non_exhaustive()
    }
}

impl PgLog {
    /// Opens the databases, checks them, brings their schemas up to date and compares the registry.
    pub fn open(options: &PgLogOptions) -> BoxFuture<'_, Result<Self, OpenError>> {
        Box::pin(Self::init(options))
    }

    async fn init(options: &PgLogOptions) -> Result<Self, OpenError> {
        options.check()?;
        let installation = Installation {
            cluster: options.cluster.clone(),
            clock: Arc::clone(&options.clock),
            migrate: options.migrate,
            segment: options.segment,
        };
        let mut databases = Vec::with_capacity(options.databases.len());
        for config in &options.databases {
            databases.push(Arc::new(Database::open(config, &installation).await?));
        }
        let placed = registry::settle(&databases, options).await?;
        let mut known = BTreeMap::new();
        let mut homes = Vec::with_capacity(databases.len());
        for database in databases {
            let failed = opening(database.name(), "read");
            let heads = read::heads(&database).await.map_err(&failed)?;
            let furthest = heads.iter().map(|(_, head)| head.position).max();
            let segments = Segments::init(&database, furthest.unwrap_or(0))
                .await
                .map_err(&failed)?;
            known.extend(heads);
            homes.push(Arc::new(Home {
                database: Arc::clone(&database),
                segments,
            }));
        }
        let heads = Arc::new(Heads::new(known.into_values()));
        let tasks = homes.iter().enumerate().map(|(index, home)| {
            let entries = placed.registry.entries().iter().zip(&placed.homes);
            let shards = entries
                .filter(|(_, at)| **at == index)
                .map(|(entry, _)| entry.number)
                .collect();
            heads::look_out(
                Arc::clone(&heads),
                Arc::clone(&home.database),
                shards,
                options.poll,
            )
        });
        Ok(Self {
            tasks: tasks.collect(),
            registry: Arc::new(placed.registry),
            placement: placed.homes,
            clock: Arc::clone(&options.clock),
            homes,
            heads,
        })
    }

    /// The first database, which also keeps progress and leases.
    pub fn first_database(&self) -> Arc<Database> {
        Arc::clone(&self.homes[0].database)
    }

    /// Closes the connections after what runs on them; a log that is only dropped closes them behind itself.
    pub async fn close(&self) {
        for home in &self.homes {
            home.database.close().await;
        }
    }

    fn home(&self, shard: ShardNumber) -> Result<&Arc<Home>, LogError> {
        let home = self
            .placement
            .get(usize::from(shard.0))
            .and_then(|home| self.homes.get(*home));
        home.ok_or_else(|| LogError::Malformed(format!("shard {shard} is not in the registry")))
    }

    /// Appends the commands that concern one database.
    async fn append_to(
        &self,
        home: &Arc<Home>,
        commands: &[&AppendCommand],
        now: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        let commands = commands.iter().copied();
        let incarnation = |shard| self.heads.get(shard).map_or(0, |head| head.incarnation);
        let statement = Statement::new(commands.clone(), incarnation);
        let call = || {
            statement
                .call(now, self.clock.now())
                .fetch_one(home.database.append())
        };
        let row = match call().await {
            Err(error) if segments::is_missing(&error) => {
                let furthest = commands
                    .clone()
                    .filter_map(|c| self.heads.get(c.shard))
                    .map(|head| head.position)
                    .max();
                let furthest = furthest.unwrap_or(0).saturating_add(MAX_READ as u64);
                home.segments
                    .ensure(&home.database, furthest)
                    .await
                    .map_err(failed("make a segment"))?;
                call().await
            }
            row => row,
        };
        let row = match row {
            Err(error) if sqlstate(&error).as_deref() == Some("VS001") => {
                self.look(home).await?;
                return Err(incarnation_of(&error).unwrap_or_else(|| failed("append")(error)));
            }
            row => row.map_err(failed("append"))?,
        };
        let reply = statement
            .read(&row)
            .map_err(failed("understand its database's answer"))?;
        let (outcomes, moved) = answer::outcomes(commands, reply)?;
        for (shard, (position, hlc)) in moved {
            self.heads.advance(shard, position, hlc);
            if home.segments.is_due(position) {
                let home = Arc::clone(home);
                tokio::spawn(async move {
                    if let Err(error) = home.segments.ensure(&home.database, position).await {
                        tracing::error!(database = home.database.name(), error = %error, "no segment could be made");
                    }
                });
            }
        }
        Ok(outcomes)
    }

    /// Reads where the shards of a database stand.
    async fn look(&self, home: &Home) -> Result<Vec<(ShardNumber, Head)>, LogError> {
        let heads = read::heads(&home.database)
            .await
            .map_err(failed("read its heads"))?;
        for (shard, head) in &heads {
            self.heads.refresh(*shard, *head);
        }
        Ok(heads)
    }

    /// Validates a batch. What this process knows of incarnations may be old: it asks before it refuses.
    async fn validate(&self, batch: &[AppendCommand]) -> Result<(), LogError> {
        let incarnation = |shard| self.heads.get(shard).map(|head| head.incarnation);
        match validate::batch(batch, incarnation) {
            Err(LogError::Incarnation { shard, .. }) => {
                self.look(self.home(shard)?).await?;
                validate::batch(batch, incarnation)
            }
            checked => checked,
        }
    }
}

impl Drop for PgLog {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// What the database said about a shard that lives another life: shard, actual, given.
fn incarnation_of(error: &sqlx::Error) -> Option<LogError> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    let mut numbers = error.detail()?.split(' ').map(str::parse::<u32>);
    let mut next = || numbers.next()?.ok();
    Some(LogError::Incarnation {
        shard: ShardNumber(u16::try_from(next()?).ok()?),
        actual: next()?,
        given: next()?,
    })
}

#[async_trait]
impl EventLog for PgLog {
    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    async fn append(
        &self,
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        self.validate(&batch).await?;
        let mut by_home: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, command) in batch.iter().enumerate() {
            by_home
                .entry(self.placement[usize::from(command.shard.0)])
                .or_default()
                .push(index);
        }
        let parts = by_home.iter().map(|(home, indexes)| {
            let commands: Vec<_> = indexes.iter().map(|index| &batch[*index]).collect();
            async move { self.append_to(&self.homes[*home], &commands, now).await }
        });
        // All are waited for: a statement that is dropped halfway is a connection lost.
        let answers = join_all(parts).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut outcomes: Vec<Option<AppendOutcome>> = batch.iter().map(|_| None).collect();
        for (indexes, answer) in by_home.values().zip(answers) {
            for (index, outcome) in indexes.iter().zip(answer) {
                outcomes[*index] = Some(outcome);
            }
        }
        let outcomes: Option<Vec<_>> = outcomes.into_iter().collect();
        outcomes.ok_or_else(|| LogError::Engine {
            doing: "append",
            source: "a database left a command without an outcome".into(),
        })
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let home = self.home(stream.shard())?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        read::by_stream(&home.database, stream, after, limit.min(MAX_READ)).await
    }

    async fn read_shard(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let home = self.home(shard)?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        read::by_shard(&home.database, shard, after, limit.min(MAX_READ)).await
    }

    async fn read_leaves(&self, shard: ShardNumber, after: u64, limit: usize) -> Result<Vec<Leaf>, LogError> {
        let home = self.home(shard)?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        read::leaves(&home.database, shard, after, limit.min(MAX_READ)).await
    }

    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        let heads = try_join_all(self.homes.iter().map(|home| self.look(home))).await?;
        Ok(heads.into_iter().flatten().collect())
    }

    async fn wait_beyond(&self, shard: ShardNumber, position: u64) -> Result<(), LogError> {
        self.home(shard)?;
        self.heads.wait(shard, position, LONGEST_WAIT).await;
        Ok(())
    }

    async fn load_snapshot(&self, stream: StreamId, fold_version: u32) -> Result<Option<Snapshot>, LogError> {
        read::snapshot(&self.home(stream.shard())?.database, stream, fold_version).await
    }

    async fn save_snapshot(
        &self,
        stream: StreamId,
        fold_version: u32,
        snapshot: Snapshot,
    ) -> Result<(), LogError> {
        let home = self.home(stream.shard())?;
        sqlx::query(SAVE_SNAPSHOT)
            .bind(stream.to_string())
            .bind(i64::from(fold_version))
            .bind(read::signed(snapshot.sequence))
            .bind(snapshot.hash.as_slice())
            .bind(&snapshot.state)
            .execute(home.database.append())
            .await
            .map(|_| ())
            .map_err(failed("save a snapshot"))
    }
}
