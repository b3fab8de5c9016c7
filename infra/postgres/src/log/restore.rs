//! Putting a log back into databases that have none, and beginning its next life.
//!
//! Rows go in by the thousand, in order, with the positions and clocks they had; the heads of a shard's streams follow when
//! the shard is whole. Nothing else may write meanwhile: a log is put back before any process of the cluster starts.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use vaultstream_domain::ports::RestoreTarget;
use vaultstream_domain::ports::backup::RestoredRow;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_event_schemas::envelope::{GENESIS, Hash};
use vaultstream_event_schemas::placement::ShardEntry;
use vaultstream_event_schemas::{ShardNumber, StreamId};

use super::{Home, PgLog, read};
use crate::error::failed;

/// Rows of one statement.
const ROWS: usize = 1_000;
const INSERT: &str = "INSERT INTO vaultstream.event \
     (position, hlc, sequence, shard, stream, previous, hash, envelope, payload) \
     SELECT e.position, e.hlc, e.sequence, $1, e.stream, e.previous, e.hash, e.envelope, e.payload \
     FROM (SELECT unnest($2::bigint[]) AS position, unnest($3::bigint[]) AS hlc, unnest($4::bigint[]) AS sequence, \
                  unnest($5::text[]) AS stream, unnest($6::bytea[]) AS previous, unnest($7::bytea[]) AS hash, \
                  unnest($8::bytea[]) AS envelope, unnest($9::bytea[]) AS payload) e";
const HEADS: &str = "INSERT INTO vaultstream.stream_head (stream, sequence, hash) \
     SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::bytea[])";
const RAISE: &str = "UPDATE vaultstream.shard SET incarnation = $2 WHERE number = $1 AND incarnation < $2";

/// A log that is filled, or one that another tool has put back and whose next life begins.
#[derive(Debug)]
pub struct PgTarget {
    log: PgLog,
    /// Of the shard that is being filled: what each stream is at.
    streams: HashMap<StreamId, (u64, Hash)>,
    shard: Option<ShardNumber>,
}

fn malformed(fault: String) -> LogError {
    LogError::Malformed(fault)
}

impl PgTarget {
    /// Takes an open log over.
    pub fn new(log: PgLog) -> Self {
        Self {
            log,
            streams: HashMap::new(),
            shard: None,
        }
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.log.close().await;
    }

    async fn insert(
        &self,
        home: &Home,
        shard: ShardNumber,
        rows: &[RestoredRow<'_>],
    ) -> Result<(), LogError> {
        let signed = |number: fn(&RestoredRow<'_>) -> u64| -> Vec<i64> {
            rows.iter().map(|row| read::signed(number(row))).collect()
        };
        let bytes = |of: fn(&RestoredRow<'_>) -> Vec<u8>| -> Vec<Vec<u8>> { rows.iter().map(of).collect() };
        let previous = rows.iter().map(|row| {
            let previous = row.parts.previous;
            (previous != GENESIS).then(|| previous.to_vec())
        });
        let streams = rows.iter().map(|row| row.event.stream.to_string());
        sqlx::query(INSERT)
            .bind(i32::from(shard.0))
            .bind(signed(|row| row.parts.position))
            .bind(signed(|row| row.parts.hlc.0))
            .bind(signed(|row| row.event.sequence))
            .bind(streams.collect::<Vec<_>>())
            .bind(previous.collect::<Vec<_>>())
            .bind(bytes(|row| row.parts.hash.to_vec()))
            .bind(bytes(|row| row.parts.envelope.to_vec()))
            .bind(bytes(|row| row.parts.payload.to_vec()))
            .execute(home.database.append())
            .await
            .map(|_| ())
            .map_err(failed("take events back"))
    }

    /// Writes what the streams of the filled shard are at.
    async fn close_shard(&mut self) -> Result<(), LogError> {
        let streams: Vec<_> = std::mem::take(&mut self.streams).into_iter().collect();
        let Some(shard) = self.shard.take() else {
            return Ok(());
        };
        let home = self.log.home(shard)?;
        for chunk in streams.chunks(ROWS) {
            let names: Vec<String> = chunk.iter().map(|(stream, _)| stream.to_string()).collect();
            let sequences: Vec<i64> = chunk.iter().map(|(_, (at, _))| read::signed(*at)).collect();
            let hashes: Vec<Vec<u8>> = chunk.iter().map(|(_, (_, hash))| hash.to_vec()).collect();
            sqlx::query(HEADS)
                .bind(names)
                .bind(sequences)
                .bind(hashes)
                .execute(home.database.append())
                .await
                .map_err(failed("take the heads of streams back"))?;
        }
        Ok(())
    }
}

#[async_trait]
impl RestoreTarget for PgTarget {
    async fn begin(&mut self, shards: &[ShardEntry]) -> Result<(), LogError> {
        if self.log.registry.entries() != shards {
            return Err(malformed(
                "the configured families and counts are not those of the backup; restore with the configuration it was \
                 made with"
                    .to_owned(),
            ));
        }
        for home in &self.log.homes {
            if let Some((shard, _)) = self
                .log
                .look(home)
                .await?
                .iter()
                .find(|(_, head)| head.position > 0)
            {
                let database = home.database.name();
                return Err(malformed(format!(
                    "shard {shard} has events in database {database}; restore into databases that have none"
                )));
            }
        }
        Ok(())
    }

    async fn put(&mut self, shard: ShardNumber, rows: &[RestoredRow<'_>]) -> Result<(), LogError> {
        if self.shard != Some(shard) {
            self.close_shard().await?;
            self.shard = Some(shard);
        }
        let home = self.log.home(shard)?.clone();
        if let Some(last) = rows.last()
            && home.segments.is_due(last.parts.position)
        {
            let made = home.segments.ensure(&home.database, last.parts.position).await;
            made.map_err(failed("make a segment"))?;
        }
        for chunk in rows.chunks(ROWS) {
            self.insert(&home, shard, chunk).await?;
        }
        for RestoredRow { event, parts } in rows {
            self.streams.insert(event.stream, (event.sequence, parts.hash));
        }
        Ok(())
    }

    async fn finish(&mut self, lives: &BTreeMap<ShardNumber, u32>) -> Result<(), LogError> {
        self.close_shard().await?;
        // Every database knows every shard; the one that keeps it decides. It is told last.
        let homes = self.log.homes.iter().enumerate();
        for (shard, life) in lives {
            let own = self.log.placement.get(usize::from(shard.0)).copied();
            let others = homes.clone().filter(|(index, _)| Some(*index) != own);
            let kept = homes.clone().filter(|(index, _)| Some(*index) == own);
            for (index, home) in others.chain(kept) {
                let raised = sqlx::query(RAISE)
                    .bind(i32::from(shard.0))
                    .bind(life.cast_signed())
                    .execute(home.database.append())
                    .await
                    .map_err(failed("begin another life"))?;
                if raised.rows_affected() != 1 && Some(index) == own {
                    return Err(malformed(format!(
                        "shard {shard} cannot begin life {life}: it is not there, or has begun it already"
                    )));
                }
            }
        }
        Ok(())
    }
}
