//! The decisions of a transfer: one debit at most, one denial ends it, a failure needs its evidence.

use vaultstream_event_schemas::TransferStatus as Status;
use vaultstream_event_schemas::transfer::v1;

use super::{Transfer, TransferCommand, TransferError, TransferEvent, TransferState};
use crate::decider::Decider;
use crate::name::{MAX_REASON, is_printable};

type Decision = Result<Vec<TransferEvent>, TransferError>;

impl Decider for Transfer {
    type State = TransferState;
    type Command = TransferCommand;
    type Event = TransferEvent;
    type Error = TransferError;

    const FOLD_VERSION: u32 = 2;

    fn decide(state: &TransferState, command: &TransferCommand) -> Decision {
        use TransferCommand as C;
        let (Some(status), Some(request)) = (state.status, &state.request) else {
            return match command {
                C::Request(request) if request.amount.is_zero() => Err(TransferError::ZeroAmount),
                C::Request(request) => one(request.clone()),
                _ => Err(TransferError::Unknown),
            };
        };
        match command {
            C::Request(again) if again == request => Ok(vec![]),
            C::Request(_) => Err(TransferError::AlreadyRequested),
            C::RecordScreening(screened) => record_screening(status, screened),
            C::Approve { now } => approve(state, status, request, *now),
            C::Deny { reason } => deny(status, reason),
            C::Cancel { reason } => cancel(status, reason),
            C::Expire { now } => expire(status, request, *now),
            C::StartExecution { execution } => start(state, status, *execution),
            C::Complete(completed) => conclude(status, Status::Completed, completed.clone()),
            C::Fail(failed) => conclude(status, Status::Failed, failed.clone()),
            C::Reverse(reversed) => reverse(status, reversed),
            // Whatever became of it: what is owed to a person does not depend on the life of the transfer.
            C::EraseMemo { .. } if state.is_memo_erased => Ok(vec![]),
            C::EraseMemo { .. } if request.memo.is_none() => Err(TransferError::NoMemo),
            C::EraseMemo { grounds } => one(v1::MemoErased { grounds: *grounds }),
        }
    }

    fn evolve(state: &mut TransferState, event: &TransferEvent) {
        state.fold(event);
    }
}

fn one(event: impl Into<TransferEvent>) -> Decision {
    Ok(vec![event.into()])
}

fn wrong(status: Status) -> Decision {
    Err(TransferError::WrongStatus(status))
}

fn record_screening(status: Status, screened: &v1::Screened) -> Decision {
    match status {
        Status::Requested | Status::Screening => one(screened.clone()),
        // A second workflow node, or a retry after a crash: screening has had its effect.
        _ => Ok(vec![]),
    }
}

fn approve(
    state: &TransferState,
    status: Status,
    request: &v1::Requested,
    now: vaultstream_event_schemas::Timestamp,
) -> Decision {
    match status {
        Status::AwaitingApproval if now >= request.expires_at => Err(TransferError::DeadlinePassed),
        Status::AwaitingApproval => one(v1::Approved {
            approvals: state.approvals + 1,
        }),
        _ => wrong(status),
    }
}

fn deny(status: Status, reason: &str) -> Decision {
    match status {
        Status::AwaitingApproval if is_printable(reason, MAX_REASON) => one(v1::Denied {
            reason: reason.to_owned(),
        }),
        Status::AwaitingApproval => Err(TransferError::InvalidReason),
        Status::Rejected => Ok(vec![]),
        _ => wrong(status),
    }
}

fn cancel(status: Status, reason: &str) -> Decision {
    match status {
        Status::Requested | Status::Screening | Status::AwaitingApproval | Status::Approved => {
            if is_printable(reason, MAX_REASON) {
                one(v1::Cancelled {
                    reason: reason.to_owned(),
                })
            } else {
                Err(TransferError::InvalidReason)
            }
        }
        Status::Cancelled => Ok(vec![]),
        _ => wrong(status),
    }
}

fn expire(status: Status, request: &v1::Requested, now: vaultstream_event_schemas::Timestamp) -> Decision {
    match status {
        Status::Requested | Status::Screening | Status::AwaitingApproval if now >= request.expires_at => {
            one(v1::Expired {
                deadline: request.expires_at,
            })
        }
        _ => Ok(vec![]),
    }
}

fn start(
    state: &TransferState,
    status: Status,
    execution: vaultstream_event_schemas::ExecutionId,
) -> Decision {
    match (status, state.execution) {
        (Status::Approved, None) => one(v1::ExecutionStarted { execution }),
        (_, Some(known)) if known == execution => Ok(vec![]),
        (_, Some(_)) => Err(TransferError::ExecutionFixed),
        (_, None) => wrong(status),
    }
}

fn conclude(status: Status, outcome: Status, event: impl Into<TransferEvent>) -> Decision {
    match status {
        Status::Executing => one(event),
        s if s == outcome => Ok(vec![]),
        _ => wrong(status),
    }
}

fn reverse(status: Status, reversed: &v1::Reversed) -> Decision {
    match status {
        Status::Completed => one(reversed.clone()),
        Status::Reversed => Ok(vec![]),
        _ => wrong(status),
    }
}
