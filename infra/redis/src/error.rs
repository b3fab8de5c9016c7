//! Why Redis is not used. An unreachable one is no error, so it is not here.

/// Why Redis is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none. It may hold a password, so it is not repeated.
    #[error(
        "redis url: it is no address; write redis://[user:password@]host[:port][/database] or \
         redis+unix:///path (rediss:// needs a build with TLS for Redis)"
    )]
    Address(#[source] redis::RedisError),
    /// The server does not let us in.
    #[error("{setting}: Redis refuses the user or the password; check the secret that it refers to")]
    Credentials {
        /// The setting, and what it refers to.
        setting: String,
        /// Why.
        #[source]
        source: redis::RedisError,
    },
    /// The server is too old.
    #[error("{setting}: Redis is version {found}; version {needed} or newer is needed: upgrade the server")]
    Version {
        /// The setting, and what it refers to.
        setting: String,
        /// The server's version.
        found: String,
        /// The oldest major version that will do.
        needed: u32,
    },
    /// A setting is outside its bounds.
    #[error("redis {field}: {problem}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What is wrong and what to write instead.
        problem: String,
    },
}
