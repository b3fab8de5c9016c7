//! `balances`: accounts of a chain, what they hold, and what a tenant holds in all. A balance is an absolute reading; the
//! newest event wins.

use vaultstream_domain::Event;
use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_domain::vault::AccountEvent;
use vaultstream_event_schemas::vault::v1::BalanceObserved;
use vaultstream_event_schemas::{AccountId, AccountStatus, Amount, StreamKind};

use crate::cache::{FoldError, RowCache};
use crate::rows::{AccountRow, BalanceRow, IndexRow, Metric};
use crate::tables::{self, key, t};
use crate::view::{Seen, View, begin, one_less, one_more, unless_first};
use crate::view_name::ViewName;

/// The view.
pub struct Balances;

impl View for Balances {
    fn name(&self) -> ViewName {
        ViewName::Balances
    }
    fn version(&self) -> u32 {
        1
    }
    fn tables(&self) -> &'static [Table] {
        const TABLES: [Table; 5] = [
            tables::ACCOUNT,
            tables::ACCOUNT_BY_VAULT,
            tables::BALANCE_BY_VAULT,
            tables::BALANCE_BY_ORGANIZATION,
            tables::TOTALS,
        ];
        &TABLES
    }
    fn wants(&self, kind: StreamKind) -> bool {
        kind == StreamKind::Account
    }
    fn needs(&self, seen: &Seen<'_>) -> Vec<RowKey> {
        let mut keys = unless_first(seen, row_key(seen));
        keys.extend(readings(seen).filter_map(|reading| balance_key(seen, reading)));
        keys
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        let at = row_key(seen);
        begin(seen, &at, rows);
        let old = rows.get::<AccountRow>(&at)?.cloned();
        let new = next(old.as_ref(), seen)?;
        let Some(account) = new.as_ref().or(old.as_ref()) else {
            return Ok(());
        };
        let mut held = Vec::new();
        for reading in readings(seen) {
            held.extend(observe(seen, account, reading, rows)?);
        }
        for (key, by_organization, balance, before) in held {
            rows.total(
                seen,
                Metric::Assets,
                balance.asset.as_str(),
                (balance.minor, before),
            );
            rows.put_entry(by_organization, &balance, seen.hlc())?;
            rows.put(key, balance, seen.hlc());
        }
        if let Some(new) = new {
            list(seen, old.as_ref(), &new, rows)?;
            rows.put(at, new, seen.hlc());
        }
        Ok(())
    }
}

/// The account after the event; none when its row has seen it.
fn next(old: Option<&AccountRow>, seen: &Seen<'_>) -> Result<Option<AccountRow>, FoldError> {
    if old.is_some_and(|row| row.pos >= seen.pos()) {
        return Ok(None);
    }
    let mut new = old.cloned();
    for event in seen.events {
        if let Event::Account(event) = event {
            new = Some(apply(new, event, seen)?);
        }
    }
    if let Some(row) = &mut new {
        (row.pos, row.version) = (seen.pos(), seen.sequence());
        if readings(seen).next().is_none() {
            row.updated_at = seen.at();
        }
    }
    Ok(new)
}

fn row_key(seen: &Seen<'_>) -> RowKey {
    key(
        &tables::ACCOUNT,
        [t(seen.organization()), t(seen.stored.envelope.stream)],
        [],
    )
}

fn account(seen: &Seen<'_>) -> AccountId {
    AccountId::from_uuid(seen.stored.envelope.stream.id)
}

fn readings<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a BalanceObserved> + use<'a> {
    seen.events.iter().filter_map(|event| match event {
        Event::Account(AccountEvent::BalanceObserved(reading)) => Some(reading),
        _ => None,
    })
}

fn balance_key(seen: &Seen<'_>, reading: &BalanceObserved) -> Option<RowKey> {
    let partition = [t(seen.organization()), t(seen.vault()?)];
    Some(key(
        &tables::BALANCE_BY_VAULT,
        partition,
        [t(&reading.asset), t(account(seen))],
    ))
}

fn apply(row: Option<AccountRow>, event: &AccountEvent, seen: &Seen<'_>) -> Result<AccountRow, FoldError> {
    if let AccountEvent::Requested(e) = event {
        return Ok(AccountRow {
            address: None,
            chain: e.chain.clone(),
            created_at: seen.at(),
            custody: e.custody,
            id: account(seen),
            label: None,
            organization_id: seen.organization(),
            pos: seen.pos(),
            reason: None,
            status: AccountStatus::Opening,
            updated_at: seen.at(),
            vault_id: e.vault,
            version: seen.sequence(),
        });
    }
    let mut row = row.ok_or(FoldError::NoBeginning)?;
    match event {
        AccountEvent::Requested(_) | AccountEvent::BalanceObserved(_) => {}
        AccountEvent::Opened(e) => {
            row.address = Some(e.address.clone());
            row.status = AccountStatus::Open;
        }
        AccountEvent::Labelled(e) => row.label = Some(e.label.clone()),
        AccountEvent::Frozen(e) => {
            row.reason = Some(e.reason.clone());
            row.status = AccountStatus::Frozen;
        }
        AccountEvent::Unfrozen(_) => {
            row.reason = None;
            row.status = AccountStatus::Open;
        }
        AccountEvent::Closed(e) => {
            row.reason = Some(e.reason.clone());
            row.status = AccountStatus::Closed;
        }
    }
    Ok(row)
}

/// A balance, the keys it is kept under, and how much was held before.
type Held = (RowKey, RowKey, BalanceRow, Amount);

fn observe(
    seen: &Seen<'_>,
    account: &AccountRow,
    reading: &BalanceObserved,
    rows: &mut RowCache,
) -> Result<Option<Held>, FoldError> {
    let clustering = [t(&reading.asset), t(account.id)];
    let partition = [t(account.organization_id), t(account.vault_id)];
    let by_vault = key(&tables::BALANCE_BY_VAULT, partition, clustering.clone());
    let before = rows.get::<BalanceRow>(&by_vault)?;
    if before.is_some_and(|row| row.pos >= seen.pos()) {
        return Ok(None);
    }
    let before = before.map_or(Amount::ZERO, |row| row.minor);
    let by_organization = key(
        &tables::BALANCE_BY_ORGANIZATION,
        [t(account.organization_id)],
        clustering,
    );
    let balance = BalanceRow {
        account_id: account.id,
        asset: reading.asset.clone(),
        block: reading.block.clone(),
        minor: reading.minor,
        observed_at: seen.at(),
        organization_id: account.organization_id,
        pos: seen.pos(),
        vault_id: account.vault_id,
    };
    Ok(Some((by_vault, by_organization, balance, before)))
}

fn list(
    seen: &Seen<'_>,
    old: Option<&AccountRow>,
    new: &AccountRow,
    rows: &mut RowCache,
) -> Result<(), FoldError> {
    if old.is_none() {
        let partition = [t(new.organization_id), t(new.vault_id)];
        let entry = IndexRow { pos: seen.pos() };
        rows.put_entry(
            key(&tables::ACCOUNT_BY_VAULT, partition, [t(new.id)]),
            &entry,
            seen.hlc(),
        )?;
    }
    let old_status = old.map(|row| row.status);
    if old_status != Some(new.status) {
        if let Some(status) = old_status {
            rows.total(seen, Metric::Accounts, status.as_str(), one_less());
        }
        rows.total(seen, Metric::Accounts, new.status.as_str(), one_more());
    }
    Ok(())
}
