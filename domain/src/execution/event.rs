//! What can happen to an execution.

use vaultstream_event_schemas::execution::v1;

crate::wire_events! {
    /// What can happen to an execution.
    ExecutionEvent {
        /// It was queued.
        Queued(v1::Queued),
        /// It was drawn up and its funds reserved.
        Planned(v1::Planned),
        /// Slot and digest were fixed.
        Bound(v1::Bound),
        /// Its signed bytes were kept.
        Signed(v1::Signed),
        /// A node was given them.
        BroadcastTried(v1::BroadcastTried),
        /// A node has it in its pool.
        Seen(v1::Seen),
        /// It is in a block.
        Included(v1::Included),
        /// Its block was detached.
        Detached(v1::Detached),
        /// Its block is final.
        Finalized(v1::Finalized),
        /// A person should look.
        Stuck(v1::Stuck),
        /// It can never be included.
        Dead(v1::Dead),
        /// Its final block was detached.
        Reversed(v1::Reversed),
    }
}
