//! How far the views are behind the log: for the schema, for `/health/ready` and for metrics.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Mutex;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::Timestamp;
use vaultstream_event_schemas::token::Positions;
use vaultstream_projectors::Reads;
use vaultstream_projectors::view_name::ViewName;

use crate::refusal::Refusal;

/// How old a shared measurement may be, in microseconds.
const RECENT_US: i64 = 500_000;

/// One measurement.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lag {
    /// When it was taken.
    pub at: Timestamp,
    /// Every view in every family it has a store in.
    pub views: Vec<ViewLag>,
    /// The positions that every view has reached.
    #[serde(skip)]
    pub folded: Positions,
}

/// How far one view is behind the log in one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewLag {
    /// The view's name.
    pub view: &'static str,
    /// `core` or a chain's slug.
    pub family: String,
    /// The generation that is read.
    pub generation: u32,
    /// Events folded, over the family's shards.
    pub position: u64,
    /// Events in the log, over the family's shards.
    pub head: u64,
    /// How long its oldest event that is not folded has waited, in milliseconds; 0 when nothing is left to fold.
    pub lag_ms: u64,
    /// Streams it could not fold.
    pub quarantined: u64,
}

impl ViewLag {
    /// Events it has still to fold.
    pub const fn behind(&self) -> u64 {
        self.head.saturating_sub(self.position)
    }
}

impl Lag {
    /// The largest lag, in milliseconds.
    pub fn lag_ms(&self) -> u64 {
        self.views.iter().map(|v| v.lag_ms).max().unwrap_or(0)
    }

    /// The most events a view has still to fold.
    pub fn behind(&self) -> u64 {
        self.views.iter().map(ViewLag::behind).max().unwrap_or(0)
    }
}

/// The newest measurement, shared by everybody who follows freshness: asking the log for its heads is for a process to do,
/// not for each of its sockets.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Option<Arc<Lag>>>);

impl Recent {
    /// A measurement that is at most [`RECENT_US`] old.
    pub async fn measure(
        &self,
        log: &dyn EventLog,
        reads: &Reads,
        now: Timestamp,
    ) -> Result<Arc<Lag>, Refusal> {
        // held while measuring, so that those who come meanwhile share what comes of it
        let mut newest = self.0.lock().await;
        // a clock that was put back makes it old, too
        let is_recent = |lag: &&Arc<Lag>| (0..RECENT_US).contains(&(now.as_micros() - lag.at.as_micros()));
        if let Some(lag) = newest.as_ref().filter(is_recent) {
            return Ok(Arc::clone(lag));
        }
        let lag = Arc::new(measure(log, reads, now).await?);
        *newest = Some(Arc::clone(&lag));
        Ok(lag)
    }
}

/// Measures every view against the log's heads.
pub async fn measure(log: &dyn EventLog, reads: &Reads, now: Timestamp) -> Result<Lag, Refusal> {
    let heads = log.heads().await?;
    let lags = reads.lag(log, &heads, now).await?;
    let folded = reads.positions(&ViewName::ALL).await?;
    let view = |lag: vaultstream_projectors::read::ViewLag| ViewLag {
        view: lag.view.as_str(),
        family: lag.family.to_string(),
        generation: lag.generation,
        position: lag.position,
        head: lag.head,
        lag_ms: lag.lag_us.div_ceil(1_000),
        quarantined: u64::try_from(lag.quarantined).unwrap_or(u64::MAX),
    };
    Ok(Lag {
        at: now,
        views: lags.into_iter().map(view).collect(),
        folded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::world::World;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn followers_should_share_a_measurement_until_it_is_old() {
        let world = World::start().await;
        let (log, reads) = (world.services.log.as_ref(), &world.services.reads);
        let recent = Recent::default();
        let at = |us: i64| Timestamp::from_micros(1_800_000_000_000_000 + us);
        let first = recent.measure(log, reads, at(0)).await.expect("measured");
        let (again, beside) = tokio::join!(
            recent.measure(log, reads, at(RECENT_US - 1)),
            recent.measure(log, reads, at(1))
        );
        assert!(Arc::ptr_eq(&first, &again.expect("shared")));
        assert!(Arc::ptr_eq(&first, &beside.expect("shared")));
        let later = recent.measure(log, reads, at(RECENT_US)).await.expect("measured");
        assert!(!Arc::ptr_eq(&first, &later));
        assert_eq!(later.at, at(RECENT_US));
    }
}
