//! Why the settings cannot work. An unreachable Redis is no error, so it is not here.

/// Why the settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none. It may hold a password, so it is not repeated.
    #[error(
        "redis url: it is no address; write redis://[user:password@]host[:port][/database] or \
         redis+unix:///path (rediss:// needs a build with TLS for Redis)"
    )]
    Address(#[source] redis::RedisError),
    /// A setting is outside its bounds.
    #[error("redis {field}: {problem}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What is wrong and what to write instead.
        problem: String,
    },
}
