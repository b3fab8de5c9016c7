//! Reads: everything an API may ask of the views.
//!
//! The tenant is part of the key of every read, never a filter behind it. A read pins the generation it reads, so it
//! goes on through a switch. Lists are keyset pages: a row that arrives meanwhile moves no other. A page may be short,
//! even empty, while `next` is set: filters without a table of their own look at a bounded number of rows a page.
//! Refuses: pages over [`MAX_PAGE`], foreign cursors, sorts that would need more than [`MAX_MERGE`] rows in memory.

mod accounts;
mod directory;
mod feed;
mod freshness;
mod lookup;
mod merge;
mod pace;
mod page;
mod parked;
mod totals;
mod transfers;
mod vaults;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use vaultstream_domain::ports::Clock;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::view_store::{Row, RowKey, Scan, ViewRef, ViewStore, ViewStoreError};
use vaultstream_event_schemas::{ChainId, Family, Registry, ShardNumber, Slug};
use vaultstream_kernel::Waiting;

pub use feed::{FeedQuery, positions_of};
pub use freshness::{Behind, ViewLag};
pub use lookup::MAX_HITS;
pub use page::{Edge, MAX_PAGE, Page, PageRequest};
pub use parked::Parked;
pub use totals::Totals;
pub use transfers::{Transfer, TransferFilter, TransferSort};
pub use vaults::{VaultFilter, VaultSort};

use crate::generations::{Generations, Pin};
use crate::view_name::ViewName;
use crate::watermarks::Watermarks;

/// The most rows a sort without a table, or a list without pages, brings together in memory.
pub const MAX_MERGE: usize = 10_000;
/// The most rows a page looks at for a filter without a table.
pub const MAX_EXAMINED: usize = 10_000;

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ViewStoreError),
    /// The log failed, where a read looks at it.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A row's bytes cannot be read: the view was written by another build; rebuild it.
    #[error("a row of {table} cannot be read; rebuild the view")]
    Damaged {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The cursor is not of this list.
    #[error("the cursor does not belong to this list; begin again without it")]
    Cursor,
    /// The sort would need too many rows in memory.
    #[error(
        "more than {MAX_MERGE} {of} would have to be sorted; narrow the filter or sort by newest or name"
    )]
    Narrow {
        /// What there is too much of.
        of: &'static str,
    },
    /// The view did not reach the asked positions in time.
    #[error(transparent)]
    Behind(#[from] Behind),
    /// The token was made in another life of a shard.
    #[error("the token is from before shard {shard} was restored; read without it")]
    OtherLife {
        /// The shard.
        shard: ShardNumber,
    },
}

/// The facade. Cheap to clone.
#[derive(Clone)]
pub struct Reads {
    store: Arc<dyn ViewStore>,
    clock: Arc<dyn Clock>,
    registry: Arc<Registry>,
    chains: Arc<BTreeMap<ChainId, Slug>>,
    generations: Arc<Generations>,
    watermarks: Arc<Watermarks>,
    waiting: Arc<Waiting>,
    pace: Arc<pace::Pace>,
}

/// What [`Reads`] is made of.
pub struct ReadsParts {
    /// Where the rows are.
    pub store: Arc<dyn ViewStore>,
    /// Bounds waits.
    pub clock: Arc<dyn Clock>,
    /// The shards.
    pub registry: Arc<Registry>,
    /// The slug of each chain.
    pub chains: BTreeMap<ChainId, Slug>,
    /// Which generations are read.
    pub generations: Arc<Generations>,
    /// How far they have come.
    pub watermarks: Arc<Watermarks>,
}

/// A view in a family at the generation that is pinned.
struct At {
    view: ViewName,
    family: Family,
    pin: Pin,
}

impl At {
    fn view_ref(&self) -> ViewRef {
        self.view.at(self.family.clone(), self.pin.generation())
    }
}

impl Reads {
    /// Reads from these parts.
    pub fn new(parts: ReadsParts) -> Self {
        Self {
            store: parts.store,
            clock: parts.clock,
            registry: parts.registry,
            chains: Arc::new(parts.chains),
            generations: parts.generations,
            watermarks: parts.watermarks,
            waiting: Arc::default(),
            pace: Arc::default(),
        }
    }

    /// Which generations are read.
    pub const fn generations(&self) -> &Arc<Generations> {
        &self.generations
    }

    fn at(&self, view: ViewName, family: Family) -> At {
        let pin = self.generations.pin(view, &family);
        At { view, family, pin }
    }

    /// The store of a view that holds what a shard owns; none for a shard that does not exist or is not covered.
    fn at_shard(&self, view: ViewName, shard: ShardNumber) -> Option<At> {
        let family = self.registry.entry(shard)?.family.clone();
        view.covers(&family).then(|| self.at(view, family))
    }

    /// All chain families, or the one of a chain.
    fn chain_families(&self, chain: Option<&ChainId>) -> Vec<Family> {
        let all = ViewName::Transfers.families(&self.registry);
        match chain {
            None => all,
            Some(chain) => {
                let wanted = self.chains.get(chain).map(|slug| Family::Chain(slug.clone()));
                all.into_iter().filter(|f| Some(f) == wanted.as_ref()).collect()
            }
        }
    }

    async fn rows<T: DeserializeOwned>(&self, at: &At, keys: &[RowKey]) -> Result<Vec<Option<T>>, ReadError> {
        let values = self.store.get(&at.view_ref(), keys).await?;
        let decoded = keys
            .iter()
            .zip(values)
            .map(|(key, value)| value.map(|v| decode(key.table, &v)).transpose());
        decoded.collect()
    }

    async fn row<T: DeserializeOwned>(&self, at: &At, key: RowKey) -> Result<Option<T>, ReadError> {
        Ok(self.rows(at, &[key]).await?.pop().flatten())
    }

    async fn scan(&self, at: &At, scan: &Scan) -> Result<Vec<Row>, ReadError> {
        Ok(self.store.scan(&at.view_ref(), scan).await?)
    }

    /// Every row of a partition, at most [`MAX_MERGE`].
    async fn whole<T: DeserializeOwned>(
        &self,
        at: &At,
        mut scan: Scan,
        of: &'static str,
    ) -> Result<Vec<T>, ReadError> {
        let mut rows = Vec::new();
        loop {
            let chunk = self.scan(at, &scan).await?;
            let full = chunk.len() == scan.limit;
            scan.after = chunk.last().map(|row| row.clustering.clone());
            for row in chunk {
                rows.push(decode(scan.table, &row.value)?);
            }
            if rows.len() > MAX_MERGE {
                return Err(ReadError::Narrow { of });
            }
            if !full {
                return Ok(rows);
            }
        }
    }
}

fn decode<T: DeserializeOwned>(table: &'static str, value: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(value).map_err(|source| ReadError::Damaged { table, source })
}
