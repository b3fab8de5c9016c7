//! Up to where the log's erasures were carried out, a small file a shard beside the keys they destroyed.
//!
//! It is authenticated like every other file here. One that cannot be read counts as none: erasures are then carried out
//! from the beginning of the shard, which changes nothing that was done before.

use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;

use crate::Inner;
use crate::error::StoreError;
use crate::record::{Kind, Record};

fn file_of(shard: ShardNumber) -> String {
    format!("erasures/{}.json", shard.0)
}

impl Inner {
    pub(crate) fn carried_out(&self, shard: ShardNumber) -> Result<Option<Place>, StoreError> {
        let Some(bytes) = self.directory.read(&file_of(shard))? else {
            return Ok(None);
        };
        let read = || {
            let record = Record::from_bytes(&bytes).filter(|r| r.kind == Kind::ErasuresCarriedOut)?;
            let place = record.open(&self.master, &shard.0.to_string())?;
            serde_json::from_slice(&place).ok()
        };
        let place = read();
        if place.is_none() {
            let file = self.directory.file(&file_of(shard));
            tracing::warn!(file = %file.display(), "it is damaged; the shard's erasures are carried out again");
        }
        Ok(place)
    }

    pub(crate) fn note_carried_out(&self, shard: ShardNumber, place: Place) -> Result<(), StoreError> {
        // Two numbers always serialize.
        let place = serde_json::to_vec(&place).unwrap_or_default();
        let kind = Kind::ErasuresCarriedOut;
        let record = Record::seal(&self.master, kind, &shard.0.to_string(), &[], &place)?;
        self.directory.replace(&file_of(shard), &record.to_bytes())
    }
}
