//! How Redis is reached.

use std::fmt;
use std::time::Duration;

use crate::OpenError;

/// The longest that one command may be allowed to take.
const MAX_TIMEOUT: Duration = Duration::from_millis(50);
/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 64;

/// How Redis is reached.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host[:port][/database]`.
    pub url: String,
    /// How messages name the address: the setting and what it refers to, such as `redis.url = env:REDIS_URL`. Never the
    /// address, which may hold a password.
    pub source: String,
    /// In front of every key, so that clusters and tests can share an engine; at most 64 bytes, no white space.
    pub prefix: String,
    /// The longest one command may take, connecting included; 1 to 50 ms.
    pub timeout: Duration,
    /// After a failure nobody asks for this long, then one caller tries; 50 ms to 10 s.
    pub pause: Duration,
}

impl RedisOptions {
    /// 50 ms a command, a try every 250 ms while it does not answer.
    pub fn new(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            source: "redis.url".to_owned(),
            prefix: prefix.into(),
            timeout: MAX_TIMEOUT,
            pause: Duration::from_millis(250),
        }
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let refuse = |field, problem: String| Err(OpenError::Setting { field, problem });
        if self.prefix.len() > MAX_PREFIX || self.prefix.contains(char::is_whitespace) {
            return refuse(
                "prefix",
                format!("use at most {MAX_PREFIX} bytes without white space"),
            );
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return refuse("timeout", format!("{:?} is not within 1 to 50 ms", self.timeout));
        }
        if !(Duration::from_millis(50)..=Duration::from_secs(10)).contains(&self.pause) {
            return refuse("pause", format!("{:?} is not within 50 ms to 10 s", self.pause));
        }
        Ok(())
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        let mut shown = f.debug_struct("RedisOptions");
        shown
            .field("source", &self.source)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout);
        shown.field("pause", &self.pause).finish_non_exhaustive()
    }
}
