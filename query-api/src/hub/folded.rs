//! How far the views have come: the least of all views that cover a shard's family, at the generations that are read.

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_projectors::read::Reads;
use vaultstream_projectors::view_name::ViewName;

use super::Folded;
use crate::refusal::Refusal;

/// Where a shard stands that no view waits for.
const END: Place = Place {
    incarnation: 0,
    position: u64::MAX,
};
const PATIENCE_MS: u64 = 1_000;

#[async_trait]
impl Folded for Reads {
    async fn place(&self, shard: ShardNumber) -> Result<Place, Refusal> {
        let places = self.positions(&ViewName::ALL).await?;
        Ok(places.0.get(&shard).copied().unwrap_or(END))
    }

    async fn wait_beyond(&self, shard: ShardNumber, place: Place) {
        let beyond = Place {
            position: place.position + 1,
            ..place
        };
        // late is the same as early here: the caller asks again
        let _ = self
            .wait(&ViewName::ALL, &Positions::one(shard, beyond), PATIENCE_MS)
            .await;
    }
}
