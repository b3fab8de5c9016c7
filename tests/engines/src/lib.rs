//! Starts the real engines for tests: free ports, temporary data, and an end with whoever started them.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let postgres = vaultstream_engines::Postgres::start()?; // its own, for a fault test
//! postgres.kill()?;
//! postgres.restart()?;
//! let kafka = vaultstream_engines::Kafka::shared(); // one a test process, or the runner's
//! println!("{} {}", postgres.url(), kafka.bootstrap());
//! # Ok(())
//! # }
//! ```
//!
//! The engines lie where `cargo xtask engines` put them: `VAULTSTREAM_ENGINES`, else
//! `~/.cache/vaultstream/engines`. Every call blocks. An engine listens on loopback only, keeps its data in a
//! temporary directory, and ends when its value is dropped; when the process itself is killed, a small shell that
//! waits for that ends the engine and removes its data. Nothing that somebody else started is ever signalled.
//!
//! `shared()` gives the engine named by `VAULTSTREAM_PG_URL`, `VAULTSTREAM_KAFKA`, `VAULTSTREAM_CQL` or
//! `VAULTSTREAM_REDIS_URL` when a runner set it, else one for the whole process. Others work in it at the same time: make
//! your own database, topics, keyspace or key prefix. It refuses to be killed, stopped or paused.
//!
//! 64-bit x86 Linux only, because the PostgreSQL that is fetched is; elsewhere name running engines in those
//! variables.

mod cassandra;
mod cluster;
mod data;
mod java;
mod kafka;
mod leash;
mod place;
mod port;
mod postgres;
mod process;
mod redis;
mod server;
mod wire;

pub use cassandra::Cassandra;
pub use cluster::Cluster;
pub use java::home as java_home;
pub use kafka::{Kafka, SecuredKafka};
pub use place::{Set, home};
pub use postgres::Postgres;
pub use redis::Redis;
pub use server::Server;

/// The variables by which a runner hands its engines to `shared()`.
pub mod variable {
    /// A PostgreSQL URL of a superuser.
    pub const POSTGRES: &str = "VAULTSTREAM_PG_URL";
    /// Kafka's bootstrap servers, `host:port`.
    pub const KAFKA: &str = "VAULTSTREAM_KAFKA";
    /// A CQL contact point, `host:port`.
    pub const CQL: &str = "VAULTSTREAM_CQL";
    /// A Redis URL.
    pub const REDIS: &str = "VAULTSTREAM_REDIS_URL";
}
