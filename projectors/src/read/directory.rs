//! Organizations, API keys and sessions. By id they are read without a tenant: that is how a door learns the tenant.

use vaultstream_domain::ports::view_store::{Direction, KeyPart, MAX_SCAN, Scan, Table};
use vaultstream_event_schemas::{ApiKeyId, Family, OrganizationId, SessionId};

use super::page::{Edge, Page, PageRequest, cursor, parts};
use super::{ReadError, Reads};
use crate::rows::{ApiKeyRow, OrganizationRow, SessionRow};
use crate::tables::{self, key, t};
use crate::view_name::ViewName;

impl Reads {
    /// An organization.
    pub async fn organization(&self, id: OrganizationId) -> Result<Option<OrganizationRow>, ReadError> {
        let Some(at) = self.at_shard(ViewName::Directory, id.shard()) else {
            return Ok(None);
        };
        self.row(&at, key(&tables::ORGANIZATION, [t(id)], [])).await
    }

    /// An API key; for doors.
    pub async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKeyRow>, ReadError> {
        let Some(at) = self.at_shard(ViewName::Directory, id.shard()) else {
            return Ok(None);
        };
        self.row(&at, key(&tables::API_KEY, [t(id)], [])).await
    }

    /// A session; for doors.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionRow>, ReadError> {
        let Some(at) = self.at_shard(ViewName::Directory, id.shard()) else {
            return Ok(None);
        };
        self.row(&at, key(&tables::SESSION, [t(id)], [])).await
    }

    /// Every organization, newest first; for the platform's own keys.
    pub async fn organizations(&self, page: &PageRequest) -> Result<Page<OrganizationRow>, ReadError> {
        self.listed(
            &tables::ORGANIZATION_BY_CREATED,
            &tables::ORGANIZATION,
            t(tables::ALL),
            page,
        )
        .await
    }

    /// The API keys of a tenant, newest first.
    pub async fn api_keys(
        &self,
        organization: OrganizationId,
        page: &PageRequest,
    ) -> Result<Page<ApiKeyRow>, ReadError> {
        self.listed(
            &tables::API_KEY_BY_ORGANIZATION,
            &tables::API_KEY,
            t(organization),
            page,
        )
        .await
    }

    /// The sessions of a tenant, newest first.
    pub async fn sessions(
        &self,
        organization: OrganizationId,
        page: &PageRequest,
    ) -> Result<Page<SessionRow>, ReadError> {
        self.listed(
            &tables::SESSION_BY_ORGANIZATION,
            &tables::SESSION,
            t(organization),
            page,
        )
        .await
    }

    async fn listed<T: serde::de::DeserializeOwned>(
        &self,
        index: &Table,
        table: &Table,
        partition: KeyPart,
        page: &PageRequest,
    ) -> Result<Page<T>, ReadError> {
        let at = self.at(ViewName::Directory, Family::Core);
        let limit = page.limit();
        let scan = Scan {
            table: index.name,
            partition: vec![partition],
            prefix: Vec::new(),
            after: page.after.as_deref().map(|c| parts(c, "nt")).transpose()?,
            direction: Direction::Backward,
            limit: (limit + 1).min(MAX_SCAN),
        };
        let mut entries = self.scan(&at, &scan).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let keys: Vec<_> = entries
            .iter()
            .filter_map(|e| e.clustering.last())
            .map(|id| key(table, [id.clone()], []))
            .collect();
        let rows = self.rows::<T>(&at, &keys).await?;
        let next = entries.last().filter(|_| more).map(|e| cursor(&e.clustering));
        let edges = entries.iter().zip(rows);
        let items = edges
            .filter_map(|(e, row)| {
                Some(Edge {
                    cursor: cursor(&e.clustering),
                    row: row?,
                })
            })
            .collect();
        Ok(Page { items, next })
    }
}
