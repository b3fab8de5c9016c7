//! `transfers`: transfers and executions of a chain, what of them is open, and how many there are in each status.

mod execution;

use vaultstream_domain::Event;
use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_domain::transfer::TransferEvent;
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::{StreamKind, TransferId, TransferStatus};

use crate::cache::{FoldError, RowCache};
use crate::rows::{ActivityRow, Failure, IndexRow, Metric, OpenRow, TransferRow};
use crate::tables::{self, key, n, t};
use crate::view::{Seen, View, begin, one_less, one_more, unless_first};
use crate::view_name::ViewName;

/// The view.
pub struct Transfers;

impl View for Transfers {
    fn name(&self) -> ViewName {
        ViewName::Transfers
    }
    fn version(&self) -> u32 {
        1
    }
    fn tables(&self) -> &'static [Table] {
        const TABLES: [Table; 9] = [
            tables::TRANSFER,
            tables::TRANSFER_BY_ORGANIZATION,
            tables::TRANSFER_BY_STATUS,
            tables::TRANSFER_BY_VAULT,
            tables::TRANSFER_BY_ASSET,
            tables::EXECUTION,
            tables::OPEN,
            tables::ACTIVITY,
            tables::TOTALS,
        ];
        &TABLES
    }
    fn wants(&self, kind: StreamKind) -> bool {
        matches!(kind, StreamKind::Transfer | StreamKind::Execution)
    }
    fn needs(&self, seen: &Seen<'_>) -> Vec<RowKey> {
        let row = match seen.stored.envelope.stream.kind {
            StreamKind::Execution => execution::row_key(seen),
            _ => row_key(seen),
        };
        let mut keys = unless_first(seen, row);
        keys.extend(activity_key(seen));
        keys
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        match seen.stored.envelope.stream.kind {
            StreamKind::Execution => execution::fold(seen, rows),
            _ => fold(seen, rows),
        }
    }
}

fn row_key(seen: &Seen<'_>) -> RowKey {
    key(
        &tables::TRANSFER,
        [t(seen.organization()), t(seen.stored.envelope.stream)],
        [],
    )
}

fn activity_key(seen: &Seen<'_>) -> Option<RowKey> {
    seen.vault()
        .map(|vault| key(&tables::ACTIVITY, [t(seen.organization())], [t(vault)]))
}

fn fold(seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
    let at = row_key(seen);
    begin(seen, &at, rows);
    let mut new = rows.get::<TransferRow>(&at)?.cloned();
    let activity = read_activity(seen, rows)?;
    if new.as_ref().is_some_and(|row| row.pos >= seen.pos()) {
        touch(seen, activity, rows);
        return Ok(());
    }
    let was = new.as_ref().map(|row| row.status);
    for event in seen.events {
        if let Event::Transfer(event) = event {
            new = Some(apply(new, event, seen)?);
        }
    }
    let Some(mut new) = new else { return Ok(()) };
    new.pos = seen.pos();
    new.version = seen.sequence();
    new.updated_at = seen.at();
    list(seen, was, &new, rows)?;
    touch(seen, activity, rows);
    rows.put(at, new, seen.hlc());
    Ok(())
}

/// The vault's activity so far.
fn read_activity(seen: &Seen<'_>, rows: &mut RowCache) -> Result<Option<ActivityRow>, FoldError> {
    match activity_key(seen) {
        Some(key) => Ok(rows.get::<ActivityRow>(&key)?.cloned()),
        None => Ok(None),
    }
}

/// Several streams of a vault meet in its activity; the newest event wins, whatever order they are folded in.
fn touch(seen: &Seen<'_>, activity: Option<ActivityRow>, rows: &mut RowCache) {
    if let Some(key) = activity_key(seen)
        && activity.is_none_or(|row| row.hlc < seen.hlc())
    {
        rows.put(
            key,
            ActivityRow {
                hlc: seen.hlc(),
                pos: seen.pos(),
            },
            seen.hlc(),
        );
    }
}

fn requested(e: &Requested, seen: &Seen<'_>) -> TransferRow {
    TransferRow {
        account_id: e.account,
        amount: e.amount,
        approvals: 0,
        approvals_needed: 0,
        approved_by: Vec::new(),
        asset: e.asset.clone(),
        block: None,
        created_at: seen.at(),
        created_hlc: seen.hlc(),
        destination: e.destination.clone(),
        executions: Vec::new(),
        expires_at: e.expires_at,
        external_id: e.external_id.clone(),
        failure: None,
        fee: None,
        fee_max: e.fee_max,
        id: TransferId::from_uuid(seen.stored.envelope.stream.id),
        memo: e.memo.clone(),
        memo_erased: false,
        organization_id: seen.organization(),
        pos: seen.pos(),
        reason: None,
        requested_by: seen.stored.envelope.actor.clone(),
        rule: None,
        status: TransferStatus::Requested,
        txid: None,
        updated_at: seen.at(),
        vault_id: e.vault,
        version: seen.sequence(),
    }
}

