//! Connections that nobody waits for without an end.
//!
//! The server ends a statement that takes too long, but a server that has vanished ends nothing: its connections stay open
//! and silent for as long as the kernel repeats itself, a quarter of an hour, and the pool hands them out meanwhile.
//! So a connection that says nothing for longer than its statements may take is thrown away, and those that went to rest
//! before that are asked whether somebody is there before they are used again. What became of the statement is unknown,
//! as with any lost connection; whoever asked repeats it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection, Describe, Either, Error, Execute, Executor, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

/// How long a connection that may be dead is waited for before another is made.
const LOOK: Duration = Duration::from_secs(1);

/// A pool of such connections. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Guarded {
    pool: PgPool,
    /// The longest silence that is no loss.
    limit: Duration,
    silence: Arc<Silence>,
}

/// When a connection was last given up.
#[derive(Debug, Default)]
struct Silence(Mutex<Option<Instant>>);

impl Silence {
    fn noticed(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether one that has rested for so long did so already when another was given up.
    fn doubts(&self, rested: Duration) -> bool {
        let noticed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noticed.is_some_and(|at| at.elapsed() < rested)
    }
}

fn silent(limit: Duration) -> Error {
    let text = format!("the server has said nothing for {} s", limit.as_secs());
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

async fn answers(connection: &mut PgConnection) -> Result<bool, Error> {
    match timeout(LOOK, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(silent(LOOK)),
    }
}

impl Guarded {
    /// A pool that connects when it is first used. Where every connection is to be asked before it is used, it is asked
    /// here, with an end.
    pub(crate) fn new(pool: PgPoolOptions, options: PgConnectOptions, limit: Duration) -> Self {
        let silence = Arc::new(Silence::default());
        let doubt = Arc::clone(&silence);
        let always = pool.get_test_before_acquire();
        let pool = pool.test_before_acquire(false);
        let pool = pool.before_acquire(move |connection, meta| {
            let is_doubtful = always || doubt.doubts(meta.idle_for);
            Box::pin(async move {
                if is_doubtful {
                    answers(connection).await
                } else {
                    Ok(true)
                }
            })
        });
        Self {
            pool: pool.connect_lazy_with(options),
            limit,
            silence,
        }
    }

    /// A connection for several statements; how long each may take is its holder's.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.pool.acquire().await
    }

    /// Closes its connections after what runs on them.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// The connection is nobody's any more: given back, the pool would wait for its answer.
    fn give_up(&self, connection: PoolConnection<Postgres>) -> Error {
        self.silence.noticed();
        drop(connection.detach());
        silent(self.limit)
    }
}

type Step = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for &'c Guarded {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let all = async move {
            let mut connection = self.pool.acquire().await?;
            let mut steps = Vec::new();
            let heard = {
                let mut coming = (&mut *connection).fetch_many(query);
                loop {
                    match timeout(self.limit, coming.try_next()).await {
                        Ok(Ok(Some(step))) => steps.push(step),
                        Ok(Ok(None)) => break Some(Ok(())),
                        Ok(Err(error)) => break Some(Err(error)),
                        Err(_) => break None,
                    }
                }
            };
            match heard {
                Some(ended) => ended?,
                None => return Err(self.give_up(connection)),
            }
            Ok(stream::iter(steps.into_iter().map(Ok)))
        };
        stream::once(all).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            let heard = timeout(self.limit, (&mut *connection).fetch_optional(query)).await;
            heard.unwrap_or_else(|_| Err(self.give_up(connection)))
        })
    }

    fn prepare_with<'e, 'q: 'e>(
        self,
        sql: &'q str,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement<'q>, Error>>
    where
        'c: 'e,
    {
        self.pool.prepare_with(sql, parameters)
    }

    fn describe<'e, 'q: 'e>(self, sql: &'q str) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.pool.describe(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_should_be_doubted_that_rested_when_another_was_lost() {
        let silence = Silence::default();
        assert!(!silence.doubts(Duration::from_secs(60)), "nobody was ever lost");
        silence.noticed();
        assert!(silence.doubts(Duration::from_secs(60)), "it rested then already");
        assert!(!silence.doubts(Duration::ZERO), "it was used since");
    }

    #[tokio::test]
    async fn server_that_says_nothing_should_be_given_up_in_time() {
        // It takes connections, and that is all.
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = mute.local_addr().expect("bound").port();
        let options = PgConnectOptions::new()
            .host("127.0.0.1")
            .port(port)
            .username("nobody");
        let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(200));
        let guarded = Guarded::new(pool, options, Duration::from_millis(100));
        let begun = Instant::now();
        let answer = sqlx::query("SELECT 1").execute(&guarded).await;
        assert!(matches!(answer, Err(Error::PoolTimedOut)), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
