//! Folding one stream out of the log, from its newest usable snapshot on.
//!
//! Invariants: a state is only given with the version and the hash it stands at; sequences are dense and each event
//! stands on the hash of the one before it. A snapshot is believed only when the log's event at its sequence has its
//! hash. Refuses: a broken chain, an event this build cannot read.

use vaultstream_domain::aggregate::{Event, State, initial};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{LogError, Snapshot};
use vaultstream_event_schemas::StreamId;
use vaultstream_event_schemas::envelope::{EventRef, GENESIS, Hash, StoredEvent};
use vaultstream_event_schemas::upcast::UpcastError;

/// Events read at first: enough for most streams, so that they cost one read and no look for a snapshot.
const FIRST_PAGE: usize = 64;
/// Events read at a time after that.
const PAGE: usize = 512;

/// A folded stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The state; the initial one when the stream does not exist.
    pub state: State,
    /// The sequence of its last event; 0 when the stream does not exist.
    pub version: u64,
    /// The hash of its last event.
    pub hash: Hash,
}

impl Loaded {
    /// A stream before its first event.
    pub fn initial(stream: StreamId) -> Self {
        Self {
            state: initial(stream),
            version: 0,
            hash: GENESIS,
        }
    }

    fn fold(&mut self, stream: StreamId, stored: &StoredEvent) -> Result<(), LoadError> {
        let event = EventRef {
            stream,
            sequence: self.version + 1,
        };
        if stored.envelope.event_ref() != event || stored.previous != self.hash {
            return Err(LoadError::Broken(event));
        }
        let meanings = Event::read(stored).map_err(|source| LoadError::Unreadable { event, source })?;
        for meaning in &meanings {
            self.state.evolve(meaning);
        }
        self.version = event.sequence;
        self.hash = stored.hash;
        Ok(())
    }
}

/// Why a stream could not be folded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log did not answer.
    #[error(transparent)]
    Log(#[from] LogError),
    /// This build cannot read an event.
    #[error("event {event} cannot be read")]
    Unreadable {
        /// The event.
        event: EventRef,
        /// Why.
        #[source]
        source: UpcastError,
    },
    /// The stream's events do not follow one another.
    #[error("event {0} is missing or does not follow the one before it")]
    Broken(EventRef),
}

/// The state of a stream now.
pub async fn load_state(log: &dyn EventLog, stream: StreamId) -> Result<Loaded, LoadError> {
    let mut loaded = Loaded::initial(stream);
    let page = log.read_stream(stream, 0, FIRST_PAGE).await?;
    if page.len() == FIRST_PAGE
        && let Some(from) = from_snapshot(log, stream).await?
    {
        loaded = from;
    } else {
        page.iter().try_for_each(|stored| loaded.fold(stream, stored))?;
        if page.len() < FIRST_PAGE {
            return Ok(loaded);
        }
    }
    loop {
        let page = log.read_stream(stream, loaded.version, PAGE).await?;
        page.iter().try_for_each(|stored| loaded.fold(stream, stored))?;
        if page.len() < PAGE {
            return Ok(loaded);
        }
    }
}

/// The state of a stream when its shard stood at `position`.
pub async fn load_state_as_of(
    log: &dyn EventLog,
    stream: StreamId,
    position: u64,
) -> Result<Loaded, LoadError> {
    let mut loaded = Loaded::initial(stream);
    loop {
        let page = log.read_stream(stream, loaded.version, PAGE).await?;
        for stored in &page {
            if stored.position > position {
                return Ok(loaded);
            }
            loaded.fold(stream, stored)?;
        }
        if page.len() < PAGE {
            return Ok(loaded);
        }
    }
}

/// The stream's snapshot, when it is one of this fold and of this history.
async fn from_snapshot(log: &dyn EventLog, stream: StreamId) -> Result<Option<Loaded>, LoadError> {
    let fold_version = State::fold_version(stream.kind);
    let Some(snapshot) = log.load_snapshot(stream, fold_version).await? else {
        return Ok(None);
    };
    let Some(before) = snapshot.sequence.checked_sub(1) else {
        return Ok(None);
    };
    let at = log.read_stream(stream, before, 1).await?;
    let known = at
        .first()
        .is_some_and(|e| e.envelope.sequence == snapshot.sequence && e.hash == snapshot.hash);
    let Ok(state) = serde_json::from_slice::<State>(&snapshot.state) else {
        return Ok(None);
    };
    let is_same_kind = std::mem::discriminant(&state) == std::mem::discriminant(&initial(stream));
    let usable = known && is_same_kind;
    Ok(usable.then_some(Loaded {
        state,
        version: snapshot.sequence,
        hash: snapshot.hash,
    }))
}

/// A snapshot of a state; fails when the state has no JSON form, which makes it a state without snapshots.
pub fn snapshot(state: &State, version: u64, hash: Hash) -> Result<Snapshot, serde_json::Error> {
    Ok(Snapshot {
        sequence: version,
        hash,
        state: serde_json::to_vec(state)?,
    })
}
