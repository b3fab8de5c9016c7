//! What can happen to a transfer.

use vaultstream_event_schemas::transfer::v1;

crate::wire_events! {
    /// What can happen to a transfer.
    TransferEvent {
        /// It was requested.
        Requested(v1::Requested),
        /// Screening and policy let it pass.
        Screened(v1::Screened),
        /// An approver approved it.
        Approved(v1::Approved),
        /// An approver denied it.
        Denied(v1::Denied),
        /// It was withdrawn.
        Cancelled(v1::Cancelled),
        /// It lapsed.
        Expired(v1::Expired),
        /// An execution carries it.
        ExecutionStarted(v1::ExecutionStarted),
        /// It is final.
        Completed(v1::Completed),
        /// It failed.
        Failed(v1::Failed),
        /// It was undone.
        Reversed(v1::Reversed),
        /// Its memo was erased.
        MemoErased(v1::MemoErased),
    }
}
