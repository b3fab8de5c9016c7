//! Parked streams of a lane: written down, skipped, and tried again in order when the lane is opened or somebody
//! asks for it.

use vaultstream_domain::ports::view_store::{
    Direction, MAX_SCAN, Row, RowKey, Scan, ViewRef, ViewStore, ViewStoreError,
};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{Hlc, ShardNumber, StreamId};

use super::{Decoded, Lane, LaneError};
use crate::cache::FoldError;
use crate::rows::QuarantineRow;
use crate::tables::{self, key, n, t};

/// Events of a parked stream read at once.
const RETRY_READ: usize = 1_000;

/// The rows of what is parked in a shard.
pub(crate) async fn parked(
    store: &dyn ViewStore,
    at: &ViewRef,
    shard: ShardNumber,
) -> Result<Vec<Row>, ViewStoreError> {
    let mut scan = Scan {
        table: tables::QUARANTINE.name,
        partition: vec![n(shard.0.into())],
        prefix: Vec::new(),
        after: None,
        direction: Direction::Forward,
        limit: MAX_SCAN,
    };
    let mut all = Vec::new();
    loop {
        let rows = store.scan(at, &scan).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        scan.after = Some(last.clustering.clone());
        all.extend(rows);
    }
}

/// What became of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retried {
    /// Streams that are folded again.
    pub healed: u64,
    /// Streams that are still parked.
    pub parked: u64,
}

impl Lane {
    /// Tries every parked stream again, where the lane stands now. What the lane remembers of the store is read anew,
    /// because it may be what was mended.
    pub async fn retry_all(&mut self) -> Result<Retried, LaneError> {
        self.flush().await?;
        self.cache.forget();
        let before = self.parked.len();
        self.retry_parked().await?;
        self.flush().await?;
        let count = |streams: usize| u64::try_from(streams).unwrap_or(u64::MAX);
        Ok(Retried {
            healed: count(before.saturating_sub(self.parked.len())),
            parked: count(self.parked.len()),
        })
    }

    pub(super) fn park(&mut self, stored: &StoredEvent, reason: String) -> Result<(), LaneError> {
        let envelope = &stored.envelope;
        tracing::error!(
            view = self.parts.at.view,
            generation = self.parts.at.generation,
            event = %envelope.event_ref(),
            event_type = envelope.event_type,
            reason,
            "an event cannot be folded; its stream is parked and everything else goes on"
        );
        let row = QuarantineRow {
            event: envelope.event_ref(),
            event_type: envelope.event_type.clone(),
            parked: 1,
            pos: stored.position,
            position: stored.position,
            reason,
            shard: self.parts.shard,
            version: envelope.version,
        };
        self.note_parked(&row, stored.hlc)?;
        self.parked.insert(envelope.stream, row);
        Ok(())
    }

    pub(super) fn note_parked(&mut self, row: &QuarantineRow, hlc: Hlc) -> Result<(), LaneError> {
        Ok(self
            .cache
            .put_entry(self.quarantine_key(row.event.stream), row, hlc)?)
    }

    fn quarantine_key(&self, stream: StreamId) -> RowKey {
        key(&tables::QUARANTINE, [n(self.parts.shard.0.into())], [t(stream)])
    }

    pub(super) async fn load_parked(&mut self) -> Result<(), LaneError> {
        let rows = parked(self.parts.store.as_ref(), &self.parts.at, self.parts.shard).await?;
        for row in rows {
            let table = tables::QUARANTINE.name;
            let row: QuarantineRow =
                serde_json::from_slice(&row.value).map_err(|source| FoldError::Damaged { table, source })?;
            self.parked.insert(row.event.stream, row);
        }
        Ok(())
    }

    pub(super) async fn retry_parked(&mut self) -> Result<(), LaneError> {
        let mut parked: Vec<QuarantineRow> = self.parked.values().cloned().collect();
        // In the order in which the log has what they wait for.
        parked.sort_unstable_by_key(|row| row.position);
        for row in parked {
            self.retry(row).await?;
        }
        Ok(())
    }

    /// Folds a parked stream from its first bad event to where the lane stands. Its totals are counted apart, because
    /// the shard's own have passed those positions already.
    async fn retry(&mut self, mut row: QuarantineRow) -> Result<(), LaneError> {
        let stream = row.event.stream;
        let (origin, mut after) = (stream.to_string(), row.event.sequence.saturating_sub(1));
        // An event's stamp leaves room for three more before the next one's.
        let stamp = self.hlc_at(row.pos).await?.unwrap_or_default().0;
        loop {
            let read = self.parts.log.read_stream(stream, after, RETRY_READ).await?;
            let due: Vec<_> = read
                .into_iter()
                .take_while(|e| e.position <= self.place.position)
                .collect();
            if due.is_empty() {
                break;
            }
            for stored in due {
                after = stored.envelope.sequence;
                let decoded = Decoded::new(stored, true);
                let Err(reason) = self.fold(&decoded, &origin).await? else {
                    continue;
                };
                let envelope = &decoded.stored.envelope;
                if row.event != envelope.event_ref() || row.reason != reason {
                    row.event = envelope.event_ref();
                    row.event_type.clone_from(&envelope.event_type);
                    (row.version, row.position, row.reason) =
                        (envelope.version, decoded.stored.position, reason);
                    self.note_parked(&row, Hlc(stamp + 1))?;
                    self.parked.insert(stream, row);
                }
                return Ok(());
            }
        }
        tracing::info!(view = self.parts.at.view, %stream, "a parked stream is folded again");
        self.cache
            .remove_entry(self.quarantine_key(stream), Hlc(stamp + 2));
        self.parked.remove(&stream);
        Ok(())
    }

    /// The shard's clock at a position.
    pub(super) async fn hlc_at(&self, position: u64) -> Result<Option<Hlc>, LaneError> {
        let Some(before) = position.checked_sub(1) else {
            return Ok(None);
        };
        let at = self.parts.log.read_shard(self.parts.shard, before, 1).await?;
        Ok(at.first().map(|stored| stored.hlc))
    }
}
