//! The past of a stream: what its view says of it when nothing beyond a place of the log is folded.
//!
//! The fold is the view's own, over rows in memory, so what a read of the past answers is what a read answered then: there
//! is no second opinion. Only streams that a view keeps as rows of their own have a past here: vaults, accounts with their
//! balances, transfers, executions. Refuses: events of another stream, what the view could not fold.

use std::collections::BTreeSet;
use std::sync::Arc;

use vaultstream_domain::Event;
use vaultstream_domain::ports::view_store::Table;
use vaultstream_domain::vault::AccountEvent;
use vaultstream_event_schemas::envelope::{EventRef, StoredEvent};
use vaultstream_event_schemas::upcast::UpcastError;
use vaultstream_event_schemas::{AssetId, OrganizationId, StreamId, StreamKind};

use crate::cache::{FoldError, Row, RowCache};
use crate::rows::{AccountRow, BalanceRow, ExecutionRow, TransferRow, VaultRow};
use crate::tables::{self, key, t};
use crate::view::{Seen, View};
use crate::view_name::ViewName;
use crate::views::view;

/// Why the past of a stream cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// This build cannot read an event.
    #[error("event {event} cannot be read")]
    Unreadable {
        /// The event.
        event: EventRef,
        /// Why.
        #[source]
        source: UpcastError,
    },
    /// The view cannot fold an event.
    #[error("event {event} cannot be folded")]
    Unfoldable {
        /// The event.
        event: EventRef,
        /// Why.
        #[source]
        source: FoldError,
    },
    /// An event is missing, or of another stream.
    #[error("event {0} is missing or does not follow the one before it")]
    Broken(EventRef),
}

/// The fold of one stream up to wherever its caller stops adding events.
pub struct StreamPast {
    stream: StreamId,
    view: Arc<dyn View>,
    rows: RowCache,
    organization: Option<OrganizationId>,
    assets: BTreeSet<AssetId>,
    version: u64,
}

impl StreamPast {
    /// A stream before its first event; `None` for a kind that no view keeps a row of by itself.
    pub fn of(stream: StreamId) -> Option<Self> {
        let name = match stream.kind {
            StreamKind::Vault => ViewName::Vaults,
            StreamKind::Account => ViewName::Balances,
            StreamKind::Transfer | StreamKind::Execution => ViewName::Transfers,
            _ => return None,
        };
        Some(Self {
            stream,
            view: view(name),
            rows: RowCache::building(),
            organization: None,
            assets: BTreeSet::new(),
            version: 0,
        })
    }

    /// The sequence of the last event that was added; 0 before the first.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The tenant, as the first event names it.
    pub const fn organization(&self) -> Option<OrganizationId> {
        self.organization
    }

    /// Adds the next event of the stream.
    pub fn add(&mut self, stored: &StoredEvent) -> Result<(), PastError> {
        let event = EventRef {
            stream: self.stream,
            sequence: self.version + 1,
        };
        if stored.envelope.event_ref() != event {
            return Err(PastError::Broken(event));
        }
        let events = Event::read(stored).map_err(|source| PastError::Unreadable { event, source })?;
        let seen = Seen {
            stored,
            events: &events,
            origin: "",
        };
        let folded = self.view.fold(&seen, &mut self.rows);
        folded.map_err(|source| PastError::Unfoldable { event, source })?;
        for meant in &events {
            if let Event::Account(AccountEvent::BalanceObserved(reading)) = meant {
                self.assets.insert(reading.asset.clone());
            }
        }
        self.organization.get_or_insert(stored.envelope.organization);
        self.version = event.sequence;
        Ok(())
    }

    fn row<T: Row>(&mut self, table: &Table) -> Option<T> {
        let at = key(table, [t(self.organization?), t(self.stream)], []);
        // everything the fold wrote is in memory, so nothing is left to load
        self.rows.get::<T>(&at).ok().flatten().cloned()
    }

    /// The vault; `None` when it did not exist yet, as with every row here.
    pub fn vault(&mut self) -> Option<VaultRow> {
        self.row(&tables::VAULT)
    }

    /// The transfer.
    pub fn transfer(&mut self) -> Option<TransferRow> {
        self.row(&tables::TRANSFER)
    }

    /// The execution.
    pub fn execution(&mut self) -> Option<ExecutionRow> {
        self.row(&tables::EXECUTION)
    }

    /// The account, and what it held, by asset.
    pub fn account(&mut self) -> Option<(AccountRow, Vec<BalanceRow>)> {
        let account: AccountRow = self.row(&tables::ACCOUNT)?;
        let partition = [t(account.organization_id), t(account.vault_id)];
        let held = self.assets.iter().filter_map(|asset| {
            let at = key(
                &tables::BALANCE_BY_VAULT,
                partition.clone(),
                [t(asset), t(account.id)],
            );
            self.rows.get::<BalanceRow>(&at).ok().flatten().cloned()
        });
        let held = held.collect();
        Some((account, held))
    }
}
