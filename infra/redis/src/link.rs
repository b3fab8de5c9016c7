//! The connection to Redis and its circuit breaker.
//!
//! One multiplexed connection. A command that fails or takes too long opens the breaker: until the pause is over nobody
//! asks, then one caller tries while the others go on without. So a dead, paused or unreachable Redis costs a caller at
//! most the time of one command, and that only a few times a second. A connection that was lost, or did not answer
//! several times running, is made anew by the next try.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

use crate::{OpenError, RedisOptions};

/// Silences after which a connection is taken for dead.
const SILENCES: u32 = 3;
/// Commands that may wait for answers; more are misses.
const IN_FLIGHT: usize = 1_024;

/// What became of commands, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered by Redis.
    pub answered: u64,
    /// Failed or not answered in time.
    pub failed: u64,
    /// Not asked, because Redis had just failed.
    pub skipped: u64,
}

/// The connection. Cache and rate limits may share one.
pub struct Link {
    client: Client,
    prefix: String,
    timeout: Duration,
    pause: Duration,
    state: Mutex<State>,
    answered: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Set while Redis is taken for gone: when the next caller may try.
    retry_at: Option<Instant>,
    silences: u32,
    /// Whether its absence was logged.
    told: bool,
}

impl Link {
    /// Checks the settings; connects when first asked.
    pub fn try_new(options: &RedisOptions) -> Result<Self, OpenError> {
        options.check()?;
        let client = Client::open(options.url.as_str()).map_err(OpenError::Address)?;
        Ok(Self {
            client,
            prefix: options.prefix.clone(),
            timeout: options.timeout,
            pause: options.pause,
            state: Mutex::default(),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        })
    }

    /// What became of commands so far.
    pub fn counts(&self) -> Counts {
        Counts {
            answered: self.answered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
        }
    }

    /// Whether the newest command was answered.
    pub fn is_up(&self) -> bool {
        let state = self.lock();
        state.connection.is_some() && state.retry_at.is_none()
    }

    /// A key of this cluster.
    pub(crate) fn key(&self, kind: char, name: &str) -> String {
        format!("{}{kind}:{name}", self.prefix)
    }

    /// Runs a command within the time limit; nothing when Redis does not answer.
    pub(crate) async fn ask<T, Answer>(
        &self,
        command: impl FnOnce(MultiplexedConnection) -> Answer + Send,
    ) -> Option<T>
    where
        Answer: Future<Output = RedisResult<T>> + Send,
    {
        let Some(held) = self.enter() else {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let work = async {
            let connection = match held {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let answer = command(connection.clone()).await?;
            Ok((connection, answer))
        };
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok((connection, answer))) => {
                self.answered(connection);
                Some(answer)
            }
            Ok(Err(error)) => {
                self.failed(Some(&error));
                None
            }
            Err(_) => {
                self.failed(None);
                None
            }
        }
    }

    /// The connection to use, nothing inside when it has to be made; nothing at all when this caller must not ask.
    fn enter(&self) -> Option<Option<MultiplexedConnection>> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        if state.retry_at.is_some() || state.connection.is_none() {
            // This caller tries; those after it go on without until it is known how that ended.
            state.retry_at = Some(now + self.pause);
        }
        Some(state.connection.clone())
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_concurrency_limit(IN_FLIGHT);
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    fn answered(&self, connection: MultiplexedConnection) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        state.silences = 0;
        if state.retry_at.take().is_some() {
            state.connection = Some(connection);
            if std::mem::take(&mut state.told) {
                tracing::info!("redis answers again");
            }
        }
    }

    /// `error` is none when there was no answer in time.
    fn failed(&self, error: Option<&redis::RedisError>) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        let is_silence = error.is_none_or(redis::RedisError::is_timeout);
        state.silences += u32::from(is_silence);
        let is_lost = error.is_some_and(|e| e.is_unrecoverable_error() && !e.is_timeout());
        if is_lost || state.silences >= SILENCES {
            state.connection = None;
            state.silences = 0;
        }
        state.retry_at = Some(Instant::now() + self.pause);
        if !std::mem::replace(&mut state.told, true) {
            let why = error.map_or_else(|| "no answer in time".to_owned(), ToString::to_string);
            tracing::warn!(
                why,
                "redis does not answer; the cache misses and limits count locally"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
