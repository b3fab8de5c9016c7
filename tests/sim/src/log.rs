//! The event log as a model: what the adapters promise, and what can go wrong without breaking the promise.
//!
//! What was answered is kept for ever; a batch whose answer is not heard may be written now, later, or not at all, and
//! is written whole commands at a time, dense and in commit order. It passes the port's conformance suite. Outside of
//! the simulation (no weather) nothing fails and nothing takes time. While no process lives it can be put back to what it
//! was, whole commands at a time.

mod shards;
mod validate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Notify, oneshot};
use vaultstream_domain::ports::event_log::{
    AppendCommand, AppendOutcome, Head, LogError, MAX_READ, Snapshot,
};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::envelope::{Hash, StoredEvent};
use vaultstream_event_schemas::{Family, Registry, ShardNumber, StreamId, Timestamp};

use crate::acts::Acts;
use crate::sched::Life;
use crate::weather::Weather;
use shards::Shards;

/// The longest wait for a head to move, in milliseconds.
const LONGEST_WAIT_MS: u64 = 1_000;
/// The longest time after which an append that failed is still written, in microseconds.
const LATE_US: u64 = 3_000_000;

/// What outlives every process.
struct Kept {
    registry: Arc<Registry>,
    shards: Mutex<Shards>,
    moved: Notify,
    acts: Acts,
}

/// How a handle reaches what is kept.
#[derive(Clone)]
struct Way {
    weather: Weather,
    /// Who does the writing: the process itself when the engine is inside it, and then it dies with the process.
    engine: Life,
}

/// A handle to the log. Clones and [`Self::reached`] share what is kept.
#[derive(Clone)]
pub struct SimLog {
    kept: Arc<Kept>,
    clock: Arc<dyn Clock>,
    way: Option<Way>,
}

impl std::fmt::Debug for SimLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimLog")
    }
}

fn failed(doing: &'static str) -> LogError {
    LogError::Engine {
        doing,
        source: "the simulated engine failed".into(),
    }
}

impl SimLog {
    /// An empty log without weather.
    ///
    /// # Panics
    /// The families make no registry.
    pub fn new(families: &[(Family, u16)], clock: Arc<dyn Clock>) -> Self {
        let registry = Registry::try_new(families).expect("the families make a registry");
        let shards = Shards::new(&registry);
        Self {
            kept: Arc::new(Kept {
                registry: Arc::new(registry),
                shards: Mutex::new(shards),
                moved: Notify::new(),
                acts: Acts::default(),
            }),
            clock,
            way: None,
        }
    }

    /// The same log as a process reaches it: through weather, written by `engine`.
    pub fn reached(&self, weather: &Weather, engine: Life) -> Self {
        Self {
            way: Some(Way {
                weather: weather.clone(),
                engine,
            }),
            ..self.clone()
        }
    }

    fn locked(&self) -> MutexGuard<'_, Shards> {
        self.kept.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every event of a shard, now.
    pub fn events(&self, shard: ShardNumber) -> Vec<StoredEvent> {
        self.locked().read_shard(shard, 0, usize::MAX)
    }

    /// What was done here and elsewhere that leads to a payment.
    pub fn acts(&self) -> Acts {
        self.kept.acts.clone()
    }

    /// The life that every shard is in.
    pub fn life(&self) -> u32 {
        self.locked().life()
    }

    /// How many commands have written something.
    pub fn written(&self) -> usize {
        self.locked().written()
    }

    /// Where a shard stands, now.
    pub fn head(&self, shard: ShardNumber) -> Option<Head> {
        self.locked().head(shard)
    }

    /// The hash of the event at a position; zeros at 0, none beyond the end.
    pub fn hash_at(&self, shard: ShardNumber, position: u64) -> Option<Hash> {
        self.locked().hash_at(shard, position)
    }

    /// Makes the log what it was when so many commands had written, in the life it is in; answers how many events each
    /// shard has kept. Nobody has it open.
    pub fn put_back(&self, commands: usize) -> BTreeMap<ShardNumber, u64> {
        self.locked().put_back(commands)
    }

