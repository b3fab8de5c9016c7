//! What a generation says of itself: which version of the fold fills it, and in which life of its shards it was made.
//!
//! Rows are written before the first watermark is. When a log is put back in between, only the life tells that they are of a
//! history that is lost.

use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::view_store::{Flush, RowWrite, ViewRef, ViewStoreError};
use vaultstream_event_schemas::{Family, Hlc};

use crate::projector::{Projector, ProjectorError};
use crate::rows::IndexRow;
use crate::tables::{self, key, t};
use crate::view::View;

const VERSION: &str = "version";
const LIFE: &str = "life";

impl Projector {
    pub(crate) async fn version_of(&self, at: &ViewRef) -> Result<Option<u64>, ViewStoreError> {
        self.fact(at, VERSION).await
    }

    pub(crate) async fn write_version(&self, at: &ViewRef, view: &dyn View) -> Result<(), ViewStoreError> {
        self.write_fact(at, VERSION, view.version().into()).await
    }

    /// Says in which life it is made.
    pub(crate) async fn write_life(&self, at: &ViewRef) -> Result<(), ProjectorError> {
        let life = self.life(&at.family).await?;
        Ok(self.write_fact(at, LIFE, life).await?)
    }

    /// Whether it was made in an earlier life. What is known of the log's heads may be a moment old, and lives only rise.
    pub(crate) async fn is_of_an_earlier_life(&self, at: &ViewRef) -> Result<bool, ProjectorError> {
        let life = self.life(&at.family).await?;
        Ok(self.fact(at, LIFE).await?.is_some_and(|made| made < life))
    }

    /// The lives of a family's shards as one number: it rises when one of them does.
    async fn life(&self, family: &Family) -> Result<u64, LogError> {
        let heads = self.parts.log.heads().await?;
        let shards = self.parts.registry.shards_of(family);
        let lives = shards.filter_map(|shard| heads.get(&shard));
        Ok(lives.map(|head| u64::from(head.incarnation)).sum())
    }

    async fn fact(&self, at: &ViewRef, fact: &str) -> Result<Option<u64>, ViewStoreError> {
        let key = key(&tables::ABOUT, [t(fact)], []);
        let value = self.parts.store.get(at, &[key]).await?.pop().flatten();
        let row = value
            .map(|bytes| serde_json::from_slice::<IndexRow>(&bytes))
            .transpose();
        let damaged = |source| ViewStoreError {
            doing: "read what a view says of itself",
            source: Box::new(source),
        };
        Ok(row.map_err(damaged)?.map(|row| row.pos))
    }

    async fn write_fact(&self, at: &ViewRef, fact: &str, number: u64) -> Result<(), ViewStoreError> {
        let unwritable = |source| ViewStoreError {
            doing: "write what a view says of itself",
            source: Box::new(source),
        };
        let row = RowWrite {
            key: key(&tables::ABOUT, [t(fact)], []),
            value: serde_json::to_vec(&IndexRow { pos: number }).map_err(unwritable)?,
            hlc: Hlc(1),
        };
        let rows = vec![row];
        let flush = Flush {
            rows,
            ..Flush::default()
        };
        self.parts.store.flush(at, flush).await
    }
}
