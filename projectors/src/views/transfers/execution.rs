//! Executions inside the `transfers` view: one Execution stream folded into one row.

use vaultstream_domain::Event;
use vaultstream_domain::execution::ExecutionEvent;
use vaultstream_domain::ports::view_store::RowKey;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::execution::v1::{BroadcastOutcome, BroadcastTried, ProofOfDeath, Queued};
use vaultstream_event_schemas::{Amount, ExecutionId, ExecutionStatus};

use super::{read_activity, to_do, touch};
use crate::cache::{FoldError, RowCache};
use crate::rows::{ExecutionRow, Failure};
use crate::tables::{self, key, t};
use crate::view::{Seen, begin};

pub(super) fn row_key(seen: &Seen<'_>) -> RowKey {
    key(
        &tables::EXECUTION,
        [t(seen.organization()), t(seen.stored.envelope.stream)],
        [],
    )
}

pub(super) fn fold(seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
    let at = row_key(seen);
    begin(seen, &at, rows);
    let old = rows.get::<ExecutionRow>(&at)?.cloned();
    let activity = read_activity(seen, rows)?;
    if old.as_ref().is_some_and(|row| row.pos >= seen.pos()) {
        touch(seen, activity, rows);
        return Ok(());
    }
    let open_before = old.as_ref().is_some_and(|row| !row.status.is_terminal());
    let created = old.as_ref().map(|row| row.created_hlc.0);
    let mut new = old;
    for event in seen.events {
        if let Event::Execution(event) = event {
            new = Some(apply(new, event, seen)?);
        }
    }
    let Some(mut new) = new else { return Ok(()) };
    new.pos = seen.pos();
    new.version = seen.sequence();
    new.updated_at = seen.at();
    to_do(
        seen,
        (open_before, !new.status.is_terminal()),
        created.unwrap_or(new.created_hlc.0),
        rows,
    )?;
    touch(seen, activity, rows);
    rows.put(at, new, seen.hlc());
    Ok(())
}

fn queued(e: &Queued, seen: &Seen<'_>) -> ExecutionRow {
    ExecutionRow {
        account_id: e.account,
        attempts: 0,
        block: None,
        broadcasts: 0,
        chain: e.chain.clone(),
        created_at: seen.at(),
        created_hlc: seen.hlc(),
        digest: None,
        failure: None,
        fee: None,
        fee_max: None,
        id: ExecutionId::from_uuid(seen.stored.envelope.stream.id),
        last_error: None,
        last_outcome: None,
        organization_id: seen.organization(),
        pos: seen.pos(),
        slot: None,
        status: ExecutionStatus::Queued,
        succeeded: None,
        transfers: e.transfers.clone(),
        txid: None,
        updated_at: seen.at(),
        vault_id: seen.vault(),
        version: seen.sequence(),
    }
}

fn apply(
    row: Option<ExecutionRow>,
    event: &ExecutionEvent,
    seen: &Seen<'_>,
) -> Result<ExecutionRow, FoldError> {
    if let ExecutionEvent::Queued(e) = event {
        return Ok(queued(e, seen));
    }
    let mut row = row.ok_or(FoldError::NoBeginning)?;
    row.status = match event {
        ExecutionEvent::Queued(_) => ExecutionStatus::Queued,
        ExecutionEvent::Planned(e) => {
            row.fee_max = e.plan.fee_max();
            ExecutionStatus::Planned
        }
        ExecutionEvent::Bound(e) => {
            row.fee_max = e.plan.fee_max();
            row.slot = Some(e.plan.slot());
            row.digest = Some(e.digest.clone());
            ExecutionStatus::Bound
        }
        ExecutionEvent::Signed(e) => {
            row.attempts = row.attempts.max(e.attempt);
            row.txid = Some(e.transaction.txid.clone());
            ExecutionStatus::Signed
        }
        ExecutionEvent::BroadcastTried(e) => broadcast(&mut row, e),
        ExecutionEvent::Seen(_) => ExecutionStatus::Seen,
        ExecutionEvent::Included(e) => {
            in_block(&mut row, &e.block, e.fee, e.succeeded, &e.txid);
            ExecutionStatus::Included
        }
        ExecutionEvent::Detached(_) => {
            row.block = None;
            row.fee = None;
            row.succeeded = None;
            ExecutionStatus::Broadcasting
        }
        ExecutionEvent::Finalized(e) => {
            in_block(&mut row, &e.block, e.fee, e.succeeded, &e.txid);
            ExecutionStatus::Finalized
        }
        ExecutionEvent::Stuck(e) => {
            row.failure = Some(Failure {
                code: "stuck".to_owned(),
                detail: e.detail.clone(),
            });
            ExecutionStatus::Stuck
        }
        ExecutionEvent::Dead(e) => {
            row.failure = Some(Failure {
                code: e.code.clone(),
                detail: e.detail.clone(),
            });
            match e.proof {
                ProofOfDeath::NeverSigned => ExecutionStatus::Dead,
                ProofOfDeath::SlotConsumed { .. } => ExecutionStatus::Superseded,
            }
        }
        ExecutionEvent::Reversed(e) => {
            row.block = Some(e.block.clone());
            row.txid = Some(e.txid.clone());
            ExecutionStatus::Reversed
        }
    };
    Ok(row)
}

fn in_block(row: &mut ExecutionRow, block: &BlockRef, fee: Amount, succeeded: bool, txid: &str) {
    row.block = Some(block.clone());
    row.fee = Some(fee);
    row.succeeded = Some(succeeded);
    row.txid = Some(txid.to_owned());
}

fn broadcast(row: &mut ExecutionRow, e: &BroadcastTried) -> ExecutionStatus {
    let taken = matches!(
        e.outcome,
        BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown
    );
    row.broadcasts += 1;
    row.last_outcome = Some(e.outcome);
    row.last_error = (!taken).then(|| e.detail.clone());
    match row.status {
        // An answer that comes after better news does not take that news back.
        better @ (ExecutionStatus::Included | ExecutionStatus::Seen) => better,
        _ if taken => ExecutionStatus::Broadcasting,
        _ => ExecutionStatus::Unknown,
    }
}
