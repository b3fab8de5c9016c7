//! The view store as a model: rows that merge by stamp, and flushes that can end anywhere.
//!
//! A flush writes totals, then rows, then the watermark, a few at a time, and is seen on the way. It may stop anywhere,
//! and some of what it had in hand may be written later, after newer flushes; both are what the contract allows. It
//! passes the port's conformance suite.

mod tables;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{
    Flush, Row, RowKey, RowWrite, Scan, Table, ViewRef, ViewStoreError,
};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;

use crate::sched::Life;
use crate::weather::Weather;
use tables::Tables;

/// The longest time after which a part of a failed flush is still written, in microseconds.
const LATE_US: u64 = 2_000_000;

fn failed(doing: &'static str) -> ViewStoreError {
    ViewStoreError {
        doing,
        source: "the simulated store failed".into(),
    }
}

/// A handle to the store. Clones share what is kept.
#[derive(Clone, Default)]
pub struct SimViews {
    kept: Arc<Mutex<BTreeMap<ViewRef, Tables>>>,
    way: Option<(Weather, Life)>,
}

impl SimViews {
    /// The same store as a process reaches it: through weather. What is late is written by `engine`.
    #[must_use]
    pub fn reached(&self, weather: &Weather, engine: Life) -> Self {
        Self {
            kept: Arc::clone(&self.kept),
            way: Some((weather.clone(), engine)),
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<ViewRef, Tables>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        view: &ViewRef,
        doing: &'static str,
        work: impl FnOnce(&mut Tables) -> Result<T, String>,
    ) -> Result<T, ViewStoreError> {
        let mut kept = self.locked();
        let tables = kept
            .get_mut(view)
            .ok_or_else(|| "the generation was not created".to_owned());
        tables.and_then(work).map_err(|what| ViewStoreError {
            doing,
            source: what.into(),
        })
    }

    async fn way_to_read(&self, doing: &'static str) -> Result<(), ViewStoreError> {
        let Some((weather, _)) = &self.way else {
            return Ok(());
        };
        weather.latency().await;
        if weather.strikes("view-read-failed", |odds| odds.view_fails) {
            return Err(failed(doing));
        }
        Ok(())
    }

    fn put(&self, view: &ViewRef, rows: &[RowWrite]) {
        // A generation that was dropped meanwhile takes nothing.
        if let Some(tables) = self.locked().get_mut(view) {
            rows.iter().for_each(|row| tables.put(row));
        }
    }

    fn put_late(&self, view: &ViewRef, rows: Vec<RowWrite>) {
        let Some((weather, engine)) = self.way.clone() else {
            return;
        };
        let (this, view) = (self.clone(), view.clone());
        let write = async move {
            let us = weather.sim().draw(|dice| dice.below(LATE_US));
            weather.sim().sleep_us(us).await;
            this.put(&view, &rows);
        };
        let Some((weather, _)) = &self.way else { return };
        weather.sim().spawn(engine, "late-rows", Box::pin(write));
    }

    /// Writes rows in parts and in any order; false when it stopped on the way.
    async fn phase(&self, weather: &Weather, view: &ViewRef, mut rows: Vec<RowWrite>) -> bool {
        while !rows.is_empty() {
            let part: Vec<RowWrite> = weather.sim().draw(|dice| {
                let most = dice.between(1, 8);
                let take = |_| {
                    let count = u64::try_from(rows.len()).unwrap_or(0);
                    let at = usize::try_from(dice.below(count)).unwrap_or(0);
                    (!rows.is_empty()).then(|| rows.swap_remove(at))
                };
                (0..most).map_while(take).collect()
            });
            if weather.strikes("flush-torn", |odds| odds.flush_torn / 4) {
                return false;
            }
            if weather.strikes("flush-late", |odds| odds.flush_late / 4) {
                self.put_late(view, part);
                return false;
            }
            let us = weather.sim().draw(|dice| dice.below(300));
            weather.sim().sleep_us(us).await;
            self.put(view, &part);
        }
        true
    }
}

#[async_trait]
impl ViewStore for SimViews {
    async fn create(&self, view: &ViewRef, tables: &[Table]) -> Result<(), ViewStoreError> {
        self.way_to_read("create a view's tables").await?;
        self.locked().entry(view.clone()).or_default().add(tables);
        Ok(())
    }

    async fn drop_generation(&self, view: &ViewRef) -> Result<(), ViewStoreError> {
        self.way_to_read("drop a view's generation").await?;
        self.locked().remove(view);
        Ok(())
    }

    async fn get(&self, view: &ViewRef, keys: &[RowKey]) -> Result<Vec<Option<Vec<u8>>>, ViewStoreError> {
        self.way_to_read("read rows").await?;
        self.with(view, "read rows", |tables| {
            keys.iter().map(|key| tables.get(key)).collect()
        })
    }

    async fn scan(&self, view: &ViewRef, scan: &Scan) -> Result<Vec<Row>, ViewStoreError> {
        self.way_to_read("read a partition").await?;
        self.with(view, "read a partition", |tables| tables.scan(scan))
    }

    async fn flush(&self, view: &ViewRef, flush: Flush) -> Result<(), ViewStoreError> {
        const DOING: &str = "write a flush";
        self.with(view, DOING, |tables| {
            let mut rows = flush.totals.iter().chain(&flush.rows);
            rows.try_for_each(|row| tables.check(&row.key))
        })?;
        let Some((weather, _)) = &self.way else {
            self.put(view, &flush.totals);
            self.put(view, &flush.rows);
            return self.with(view, DOING, |tables| {
                tables.advance(&flush.watermarks);
                Ok(())
            });
        };
        weather.latency().await;
        for rows in [flush.totals, flush.rows] {
            if !self.phase(weather, view, rows).await {
                return Err(failed(DOING));
            }
        }
        if weather.strikes("flush-torn", |odds| odds.flush_torn / 4) {
            return Err(failed(DOING));
        }
        self.with(view, DOING, |tables| {
            tables.advance(&flush.watermarks);
            Ok(())
        })?;
        weather.latency().await;
        if weather.strikes("flush-unheard", |odds| odds.flush_torn / 4) {
            return Err(failed(DOING));
        }
        Ok(())
    }

    async fn watermarks(&self, view: &ViewRef) -> Result<BTreeMap<ShardNumber, Place>, ViewStoreError> {
        self.way_to_read("read watermarks").await?;
        Ok(self
            .locked()
            .get(view)
            .map(Tables::watermarks)
            .unwrap_or_default())
    }

    async fn dump(
        &self,
        view: &ViewRef,
        table: &Table,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Vec<u8>)>, ViewStoreError> {
        self.way_to_read("dump a table").await?;
        self.with(view, "dump a table", |tables| tables.dump(table, after, limit))
    }
}
