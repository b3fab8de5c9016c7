//! Look-up: an id, a hash, an address, an external id, or the beginning of a name leads to what it belongs to.

use vaultstream_domain::ports::view_store::{Direction, KeyPart, Scan};
use vaultstream_event_schemas::{AccountId, ExecutionId, OrganizationId, StreamId, TransferId, VaultId};

use super::merge::scan;
use super::{ReadError, Reads, decode};
use crate::rows::{LookupKind, LookupRow};
use crate::tables::{self, folded, t};
use crate::view_name::ViewName;

/// The most hits of a look-up.
pub const MAX_HITS: usize = 50;
/// The longest text that is looked for, in characters; longer ones find nothing.
const MAX_TERM: usize = 200;

impl Reads {
    /// What a text leads to inside a tenant, ids and whole matches first; at most `limit` and [`MAX_HITS`].
    pub async fn lookup(
        &self,
        organization: OrganizationId,
        text: &str,
        limit: usize,
    ) -> Result<Vec<LookupRow>, ReadError> {
        let limit = limit.clamp(1, MAX_HITS);
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_TERM {
            return Ok(Vec::new());
        }
        if let Ok(stream) = text.to_lowercase().parse::<StreamId>() {
            return Ok(self.by_stream(organization, stream).await?.into_iter().collect());
        }
        let term = folded(text);
        let mut hits: Vec<LookupRow> = Vec::new();
        for family in ViewName::Lookup.families(&self.registry) {
            let at = self.at(ViewName::Lookup, family);
            let whole = scan(
                tables::LOOKUP_EXACT.name,
                vec![t(organization), t(&term)],
                None,
                Direction::Forward,
            );
            let named = scan(
                tables::LOOKUP_NAME.name,
                vec![t(organization)],
                Some(vec![t(&term), t(""), t("")]),
                Direction::Forward,
            );
            for row in self.scan(&at, &Scan { limit, ..whole }).await? {
                hits.push(decode(tables::LOOKUP_EXACT.name, &row.value)?);
            }
            for row in self.scan(&at, &Scan { limit, ..named }).await? {
                if !matches!(row.clustering.first(), Some(KeyPart::Text(name)) if name.starts_with(&term)) {
                    break;
                }
                hits.push(decode(tables::LOOKUP_NAME.name, &row.value)?);
            }
        }
        let rank = |hit: &LookupRow| (folded(&hit.label) != term, folded(&hit.label), hit.id.clone());
        hits.sort_by_cached_key(rank);
        hits.dedup_by(|a, b| a.id == b.id);
        hits.truncate(limit);
        Ok(hits)
    }

    async fn by_stream(
        &self,
        organization: OrganizationId,
        stream: StreamId,
    ) -> Result<Option<LookupRow>, ReadError> {
        let hit = |kind, vault_id, pos| LookupRow {
            id: stream.to_string(),
            kind,
            label: stream.to_string(),
            organization_id: organization,
            pos,
            vault_id,
        };
        if let Ok(id) = VaultId::try_from(stream) {
            return Ok(self
                .vault(organization, id)
                .await?
                .map(|row| hit(LookupKind::Vault, Some(row.id), row.pos)));
        }
        if let Ok(id) = AccountId::try_from(stream) {
            let row = self.account(organization, id).await?;
            return Ok(row.map(|row| hit(LookupKind::Account, Some(row.vault_id), row.pos)));
        }
        if let Ok(id) = TransferId::try_from(stream) {
            let found = self.transfer(organization, id).await?;
            return Ok(found.map(|f| hit(LookupKind::Transfer, Some(f.row.vault_id), f.row.pos)));
        }
        if let Ok(id) = ExecutionId::try_from(stream) {
            let row = self.execution(organization, id).await?;
            return Ok(row.map(|row| hit(LookupKind::Execution, row.vault_id, row.pos)));
        }
        Ok(None)
    }
}
