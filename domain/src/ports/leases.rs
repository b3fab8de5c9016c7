//! Leases: who works on what, so that two processes do not do the same work at the same time.
//!
//! Contract. At any moment at most one holder is told that it holds a name, as long as clocks of the store run evenly; a
//! holder that stops renewing loses the name after its time. A lease saves work and nothing else: a paused process may
//! believe in a lease it has lost, so whatever is done under one is also correct when two do it.

use std::time::Duration;

use async_trait::async_trait;

/// The longest time a lease may be asked for.
pub const MAX_LEASE: Duration = Duration::from_secs(300);
/// The most names [`Leases::held`] answers.
pub const MAX_HELD: usize = 1_000;

/// Why a lease could not be asked for. The work it guards rests until an answer comes.
#[derive(Debug, thiserror::Error)]
#[error("leases cannot be {doing}")]
pub struct LeaseError {
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Leases by name. Names and holders are at most 128 characters.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a free, expired or own lease for `ttl` (at most [`MAX_LEASE`]) from now; `false` when somebody else holds it.
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, LeaseError>;
    /// Gives an own lease back; does nothing to another's.
    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError>;
    /// The names beginning with `prefix` that somebody holds now, in the order of their bytes; at most [`MAX_HELD`].
    async fn held(&self, prefix: &str) -> Result<Vec<String>, LeaseError>;
}
