//! `directory`: organizations, API keys and sessions, for doors and for the pages that list them.

use vaultstream_domain::Event;
use vaultstream_domain::organization::{ApiKeyEvent, OrganizationEvent, SessionEvent};
use vaultstream_domain::ports::view_store::{RowKey, Table};
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{ApiKeyId, Hlc, OrganizationId, SessionId, StreamKind};

use crate::cache::{FoldError, Row, RowCache};
use crate::rows::{ApiKeyRow, IndexRow, OrganizationRow, SessionRow};
use crate::tables::{self, key, n, t};
use crate::view::{Seen, View, begin, unless_first};
use crate::view_name::ViewName;

/// The view.
pub struct Directory;

impl View for Directory {
    fn name(&self) -> ViewName {
        ViewName::Directory
    }
    fn version(&self) -> u32 {
        1
    }
    fn tables(&self) -> &'static [Table] {
        const TABLES: [Table; 6] = [
            tables::ORGANIZATION,
            tables::ORGANIZATION_BY_CREATED,
            tables::API_KEY,
            tables::API_KEY_BY_ORGANIZATION,
            tables::SESSION,
            tables::SESSION_BY_ORGANIZATION,
        ];
        &TABLES
    }
    fn wants(&self, kind: StreamKind) -> bool {
        matches!(
            kind,
            StreamKind::Organization | StreamKind::ApiKey | StreamKind::Session
        )
    }
    fn needs(&self, seen: &Seen<'_>) -> Vec<RowKey> {
        unless_first(seen, row_key(seen))
    }
    fn fold(&self, seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
        match seen.stored.envelope.stream.kind {
            StreamKind::Organization => fold::<OrganizationRow>(seen, rows),
            StreamKind::ApiKey => fold::<ApiKeyRow>(seen, rows),
            _ => fold::<SessionRow>(seen, rows),
        }
    }
}

fn row_key(seen: &Seen<'_>) -> RowKey {
    let stream = seen.stored.envelope.stream;
    let table = match stream.kind {
        StreamKind::Organization => &tables::ORGANIZATION,
        StreamKind::ApiKey => &tables::API_KEY,
        _ => &tables::SESSION,
    };
    key(table, [t(stream)], [])
}

