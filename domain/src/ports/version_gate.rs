//! The gate of event versions: who is alive and reads what, and therefore what may be written.
//!
//! Contract. An announcement lasts for its time and replaces the same process's former one. `announce` is one step that
//! no other announcement gets between: it takes the announcement in, opens the gate for every version that everybody alive
//! reads, and answers what may be written. The gate never closes: an answer holds for ever, so a process that is told of
//! versions it does not read must not go on, and a process that was told of none is not overtaken while it is announced.

use std::time::Duration;

use async_trait::async_trait;
use vaultstream_event_schemas::Versions;

/// The longest time an announcement may last.
pub const MAX_ANNOUNCED: Duration = Duration::from_secs(300);

/// Why the gate could not be asked. What it answered before still holds.
#[derive(Debug, thiserror::Error)]
#[error("event versions cannot be {doing}")]
pub struct VersionGateError {
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The gate of one installation. Processes are named by 1 to 128 characters; at most
/// [`MAX_TYPES`](vaultstream_event_schemas::versions::MAX_TYPES) types are announced.
#[async_trait]
pub trait VersionGate: Send + Sync {
    /// Says that `process` lives and reads these versions, for `ttl` (at most [`MAX_ANNOUNCED`]) from now; answers what
    /// may be written.
    async fn announce(
        &self,
        process: &str,
        reads: &Versions,
        ttl: Duration,
    ) -> Result<Versions, VersionGateError>;
    /// Says that the process reads no more; does nothing when it is not announced.
    async fn retire(&self, process: &str) -> Result<(), VersionGateError>;
}

/// Refuses an announcement out of bounds, before a store is asked.
pub fn check(process: &str, reads: &Versions, ttl: Duration) -> Result<(), VersionGateError> {
    use vaultstream_event_schemas::versions::MAX_TYPES;
    let fault = if process.is_empty() || process.chars().count() > 128 {
        "process: choose 1 to 128 characters".to_owned()
    } else if reads.len() > MAX_TYPES {
        format!(
            "reads: {} types are announced, at most {MAX_TYPES} may be",
            reads.len()
        )
    } else if ttl.is_zero() || ttl > MAX_ANNOUNCED {
        format!("ttl: choose above 0 and at most {} s", MAX_ANNOUNCED.as_secs())
    } else {
        return Ok(());
    };
    Err(VersionGateError {
        doing: "announced",
        source: fault.into(),
    })
}
