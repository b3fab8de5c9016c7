//! Places of events that an earlier life of a shard left: a token names the life that is lived now.
//!
//! An event says in which life it was written. What a restore kept of that life is part of the present one, and readers
//! ask for it by that; only who answers a retry from a stored event has to look.

use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;
use vaultstream_gateway::ApiError;

use crate::services::Services;

impl Services {
    /// A position of a shard, in the life that is lived now.
    pub(crate) async fn present(&self, shard: ShardNumber, position: u64) -> Result<Place, ApiError> {
        let heads = self.log().heads().await?;
        let incarnation = heads.get(&shard).map_or(1, |head| head.incarnation);
        Ok(Place {
            incarnation,
            position,
        })
    }
}
