//! What the query side tells about itself: typed facts, counted by whoever observes. Must not block.

use vaultstream_event_schemas::ErrorCode;

/// A limit of a socket, which ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketLimit {
    /// It said nothing of itself in time.
    Introduction,
    /// A message was too large, or could not be read.
    MessageSize,
    /// Too many messages in a second.
    Messages,
    /// Too many sockets of one credential.
    Sockets,
    /// A message was not taken in time, or pings were not answered.
    Patience,
}

impl SocketLimit {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Introduction,
        Self::MessageSize,
        Self::Messages,
        Self::Sockets,
        Self::Patience,
    ];
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// A socket was opened.
    SocketOpened,
    /// A socket has ended, perhaps by a limit.
    SocketClosed(Option<SocketLimit>),
    /// A query or a subscription got an error with this code.
    Refused(ErrorCode),
    /// An event was handed out to its topics.
    HandedOut {
        /// From the event's clock to now, in microseconds.
        micros: u64,
    },
    /// A slow reader fell out of its ring and goes on from the log.
    Lapped,
}

/// Takes facts. Must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, fact: Fact);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: Fact) {}
}
