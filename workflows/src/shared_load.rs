//! One load of a stream for all who ask at the same time.
//!
//! Whoever asks gets a state that was read after they asked, never one from before: those who wait while a stream is being
//! read share the next read. So a burst of events of one organization costs a few reads of its stream, and a setting
//! counts for every event that came after it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use vaultstream_domain::aggregate::OfState;
use vaultstream_event_schemas::StreamId;
use vaultstream_kernel::LoadError;

use crate::services::Services;

/// Streams that are remembered; a forgotten one costs a read.
const STREAMS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");

/// What was read last, and when that read began; whoever holds it reads.
type Read<S> = tokio::sync::Mutex<Option<(u64, Arc<S>)>>;

/// The loads of one kind of stream.
pub struct SharedLoad<D: OfState> {
    services: Services,
    /// Counts askers and reads, to tell which came first.
    order: AtomicU64,
    streams: Mutex<LruCache<StreamId, Arc<Read<D::State>>>>,
}

impl<D: OfState> SharedLoad<D>
where
    D::State: Clone + Send + Sync,
{
    /// Loads through these services.
    pub fn new(services: Services) -> Self {
        Self {
            services,
            order: AtomicU64::new(0),
            streams: Mutex::new(LruCache::new(STREAMS)),
        }
    }

    /// The state of a stream, as the log has it at this call or later.
    pub async fn get(&self, stream: StreamId) -> Result<Arc<D::State>, LoadError> {
        let asked = self.order.fetch_add(1, Ordering::AcqRel);
        let read = Arc::clone(
            self.streams
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(stream, Arc::default),
        );
        let mut read = read.lock().await;
        if let Some((begun, state)) = &*read
            && *begun > asked
        {
            return Ok(Arc::clone(state));
        }
        let begun = self.order.fetch_add(1, Ordering::AcqRel);
        let state = Arc::new(self.services.load::<D>(stream).await?);
        *read = Some((begun, Arc::clone(&state)));
        Ok(state)
    }
}
