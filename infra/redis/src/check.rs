//! What Redis is asked before anything relies on it: whether it lets us in, and how old it is.

use std::time::Duration;

use redis::{AsyncConnectionConfig, ErrorKind, RedisError};

use crate::{Link, OpenError};

/// The oldest major version that will do: users with rights, and scripts that read the clock before they write.
const OLDEST: u32 = 6;
/// How long Redis may take to answer at a start.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether Redis answered that it does not let us in.
pub(crate) fn is_refused(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

impl Link {
    /// Refuses a Redis that lets us not in or is too old. One that does not answer is no reason to refuse: it is warned
    /// of, and everything goes on without it.
    pub async fn check(&self) -> Result<(), OpenError> {
        match tokio::time::timeout(PATIENCE, self.version()).await {
            Ok(Ok(info)) => self.judge(&info),
            Ok(Err(source)) if is_refused(&source) => Err(OpenError::Credentials {
                setting: self.source.clone(),
                source,
            }),
            Ok(Err(error)) if error.code() == Some("NOPERM") => {
                tracing::debug!(
                    setting = self.source,
                    "redis does not say its version to this user"
                );
                Ok(())
            }
            answer => {
                let why = match answer {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer in time".to_owned(),
                };
                tracing::warn!(
                    setting = self.source,
                    why,
                    "redis does not answer; check that it runs and that the setting names its host and port: until \
                     then the cache misses and limits count locally"
                );
                Ok(())
            }
        }
    }

    async fn version(&self) -> Result<String, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut redis = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        redis::cmd("INFO").arg("server").query_async(&mut redis).await
    }

    fn judge(&self, info: &str) -> Result<(), OpenError> {
        let found = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"))
            .map(str::trim);
        let major = found.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        match (found, major) {
            (Some(found), Some(major)) if major < OLDEST => Err(OpenError::Version {
                setting: self.source.clone(),
                found: found.to_owned(),
                needed: OLDEST,
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedisOptions;

    #[test]
    fn versions_before_six_should_be_refused_with_a_remedy() {
        let mut options = RedisOptions::new("redis://127.0.0.1:1/", "p:");
        options.source = "redis.url = env:REDIS_URL".to_owned();
        let link = Link::try_new(&options).expect("the settings are good");
        let info = |version: &str| format!("# Server\r\nredis_version:{version}\r\nos:Linux\r\n");
        for good in ["6.0.0", "7.0.15", "8.2.1", "10.0.0"] {
            link.judge(&info(good)).expect("new enough");
        }
        // An engine that speaks the protocol and says no version is not called old.
        link.judge("# Server\r\n").expect("unknown");
        let refused = link.judge(&info("5.0.14")).expect_err("too old").to_string();
        assert!(
            refused.contains("env:REDIS_URL") && refused.contains("5.0.14") && refused.contains("upgrade"),
            "{refused}"
        );
    }
}