    /// Begins the next life of every shard, as a restore does; answers which. Nobody has it open.
    pub fn begin_life(&self) -> u32 {
        self.locked().begin_life()
    }

    fn write(&self, batch: &[AppendCommand], now: Option<Timestamp>) -> Vec<AppendOutcome> {
        let now = now.unwrap_or_else(|| self.clock.now());
        let (outcomes, fresh) = {
            let mut shards = self.locked();
            (shards.append(batch, now), shards.fresh())
        };
        let at_us = self.clock.now().as_micros();
        fresh
            .iter()
            .for_each(|event_type| self.kept.acts.wrote(at_us, event_type));
        self.kept.moved.notify_waiters();
        outcomes
    }

    /// The time a read takes, and whether it fails.
    async fn way_to_read(&self, doing: &'static str) -> Result<(), LogError> {
        let Some(way) = &self.way else { return Ok(()) };
        way.weather.latency().await;
        if way.weather.strikes("log-read-failed", |odds| odds.log_fails) {
            return Err(failed(doing));
        }
        Ok(())
    }

    /// Lets the engine write a batch; nobody has to wait for it.
    fn hand_over(
        &self,
        way: &Way,
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
        late: bool,
    ) -> oneshot::Receiver<Vec<AppendOutcome>> {
        let (answer, answered) = oneshot::channel();
        let (this, weather) = (self.clone(), way.weather.clone());
        let write = async move {
            if late {
                let us = weather.sim().draw(|dice| dice.below(LATE_US));
                weather.sim().sleep_us(us).await;
            } else {
                weather.latency().await;
            }
            let outcomes = this.write(&batch, now);
            weather.sim().note("append", format_args!("{outcomes:?}"));
            // Whoever asked may be dead.
            let _ = answer.send(outcomes);
        };
        way.weather.sim().spawn(way.engine, "log-engine", Box::pin(write));
        answered
    }
}

#[async_trait]
impl EventLog for SimLog {
    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.kept.registry)
    }

    async fn append(
        &self,
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        validate::batch(&batch, &self.locked())?;
        let Some(way) = &self.way else {
            return Ok(self.write(&batch, now));
        };
        let weather = &way.weather;
        if weather.strikes("append-failed", |odds| odds.append_fails) {
            weather.latency().await;
            return Err(failed("append"));
        }
        if weather.strikes("append-late", |odds| odds.append_late) {
            drop(self.hand_over(way, batch, now, true));
            weather.latency().await;
            return Err(failed("append"));
        }
        let outcomes = self.hand_over(way, batch, now, false).await;
        if weather.strikes("append-unheard", |odds| odds.append_unheard) {
            return Err(failed("append"));
        }
        outcomes.map_err(|_| failed("append"))
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.way_to_read("read a stream").await?;
        Ok(self.locked().read_stream(stream, after, limit.min(MAX_READ)))
    }

    async fn read_shard(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.way_to_read("read a shard").await?;
        Ok(self.locked().read_shard(shard, after, limit.min(MAX_READ)))
    }

    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        self.way_to_read("name its heads").await?;
        Ok(self.locked().heads())
    }

    async fn wait_beyond(&self, shard: ShardNumber, position: u64) -> Result<(), LogError> {
        let late = self.clock.sleep_ms(LONGEST_WAIT_MS);
        tokio::pin!(late);
        loop {
            let mut moved = std::pin::pin!(self.kept.moved.notified());
            // Listening before looking.
            moved.as_mut().enable();
            if self
                .locked()
                .head(shard)
                .is_some_and(|head| head.position > position)
            {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = &mut late => return Ok(()),
                () = moved => {}
            }
        }
    }

    async fn load_snapshot(&self, stream: StreamId, fold_version: u32) -> Result<Option<Snapshot>, LogError> {
        self.way_to_read("load a snapshot").await?;
        Ok(self.locked().snapshot(stream, fold_version))
    }

    async fn save_snapshot(
        &self,
        stream: StreamId,
        fold_version: u32,
        snapshot: Snapshot,
    ) -> Result<(), LogError> {
        self.way_to_read("save a snapshot").await?;
        self.locked().keep_snapshot(stream, fold_version, snapshot);
        Ok(())
    }
}
