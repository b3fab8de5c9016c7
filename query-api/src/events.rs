//! The log as auditors and integrators read it: public events from any place on, by stream, type, organization and time.
//!
//! Contract. Within a shard events come in the order of their positions, without a gap and without a repetition; across
//! shards in the order of their clocks, as far as the shards were read. The cursor behind an event names everything that
//! was passed in every shard, so that a reader that starts from it goes on exactly there, on any node and with other
//! filters. It is the cursor of the GraphQL subscription `events` as well. What is read is the log itself: no view stands
//! between, and none holds it up.
//!
//! A page looks at a bounded number of events; one that filters much may be short, even empty, and still say where to go
//! on. Reads of what belongs to others are put on record before they are answered.

mod accept;
mod live;
mod question;
mod record;
mod scan;
mod written;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vaultstream_domain::ports::Spawn;
use vaultstream_event_schemas::{ErrorCode, OrganizationId};
use vaultstream_gateway::{ApiError, Credentials};
use vaultstream_kernel::Executor;

pub use accept::Form;
pub use live::open_stream;
pub use question::{AUDIT_SCOPE, Asked, Question, as_api_error};
pub use record::{Recorder, Seen, Who};
pub use scan::{Page, page};
pub use written::{cursor_after, lines, page_answer};

use crate::admission::{Admission, Seat};
use crate::services::Services;

/// Open streams of one credential.
pub const MAX_STREAMS_EACH: usize = 8;
/// Open streams of a process.
pub const MAX_STREAMS: usize = 128;

/// What events are read with.
pub struct EventsParts {
    /// What is read.
    pub services: Services,
    /// Puts reads on record.
    pub executor: Executor,
    /// Runs streams.
    pub spawn: Arc<dyn Spawn>,
    /// Whose keys may read the events of all.
    pub platform: OrganizationId,
}

/// The reads of events of a process. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    /// What is read.
    pub services: Services,
    /// Whose keys may read the events of all.
    pub platform: OrganizationId,
    /// Puts reads on record.
    pub recorder: Arc<Recorder>,
    /// Whether who asked is still let in.
    pub credentials: Credentials,
    spawn: Arc<dyn Spawn>,
    admission: Arc<Admission>,
    room: Arc<Semaphore>,
}

/// A stream's place among the open ones.
pub struct Place {
    _seat: Seat,
    _permit: OwnedSemaphorePermit,
}

impl Events {
    /// The reads of a process; the recorder's task runs from now on.
    pub fn start(parts: EventsParts, credentials: Credentials) -> Self {
        let recorder = Recorder::start(&parts);
        Self {
            services: parts.services,
            platform: parts.platform,
            recorder,
            credentials,
            spawn: parts.spawn,
            admission: Arc::default(),
            room: Arc::new(Semaphore::new(MAX_STREAMS)),
        }
    }

    /// A place for a stream, when there is one.
    fn take_place(&self, who: uuid::Uuid) -> Result<Place, ApiError> {
        if self.services.drain.has_begun() {
            return Err(ApiError::new(ErrorCode::Restarting).retry_after(1));
        }
        let seat = self.admission.stream(who, MAX_STREAMS_EACH).ok_or_else(|| {
            let detail =
                format!("a credential holds at most {MAX_STREAMS_EACH} streams of events; end one first");
            ApiError::new(ErrorCode::RateLimited)
                .detail(detail)
                .retry_after(5)
        })?;
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            let detail = format!("this process holds {MAX_STREAMS} streams of events already");
            ApiError::new(ErrorCode::Overloaded).detail(detail).retry_after(5)
        })?;
        Ok(Place {
            _seat: seat,
            _permit: permit,
        })
    }
}
