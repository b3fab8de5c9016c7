//! What can be asked of an execution.

use vaultstream_event_schemas::execution::v1;

/// What can be asked of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutionCommand {
    /// Queue it.
    Queue(v1::Queued),
    /// Draw the transaction up.
    Plan(v1::Planned),
    /// Fix slot and digest.
    Bind(v1::Bound),
    /// Keep the signed bytes.
    AttachSigned(v1::Signed),
    /// Record what a node answered.
    RecordBroadcast(v1::BroadcastTried),
    /// Record that a node has it in its pool.
    RecordSeen(v1::Seen),
    /// Record that it is in a block.
    RecordIncluded(v1::Included),
    /// Record that its block was detached.
    RecordDetached(v1::Detached),
    /// Record that its block is final.
    Finalize(v1::Finalized),
    /// Record that a person should look.
    MarkStuck(v1::Stuck),
    /// Record that it can never be included.
    ProveDead(v1::Dead),
    /// Record that its final block was detached.
    Reverse(v1::Reversed),
}
