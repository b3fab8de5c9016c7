//! The decisions of an execution: bound before signing, raw bytes before any socket, no death without a proof.

use vaultstream_event_schemas::ExecutionStatus as S;
use vaultstream_event_schemas::execution::v1::{self, ProofOfDeath};

use super::{Execution, ExecutionCommand, ExecutionError, ExecutionEvent, ExecutionState};
use crate::decider::Decider;

/// The most answers of nodes kept of one execution; later ones change nothing that is not known.
const MAX_RECORDED_BROADCASTS: u32 = 100;

type Decision = Result<Vec<ExecutionEvent>, ExecutionError>;

impl Decider for Execution {
    type State = ExecutionState;
    type Command = ExecutionCommand;
    type Event = ExecutionEvent;
    type Error = ExecutionError;

    fn decide(state: &ExecutionState, command: &ExecutionCommand) -> Decision {
        use ExecutionCommand as C;
        let Some(status) = state.status else {
            return match command {
                C::Queue(queued) => one(queued.clone()),
                _ => Err(ExecutionError::Unknown),
            };
        };
        match command {
            C::Queue(queued) if state.queued.as_ref() == Some(queued) => Ok(vec![]),
            C::Queue(_) => Err(ExecutionError::AlreadyQueued),
            C::Plan(planned) => plan(status, planned),
            C::Bind(bound) => bind(state, status, bound),
            C::AttachSigned(signed) => attach(state, status, signed),
            C::RecordBroadcast(tried) => record_broadcast(state, status, tried),
            C::RecordSeen(seen) => record_seen(state, status, seen),
            C::RecordIncluded(included) => record_included(state, status, included),
            C::RecordDetached(detached) => record_detached(state, detached),
            C::Finalize(finalized) => finalize(state, status, finalized),
            C::MarkStuck(stuck) => mark_stuck(state, status, stuck),
            C::ProveDead(dead) => prove_dead(state, status, dead),
            C::Reverse(reversed) => reverse(status, reversed),
        }
    }

    fn evolve(state: &mut ExecutionState, event: &ExecutionEvent) {
        state.fold(event);
    }
}

fn one(event: impl Into<ExecutionEvent>) -> Decision {
    Ok(vec![event.into()])
}

fn own(state: &ExecutionState, txid: &str) -> Result<(), ExecutionError> {
    if state.owns(txid) {
        Ok(())
    } else {
        Err(ExecutionError::ForeignTransaction(txid.to_owned()))
    }
}

fn plan(status: S, planned: &v1::Planned) -> Decision {
    match status {
        S::Queued => one(planned.clone()),
        S::Planned => Ok(vec![]),
        _ => Err(ExecutionError::WrongStatus(status)),
    }
}

fn bind(state: &ExecutionState, status: S, bound: &v1::Bound) -> Decision {
    match status {
        S::Planned => one(bound.clone()),
        _ if state.digest.as_ref() == Some(&bound.digest) => Ok(vec![]),
        _ if state.digest.is_some() => Err(ExecutionError::PlanChanged),
        _ => Err(ExecutionError::WrongStatus(status)),
    }
}

fn attach(state: &ExecutionState, status: S, signed: &v1::Signed) -> Decision {
    if state.owns(&signed.transaction.txid) {
        return Ok(vec![]);
    }
    let next = u32::try_from(state.attempts.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    match status {
        // One signature a bound digest: a second signer's other bytes would be a second payment waiting to happen
        // only if the slots differed; they share it, but there is no reason to keep both.
        S::Bound if signed.attempt == next => one(signed.clone()),
        _ => Err(ExecutionError::WrongStatus(status)),
    }
}

const fn is_open(status: S) -> bool {
    matches!(
        status,
        S::Signed | S::Broadcasting | S::Seen | S::Unknown | S::Included | S::Stuck
    )
}

fn record_broadcast(state: &ExecutionState, status: S, tried: &v1::BroadcastTried) -> Decision {
    let Some(attempt) = state.attempts.iter().find(|a| a.number == tried.attempt) else {
        return Err(ExecutionError::WrongStatus(status));
    };
    let repeats = state.last_answer.as_ref() == Some(&(tried.outcome, tried.detail.clone()))
        && matches!(status, S::Broadcasting | S::Unknown | S::Seen | S::Included);
    if !is_open(status) || repeats || attempt.broadcasts >= MAX_RECORDED_BROADCASTS {
        return Ok(vec![]);
    }
    one(tried.clone())
}

fn record_seen(state: &ExecutionState, status: S, seen: &v1::Seen) -> Decision {
    own(state, &seen.txid)?;
    match status {
        S::Signed | S::Broadcasting | S::Unknown | S::Stuck => one(seen.clone()),
        _ => Ok(vec![]),
    }
}

fn record_included(state: &ExecutionState, status: S, included: &v1::Included) -> Decision {
    own(state, &included.txid)?;
    match &state.inclusion {
        _ if !is_open(status) => Ok(vec![]),
        Some(known) if known.block == included.block && known.txid == included.txid => Ok(vec![]),
        Some(known) => {
            let detached = v1::Detached {
                block: known.block.clone(),
                txid: known.txid.clone(),
            };
            Ok(vec![detached.into(), included.clone().into()])
        }
        None => one(included.clone()),
    }
}

fn record_detached(state: &ExecutionState, detached: &v1::Detached) -> Decision {
    match &state.inclusion {
        Some(known) if known.block == detached.block && state.status == Some(S::Included) => {
            one(detached.clone())
        }
        _ => Ok(vec![]),
    }
}

fn finalize(state: &ExecutionState, status: S, finalized: &v1::Finalized) -> Decision {
    own(state, &finalized.txid)?;
    match status {
        S::Finalized => Ok(vec![]),
        _ if is_open(status) => one(finalized.clone()),
        _ => Err(ExecutionError::WrongStatus(status)),
    }
}

fn mark_stuck(state: &ExecutionState, status: S, stuck: &v1::Stuck) -> Decision {
    match status {
        S::Stuck => Ok(vec![]),
        _ if is_open(status) && state.inclusion.is_none() => one(stuck.clone()),
        S::Bound => one(stuck.clone()),
        _ => Ok(vec![]),
    }
}

fn prove_dead(state: &ExecutionState, status: S, dead: &v1::Dead) -> Decision {
    if status.is_terminal() {
        return if matches!(status, S::Dead | S::Superseded) {
            Ok(vec![])
        } else {
            Err(ExecutionError::WrongStatus(status))
        };
    }
    match dead.proof {
        // After bind a signature may exist that nobody recorded, so "never signed" proves nothing any more.
        ProofOfDeath::NeverSigned if matches!(status, S::Queued | S::Planned) => one(dead.clone()),
        ProofOfDeath::NeverSigned => Err(ExecutionError::NoProof),
        ProofOfDeath::SlotConsumed { slot, .. } if state.plan.as_ref().is_some_and(|p| p.slot() == slot) => {
            one(dead.clone())
        }
        ProofOfDeath::SlotConsumed { .. } => Err(ExecutionError::NoProof),
    }
}

fn reverse(status: S, reversed: &v1::Reversed) -> Decision {
    match status {
        S::Finalized => one(reversed.clone()),
        S::Reversed => Ok(vec![]),
        _ => Err(ExecutionError::WrongStatus(status)),
    }
}
