//! `vaults`: the vaults of a tenant by id, age and name, and how many there are.

use vaultstream_domain::Event;
use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_domain::vault::VaultEvent;
use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::{StreamKind, VaultId};

use crate::cache::{FoldError, RowCache};
use crate::rows::{IndexRow, Metric, VaultAccount, VaultRow};
use crate::tables::{self, folded, key, n, t};
use crate::view::{Seen, View, begin, one_less, one_more, unless_first};
use crate::view_name::ViewName;

/// The view.
pub struct Vaults;

impl View for Vaults {
    fn name(&self) -> ViewName {
        ViewName::Vaults
    }
    fn version(&self) -> u32 {
        1
    }
    fn tables(&self) -> &'static [Table] {
        const TABLES: [Table; 4] = [
            tables::VAULT,
            tables::VAULT_BY_CREATED,
            tables::VAULT_BY_NAME,
            tables::TOTALS,
        ];
        &TABLES
    }
    fn wants(&self, kind: StreamKind) -> bool {
        kind == StreamKind::Vault
    }
    fn needs(&self, seen: &Seen<'_>) -> Vec<RowKey> {
        unless_first(seen, row_key(seen))
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        let at = row_key(seen);
        begin(seen, &at, rows);
        let old = rows.get::<VaultRow>(&at)?.cloned();
        if old.as_ref().is_some_and(|row| row.pos >= seen.pos()) {
            return Ok(());
        }
        let mut new = old.clone();
        for event in seen.events {
            if let Event::Vault(event) = event {
                new = Some(apply(new, event, seen)?);
            }
        }
        let Some(mut new) = new else { return Ok(()) };
        new.pos = seen.pos();
        new.version = seen.sequence();
        new.updated_at = seen.at();
        list(seen, old.as_ref(), &new, rows)?;
        rows.put(at, new, seen.hlc());
        Ok(())
    }
}

fn row_key(seen: &Seen<'_>) -> RowKey {
    key(
        &tables::VAULT,
        [t(seen.organization()), t(seen.stored.envelope.stream)],
        [],
    )
}

fn apply(row: Option<VaultRow>, event: &VaultEvent, seen: &Seen<'_>) -> Result<VaultRow, FoldError> {
    if let VaultEvent::Created(e) = event {
        return Ok(VaultRow {
            accounts: Vec::new(),
            created_at: seen.at(),
            created_hlc: seen.hlc(),
            id: VaultId::from_uuid(seen.stored.envelope.stream.id),
            name: e.name.clone(),
            organization_id: seen.organization(),
            pos: seen.pos(),
            status: VaultStatus::Active,
            tier: e.tier,
            updated_at: seen.at(),
            version: seen.sequence(),
        });
    }
    let mut row = row.ok_or(FoldError::NoBeginning)?;
    match event {
        VaultEvent::Created(_) => {}
        VaultEvent::Renamed(e) => row.name.clone_from(&e.name),
        VaultEvent::AccountAdded(e) => {
            row.accounts.push(VaultAccount {
                account_id: e.account,
                chain: e.chain.clone(),
            });
        }
        VaultEvent::Archived(_) => row.status = VaultStatus::Archived,
    }
    Ok(row)
}

fn list(
    seen: &Seen<'_>,
    old: Option<&VaultRow>,
    new: &VaultRow,
    rows: &mut RowCache,
) -> Result<(), FoldError> {
    let entry = IndexRow { pos: seen.pos() };
    let by_name = |name: &str| {
        key(
            &tables::VAULT_BY_NAME,
            [t(new.organization_id)],
            [t(folded(name)), t(new.id)],
        )
    };
    if old.is_none() {
        let by_created = [n(new.created_hlc.0), t(new.id)];
        rows.put_entry(
            key(&tables::VAULT_BY_CREATED, [t(new.organization_id)], by_created),
            &entry,
            seen.hlc(),
        )?;
    }
    let old_name = old.map(|row| folded(&row.name));
    if old_name.as_deref() != Some(&folded(&new.name)) {
        if let Some(name) = old_name {
            rows.remove_entry(by_name(&name), seen.hlc());
        }
        rows.add_entry(by_name(&new.name), &entry, seen.hlc())?;
    }
    let old_status = old.map(|row| row.status);
    if old_status != Some(new.status) {
        if let Some(status) = old_status {
            rows.total(seen, Metric::Vaults, status.as_str(), one_less());
        }
        rows.total(seen, Metric::Vaults, new.status.as_str(), one_more());
    }
    Ok(())
}
