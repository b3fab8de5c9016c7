//! What happens next to a transfer that is not over, and which steps are still ahead of it.

use crate::graphql::transfer::TransferTransfer;
use crate::moment::Moment;
use crate::words::{Word, fill, say};
use vaultstream_event_schemas::status::{ExecutionStatus as E, TransferStatus as T};

/// What happens next, and when that is known.
pub fn next(transfer: &TransferTransfer, in_zone: &dyn Fn(Moment) -> String) -> String {
    let latest = transfer.executions.last();
    let word = match (transfer.status, latest.map(|e| e.status)) {
        (T::AwaitingApproval, _) => {
            let when = in_zone(transfer.expires_at);
            return fill(Word::NextAwaiting, &[("when", &when)]);
        }
        (T::Requested | T::Screening, _) => Word::NextRequested,
        (T::Approved, None) => Word::NextApproved,
        (_, None | Some(E::Queued)) => Word::NextQueued,
        (_, Some(E::Planned)) => Word::NextPlanned,
        (_, Some(E::Bound)) => Word::NextBound,
        (_, Some(E::Signed)) => Word::NextSigned,
        (_, Some(E::Broadcasting | E::Replacing | E::Cancelling)) => Word::NextSending,
        (_, Some(E::Seen)) => Word::NextSeen,
        (_, Some(E::Stuck)) => Word::NextStuck,
        (_, Some(E::Unknown)) => Word::NextUnknown,
        (_, Some(E::Included)) => {
            let n = latest.map_or(0, |e| e.confirmations);
            if n == 0 {
                return say(Word::NextIncludedNone).to_owned();
            }
            return fill(Word::NextIncluded, &[("n", &n.to_string())]);
        }
        (_, Some(E::Finalized | E::Superseded | E::Dead | E::Reversed)) => Word::NextIncludedNone,
    };
    say(word).to_owned()
}

/// The steps that are still ahead, in order.
pub fn ahead(transfer: &TransferTransfer) -> Vec<Word> {
    const WAY: [Word; 4] = [
        Word::AheadSigned,
        Word::AheadSent,
        Word::AheadIncluded,
        Word::AheadFinal,
    ];
    let done = match transfer.executions.last().map(|e| e.status) {
        None | Some(E::Queued | E::Planned | E::Bound) => 0,
        Some(E::Signed) => 1,
        Some(E::Broadcasting | E::Seen | E::Unknown | E::Stuck | E::Replacing | E::Cancelling) => 2,
        Some(E::Included) => 3,
        Some(E::Finalized | E::Superseded | E::Dead | E::Reversed) => 4,
    };
    let approval = transfer.status == T::AwaitingApproval;
    let approval = approval.then_some(Word::AheadApproval);
    approval.into_iter().chain(WAY.into_iter().skip(done)).collect()
}
