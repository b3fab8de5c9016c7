//! `lookup`: names, labels, addresses, external ids and transaction hashes, each leading to what it belongs to.

use vaultstream_domain::Event;
use vaultstream_domain::execution::ExecutionEvent;
use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_domain::transfer::TransferEvent;
use vaultstream_domain::vault::{AccountEvent, VaultEvent};
use vaultstream_event_schemas::{StreamKind, VaultId};

use crate::cache::{FoldError, RowCache};
use crate::rows::{LookupKind, LookupRow};
use crate::tables::{self, folded, key, t};
use crate::view::{Seen, View};
use crate::view_name::ViewName;

/// The view.
pub struct Lookup;

impl View for Lookup {
    fn name(&self) -> ViewName {
        ViewName::Lookup
    }
    fn version(&self) -> u32 {
        1
    }
    fn tables(&self) -> &'static [Table] {
        const TABLES: [Table; 3] = [tables::LOOKUP_EXACT, tables::LOOKUP_NAME, tables::LOOKUP_SUBJECT];
        &TABLES
    }
    fn wants(&self, kind: StreamKind) -> bool {
        matches!(
            kind,
            StreamKind::Vault | StreamKind::Account | StreamKind::Transfer | StreamKind::Execution
        )
    }
    fn needs(&self, seen: &Seen<'_>) -> Vec<RowKey> {
        if seen.events.iter().any(|event| name_of(event).is_some()) {
            vec![subject_key(seen)]
        } else {
            Vec::new()
        }
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        for event in seen.events {
            if let Some(name) = name_of(event) {
                rename(seen, name, rows)?;
            }
            if let Some(term) = term_of(event) {
                let row = row(seen, term);
                let partition = [t(seen.organization()), t(folded(term))];
                let at = key(
                    &tables::LOOKUP_EXACT,
                    partition,
                    [t(row.kind.as_str()), t(&row.id)],
                );
                rows.put_entry(at, &row, seen.hlc())?;
            }
        }
        Ok(())
    }
}

fn subject_key(seen: &Seen<'_>) -> RowKey {
    key(&tables::LOOKUP_SUBJECT, [t(seen.stored.envelope.stream)], [])
}

/// The name an event gives to its subject.
fn name_of(event: &Event) -> Option<&str> {
    match event {
        Event::Vault(VaultEvent::Created(e)) => Some(&e.name),
        Event::Vault(VaultEvent::Renamed(e)) => Some(&e.name),
        Event::Account(AccountEvent::Labelled(e)) => Some(&e.label),
        _ => None,
    }
}

/// The term that leads to an event's subject from now on.
fn term_of(event: &Event) -> Option<&str> {
    match event {
        Event::Account(AccountEvent::Opened(e)) => Some(&e.address),
        Event::Transfer(TransferEvent::Requested(e)) => e.external_id.as_deref(),
        Event::Execution(ExecutionEvent::Signed(e)) => Some(&e.transaction.txid),
        _ => None,
    }
}

fn row(seen: &Seen<'_>, label: &str) -> LookupRow {
    let stream = seen.stored.envelope.stream;
    let (kind, vault) = match stream.kind {
        StreamKind::Vault => (LookupKind::Vault, Some(VaultId::from_uuid(stream.id))),
        StreamKind::Account => (LookupKind::Account, seen.vault()),
        StreamKind::Transfer => (LookupKind::Transfer, seen.vault()),
        _ => (LookupKind::Execution, seen.vault()),
    };
    LookupRow {
        id: stream.to_string(),
        kind,
        label: label.to_owned(),
        organization_id: seen.organization(),
        pos: seen.pos(),
        vault_id: vault,
    }
}

fn rename(seen: &Seen<'_>, name: &str, rows: &mut RowCache) -> Result<(), FoldError> {
    let subject = subject_key(seen);
    let old = rows.get::<LookupRow>(&subject)?.cloned();
    if old.as_ref().is_some_and(|row| row.pos >= seen.pos()) {
        return Ok(());
    }
    let new = row(seen, name);
    let at = |row: &LookupRow| {
        let place = [t(folded(&row.label)), t(row.kind.as_str()), t(&row.id)];
        key(&tables::LOOKUP_NAME, [t(row.organization_id)], place)
    };
    if let Some(old) = old.filter(|old| folded(&old.label) != folded(name)) {
        rows.remove_entry(at(&old), seen.hlc());
    }
    rows.put_entry(at(&new), &new, seen.hlc())?;
    rows.put(subject, new, seen.hlc());
    Ok(())
}