fn apply(row: Option<TransferRow>, event: &TransferEvent, seen: &Seen<'_>) -> Result<TransferRow, FoldError> {
    if let TransferEvent::Requested(e) = event {
        return Ok(requested(e, seen));
    }
    let mut row = row.ok_or(FoldError::NoBeginning)?;
    row.status = match event {
        TransferEvent::Requested(_) => TransferStatus::Requested,
        TransferEvent::MemoErased(_) => {
            // Not even the ciphertext stays where it is read.
            row.memo = None;
            row.memo_erased = true;
            row.status
        }
        TransferEvent::Screened(e) => {
            row.approvals_needed = e.approvals_needed;
            row.rule = Some(e.rule.clone());
            if e.approvals_needed == 0 {
                TransferStatus::Approved
            } else {
                TransferStatus::AwaitingApproval
            }
        }
        TransferEvent::Approved(e) => {
            row.approvals = e.approvals;
            row.approved_by.push(seen.stored.envelope.actor.clone());
            let enough = e.approvals >= row.approvals_needed;
            if enough {
                TransferStatus::Approved
            } else {
                TransferStatus::AwaitingApproval
            }
        }
        TransferEvent::Denied(e) => {
            row.reason = Some(e.reason.clone());
            TransferStatus::Rejected
        }
        TransferEvent::Cancelled(e) => {
            row.reason = Some(e.reason.clone());
            TransferStatus::Cancelled
        }
        TransferEvent::Expired(_) => TransferStatus::Expired,
        TransferEvent::ExecutionStarted(e) => {
            row.executions.push(e.execution);
            TransferStatus::Executing
        }
        TransferEvent::Completed(e) => {
            row.block = Some(e.block.clone());
            row.fee = Some(e.fee);
            row.txid = Some(e.txid.clone());
            TransferStatus::Completed
        }
        TransferEvent::Failed(e) => {
            row.failure = Some(Failure {
                code: e.code.clone(),
                detail: e.detail.clone(),
            });
            TransferStatus::Failed
        }
        TransferEvent::Reversed(e) => {
            row.block = Some(e.block.clone());
            row.txid = Some(e.txid.clone());
            TransferStatus::Reversed
        }
    };
    Ok(row)
}

fn list(
    seen: &Seen<'_>,
    was: Option<TransferStatus>,
    new: &TransferRow,
    rows: &mut RowCache,
) -> Result<(), FoldError> {
    let (entry, hlc) = (IndexRow { pos: seen.pos() }, seen.hlc());
    let place = || [n(new.created_hlc.0), t(new.id)];
    let organization = || t(new.organization_id);
    if was.is_none() {
        rows.put_entry(
            key(&tables::TRANSFER_BY_ORGANIZATION, [organization()], place()),
            &entry,
            hlc,
        )?;
        let by_vault = [organization(), t(new.vault_id)];
        rows.put_entry(key(&tables::TRANSFER_BY_VAULT, by_vault, place()), &entry, hlc)?;
        let by_asset = [organization(), t(&new.asset)];
        rows.put_entry(key(&tables::TRANSFER_BY_ASSET, by_asset, place()), &entry, hlc)?;
    }
    let is = new.status;
    if was != Some(is) {
        let by_status = |s: TransferStatus| key(&tables::TRANSFER_BY_STATUS, [organization(), t(s)], place());
        if let Some(was) = was {
            rows.remove_entry(by_status(was), hlc);
            rows.total(seen, Metric::Transfers, was.as_str(), one_less());
        }
        rows.add_entry(by_status(is), &entry, hlc)?;
        rows.total(seen, Metric::Transfers, is.as_str(), one_more());
    }
    let open_before = was.is_some_and(|s| !s.is_terminal());
    to_do(seen, (open_before, !is.is_terminal()), new.created_hlc.0, rows)
}

/// Keeps the shard's to-do list: an entry while the stream is open.
fn to_do(
    seen: &Seen<'_>,
    (was, is): (bool, bool),
    created: u64,
    rows: &mut RowCache,
) -> Result<(), FoldError> {
    let id = seen.stored.envelope.stream;
    let at = key(&tables::OPEN, [n(seen.shard().0.into())], [n(created), t(id)]);
    match (was, is) {
        (false, true) => {
            let row = OpenRow {
                id: id.to_string(),
                organization_id: seen.organization(),
                pos: seen.pos(),
            };
            rows.add_entry(at, &row, seen.hlc())?;
        }
        (true, false) => rows.remove_entry(at, seen.hlc()),
        _ => {}
    }
    Ok(())
}
