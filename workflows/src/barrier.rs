//! What a signature waits for: a mark outside of the log that has the bind. While the log is behind its mark, nothing is
//! bound, signed or sent.

use async_trait::async_trait;
use vaultstream_event_schemas::mark::MarkedBind;
use vaultstream_kernel::Marking;
use vaultstream_kernel::mark::MarkError;

/// Stands before every signature and every broadcast.
#[async_trait]
pub trait Barrier: Send + Sync {
    /// Whether anything may be bound, signed or sent now.
    fn is_open(&self) -> bool;
    /// Whether the log is behind its mark, or was never compared with it yet. What is closed later for want of an answer is
    /// not.
    fn is_quarantined(&self) -> bool {
        false
    }
    /// Returns when the bind, which is durable in the log, is marked outside of it.
    async fn cover(&self, bind: MarkedBind) -> Result<(), MarkError>;
}

#[async_trait]
impl Barrier for Marking {
    fn is_open(&self) -> bool {
        self.standing().is_open()
    }
    fn is_quarantined(&self) -> bool {
        let standing = self.standing();
        standing.quarantine().is_some() || standing.is_unseen()
    }
    async fn cover(&self, bind: MarkedBind) -> Result<(), MarkError> {
        Self::cover(self, bind).await
    }
}

/// Always open and marks nothing: for tests of what is behind it.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBarrier;

#[async_trait]
impl Barrier for NoBarrier {
    fn is_open(&self) -> bool {
        true
    }
    async fn cover(&self, _: MarkedBind) -> Result<(), MarkError> {
        Ok(())
    }
}

/// Never open: for processes that sign nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Closed;

#[async_trait]
impl Barrier for Closed {
    fn is_open(&self) -> bool {
        false
    }
    async fn cover(&self, _: MarkedBind) -> Result<(), MarkError> {
        Err(MarkError::Unknown("nothing is marked in this process".to_owned()))
    }
}