/// A row of the directory: what its stream's events do to it, and where it is listed.
trait Entry: Row {
    fn pos(&self) -> u64;
    fn stamp(&mut self, seen: &Seen<'_>);
    fn created(&self) -> Hlc;
    fn listed_in(&self) -> (&'static Table, String);
    fn apply(row: Option<Self>, event: &Event, seen: &Seen<'_>) -> Result<Option<Self>, FoldError>;
}

fn fold<R: Entry>(seen: &Seen<'_>, rows: &mut RowCache) -> Result<(), FoldError> {
    let at = row_key(seen);
    begin(seen, &at, rows);
    let old = rows.get::<R>(&at)?.cloned();
    if old.as_ref().is_some_and(|row| row.pos() >= seen.pos()) {
        return Ok(());
    }
    let is_new = old.is_none();
    let mut new = old;
    for event in seen.events {
        new = R::apply(new, event, seen)?;
    }
    let Some(mut new) = new else { return Ok(()) };
    new.stamp(seen);
    if is_new {
        let (index, partition) = new.listed_in();
        let place = [n(new.created().0), t(seen.stored.envelope.stream)];
        rows.put_entry(
            key(index, [t(partition)], place),
            &IndexRow { pos: seen.pos() },
            seen.hlc(),
        )?;
    }
    rows.put(at, new, seen.hlc());
    Ok(())
}

impl Entry for OrganizationRow {
    fn pos(&self) -> u64 {
        self.pos
    }
    fn stamp(&mut self, seen: &Seen<'_>) {
        (self.pos, self.version, self.updated_at) = (seen.pos(), seen.sequence(), seen.at());
    }
    fn created(&self) -> Hlc {
        self.created_hlc
    }
    fn listed_in(&self) -> (&'static Table, String) {
        (&tables::ORGANIZATION_BY_CREATED, tables::ALL.to_owned())
    }
    fn apply(row: Option<Self>, event: &Event, seen: &Seen<'_>) -> Result<Option<Self>, FoldError> {
        let Event::Organization(event) = event else {
            return Ok(row);
        };
        if let OrganizationEvent::Registered(e) = event {
            return Ok(Some(Self {
                approval: e.approval,
                created_at: seen.at(),
                created_hlc: seen.hlc(),
                id: OrganizationId::from_uuid(seen.stored.envelope.stream.id),
                name: e.name.clone(),
                pos: seen.pos(),
                reason: None,
                status: OrganizationStatus::Active,
                updated_at: seen.at(),
                version: seen.sequence(),
            }));
        }
        let mut row = row.ok_or(FoldError::NoBeginning)?;
        match event {
            OrganizationEvent::Registered(_) | OrganizationEvent::ContactErased(_) => {}
            OrganizationEvent::Renamed(e) => row.name.clone_from(&e.name),
            OrganizationEvent::ApprovalChanged(e) => row.approval = e.approval,
            OrganizationEvent::Suspended(e) => {
                (row.status, row.reason) = (OrganizationStatus::Suspended, Some(e.reason.clone()));
            }
            OrganizationEvent::Reactivated(_) => {
                (row.status, row.reason) = (OrganizationStatus::Active, None);
            }
            OrganizationEvent::Closed(e) => {
                (row.status, row.reason) = (OrganizationStatus::Closed, Some(e.reason.clone()));
            }
        }
        Ok(Some(row))
    }
}

impl Entry for ApiKeyRow {
    fn pos(&self) -> u64 {
        self.pos
    }
    fn stamp(&mut self, seen: &Seen<'_>) {
        (self.pos, self.version) = (seen.pos(), seen.sequence());
    }
    fn created(&self) -> Hlc {
        self.created_hlc
    }
    fn listed_in(&self) -> (&'static Table, String) {
        (&tables::API_KEY_BY_ORGANIZATION, self.organization_id.to_string())
    }
    fn apply(row: Option<Self>, event: &Event, seen: &Seen<'_>) -> Result<Option<Self>, FoldError> {
        let Event::ApiKey(event) = event else {
            return Ok(row);
        };
        if let ApiKeyEvent::Issued(e) = event {
            return Ok(Some(Self {
                created_at: seen.at(),
                created_hlc: seen.hlc(),
                expires_at: e.expires_at,
                id: ApiKeyId::from_uuid(seen.stored.envelope.stream.id),
                name: e.name.clone(),
                organization_id: e.organization,
                pos: seen.pos(),
                revoked_at: None,
                scopes: e.scopes.clone(),
                secret_sha256: e.secret_sha256.clone(),
                version: seen.sequence(),
            }));
        }
        let mut row = row.ok_or(FoldError::NoBeginning)?;
        match event {
            ApiKeyEvent::Issued(_) => {}
            ApiKeyEvent::ScopesReduced(e) => row.scopes.clone_from(&e.scopes),
            ApiKeyEvent::Revoked(_) => row.revoked_at = Some(seen.at()),
        }
        Ok(Some(row))
    }
}

impl Entry for SessionRow {
    fn pos(&self) -> u64 {
        self.pos
    }
    fn stamp(&mut self, seen: &Seen<'_>) {
        (self.pos, self.version) = (seen.pos(), seen.sequence());
    }
    fn created(&self) -> Hlc {
        self.created_hlc
    }
    fn listed_in(&self) -> (&'static Table, String) {
        (&tables::SESSION_BY_ORGANIZATION, self.organization_id.to_string())
    }
    fn apply(row: Option<Self>, event: &Event, seen: &Seen<'_>) -> Result<Option<Self>, FoldError> {
        let Event::Session(event) = event else {
            return Ok(row);
        };
        let (key_id, scopes, expires_at) = match event {
            SessionEvent::Offered(e) => (e.key, &e.scopes, e.expires_at),
            SessionEvent::Opened(e) => (e.key, &e.scopes, e.expires_at),
            SessionEvent::Revoked(_) => {
                let mut row = row.ok_or(FoldError::NoBeginning)?;
                row.revoked_at = Some(seen.at());
                return Ok(Some(row));
            }
        };
        let mut row = row.unwrap_or_else(|| Self {
            code_sha256: None,
            created_at: seen.at(),
            created_hlc: seen.hlc(),
            expires_at,
            id: SessionId::from_uuid(seen.stored.envelope.stream.id),
            key_id,
            opened_at: None,
            organization_id: seen.organization(),
            pos: seen.pos(),
            revoked_at: None,
            scopes: Vec::new(),
            secret_sha256: None,
            version: seen.sequence(),
        });
        (row.key_id, row.expires_at) = (key_id, expires_at);
        row.scopes.clone_from(scopes);
        match event {
            SessionEvent::Offered(e) => row.code_sha256 = Some(e.code_sha256.clone()),
            SessionEvent::Opened(e) => {
                row.code_sha256 = None;
                row.opened_at = Some(seen.at());
                row.secret_sha256 = Some(e.secret_sha256.clone());
            }
            SessionEvent::Revoked(_) => {}
        }
        Ok(Some(row))
    }
}
