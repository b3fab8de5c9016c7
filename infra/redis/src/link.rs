//! The connection to Redis and its circuit breaker.
//!
//! One multiplexed connection, made by the first command. A command that fails or takes too long opens the breaker: from
//! then on nobody asks, and every pause a task of its own tries, making the connection anew when it was lost or did not
//! answer several times running. So a dead, paused or unreachable Redis costs those who were asking the time of one
//! command, once, and whoever comes later nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

use crate::check::is_refused;
use crate::{OpenError, RedisOptions};

/// Silences after which a connection is taken for dead.
const SILENCES: u32 = 3;
/// The longest a try may take to connect; nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);
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
    pub(crate) client: Client,
    /// The setting that holds the address, as messages name it.
    pub(crate) source: String,
    prefix: String,
    timeout: Duration,
    pause: Duration,
    state: Mutex<State>,
    answered: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
}

/// What a caller is to do.
enum Entry {
    /// Ask over this connection; there is none before the first command.
    Ask(Option<MultiplexedConnection>),
    /// Go on without Redis; `true`: it is time that somebody finds out whether it answers again.
    Skip(bool),
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
            source: options.source.clone(),
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
        self: &Arc<Self>,
        command: impl FnOnce(MultiplexedConnection) -> Answer + Send,
    ) -> Option<T>
    where
        Answer: Future<Output = RedisResult<T>> + Send,
    {
        let held = match self.enter() {
            Entry::Ask(held) => held,
            Entry::Skip(tries) => {
                self.skipped.fetch_add(1, Ordering::Relaxed);
                if tries {
                    tokio::spawn(Arc::clone(self).try_again());
                }
                return None;
            }
        };
        let work = async {
            let connection = match held {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let answer = command(connection.clone()).await?;
            Ok((connection, answer))
        };
        let ended = tokio::time::timeout(self.timeout, work).await;
        self.note(ended.map_or(Err(None), |answer| answer.map_err(Some)))
    }

    /// Finds out whether Redis answers again, while everybody goes on without it.
    async fn try_again(self: Arc<Self>) {
        let held = self.lock().connection.clone();
        let work = async {
            let connection = match held {
                Some(connection) => connection,
                None => self.connect().await.map_err(Some)?,
            };
            let mut asked = connection.clone();
            let ping = redis::cmd("PING");
            let pong = tokio::time::timeout(self.timeout, ping.query_async::<()>(&mut asked)).await;
            pong.map_err(|_| None)?.map_err(Some)?;
            Ok((connection, ()))
        };
        let ended = tokio::time::timeout(CONNECT, work).await;
        self.note(ended.unwrap_or(Err(None)));
    }

    /// Notes how a command ended; an error is none when there was no answer in time.
    fn note<T>(&self, ended: Result<(MultiplexedConnection, T), Option<redis::RedisError>>) -> Option<T> {
        match ended {
            Ok((connection, answer)) => {
                self.answered(connection);
                Some(answer)
            }
            Err(error) => {
                self.failed(error.as_ref());
                None
            }
        }
    }

    fn enter(&self) -> Entry {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some(at) = state.retry_at {
            let tries = now >= at;
            if tries {
                // One tries at a time: nobody else until it is known how that ended.
                state.retry_at = Some(now + CONNECT + self.pause);
            }
            return Entry::Skip(tries);
        }
        if state.connection.is_none() {
            // The first one connects; those after it go on without until it is known how that ended.
            state.retry_at = Some(now + self.pause);
        }
        Entry::Ask(state.connection.clone())
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
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
            let setting = &*self.source;
            if error.is_some_and(is_refused) {
                tracing::warn!(
                    setting,
                    why,
                    "redis refuses the user or the password; check the secret that the setting refers to, then start \
                     again: until then the cache misses and limits count locally"
                );
            } else {
                tracing::warn!(
                    setting,
                    why,
                    "redis does not answer; check that it runs and that the setting names its host and port: until \
                     then the cache misses and limits count locally"
                );
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
