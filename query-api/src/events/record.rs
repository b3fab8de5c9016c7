//! Reads of what belongs to others, on record: who, what was asked, how many, when.
//!
//! The first read of a question is durable before it is answered. Who asks the same again within [`WINDOW_MS`] is counted,
//! and the count is written when the window ends, when a stream ends, and when the process drains. A credential has at
//! most [`MAX_QUESTIONS`] questions a window; what it asks beyond them counts as asking about everything. So a record can
//! say too much, never too little, and no reader fills the log. A crash loses the counts of one window, never the fact.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use uuid::Uuid;
use vaultstream_domain::CommandContext;
use vaultstream_domain::audit::{RecordRead, trail_id};
use vaultstream_domain::error::Coded;
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::audit::v1::EventsRead;
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::{Actor, CommandId, ErrorCode, Hlc, OrganizationId, Timestamp, id};
use vaultstream_gateway::{ApiError, Principal, RequestInfo};
use vaultstream_kernel::Executor;

use super::EventsParts;
use super::question::Question;
use crate::drain::Drain;
use crate::places::moment_of;

/// How long reads of one question are counted before the count is written.
pub const WINDOW_MS: u64 = 60_000;
/// Questions of one credential that are told apart in a window.
pub const MAX_QUESTIONS: usize = 20;

/// Who reads.
#[derive(Debug, Clone)]
pub struct Who {
    credential: Uuid,
    actor: Actor,
    organization: OrganizationId,
    trace: Arc<str>,
}

impl Who {
    /// Who asks, in which connection.
    pub fn new(principal: &Principal, info: &RequestInfo) -> Self {
        Self {
            credential: principal.credential(),
            actor: principal.actor(),
            organization: principal.organization,
            trace: Arc::clone(&info.trace),
        }
    }
}

/// What was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    events: u64,
    oldest: Option<Hlc>,
    newest: Option<Hlc>,
}

impl Seen {
    /// Of these events.
    pub fn of(events: &[PublicEvent]) -> Self {
        let clocks = || events.iter().map(|event| event.hlc);
        Self {
            events: u64::try_from(events.len()).unwrap_or(u64::MAX),
            oldest: clocks().min(),
            newest: clocks().max(),
        }
    }

    fn add(&mut self, other: Self) {
        self.events = self.events.saturating_add(other.events);
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
        self.newest = self.newest.into_iter().chain(other.newest).max();
    }
}

/// Reads of one question that are not written yet.
#[derive(Debug, Clone)]
struct Waiting {
    who: Who,
    since: Timestamp,
    first_at: Timestamp,
    last_at: Timestamp,
    reads: u32,
    seen: Seen,
}

type Key = (Uuid, Question);

/// Puts reads on record.
pub struct Recorder {
    log: Arc<dyn EventLog>,
    executor: Executor,
    clock: Arc<dyn Clock>,
    drain: Drain,
    waiting: Mutex<HashMap<Key, Waiting>>,
    serial: AtomicU64,
}

/// The question that stands for all.
fn anything() -> Question {
    Question {
        organization: None,
        stream: None,
        types: Vec::new(),
        from: None,
        until: None,
    }
}

impl Recorder {
    /// A recorder, and the task that writes what it has counted.
    pub fn start(parts: &EventsParts) -> Arc<Self> {
        let services = &parts.services;
        let recorder = Arc::new(Self {
            log: Arc::clone(&services.log),
            executor: parts.executor.clone(),
            clock: Arc::clone(&services.clock),
            drain: services.drain.clone(),
            waiting: Mutex::default(),
            serial: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&recorder);
        let mut begun = services.drain.begun();
        let task = async move {
            let mut is_ending = false;
            while !is_ending {
                let window = tokio::time::sleep(Duration::from_millis(WINDOW_MS));
                tokio::select! {
                    () = window => {}
                    // whoever could tell is gone: that is an end, too
                    _ = begun.wait_for(|begun| *begun) => is_ending = true,
                }
                let Some(recorder) = weak.upgrade() else { return };
                recorder.write_counts().await;
            }
        };
        parts
            .spawn
            .spawn("audit_record", Box::pin(services.drain.hold(task)));
        recorder
    }

    /// Takes a read in: `reads` that begin with it, and what was given. Returns when it may be answered.
    pub async fn read(&self, who: &Who, question: &Question, reads: u32, seen: Seen) -> Result<(), ApiError> {
        let now = self.clock.now();
        let (key, is_new) = self.count(who, question, now, (reads, seen)).await;
        // once the process drains nobody comes back to write what was counted
        if is_new || self.drain.has_begun() {
            return self.write(&key).await;
        }
        Ok(())
    }

    async fn count(
        &self,
        who: &Who,
        question: &Question,
        now: Timestamp,
        (reads, seen): (u32, Seen),
    ) -> (Key, bool) {
        let mut waiting = self.waiting.lock().await;
        let mut key = (who.credential, question.clone());
        if !waiting.contains_key(&key) {
            let known = waiting.keys().filter(|(who, _)| *who == key.0).count();
            if known >= MAX_QUESTIONS {
                key.1 = anything();
            }
        }
        let is_new = !waiting.contains_key(&key);
        let entry = waiting.entry(key.clone()).or_insert_with(|| Waiting {
            who: who.clone(),
            since: now,
            first_at: now,
            last_at: now,
            reads: 0,
            seen: Seen::default(),
        });
        if entry.reads == 0 && entry.seen.events == 0 {
            entry.first_at = now;
        }
        entry.last_at = entry.first_at.max(now);
        entry.reads = entry.reads.saturating_add(reads);
        entry.seen.add(seen);
        (key, is_new)
    }

    /// Writes what was counted; forgets questions whose window is over.
    async fn write_counts(&self) {
        let now = self.clock.now();
        let keys: Vec<Key> = {
            let mut waiting = self.waiting.lock().await;
            let over = |w: &Waiting| {
                now.as_micros() - w.since.as_micros() >= i64::try_from(WINDOW_MS * 1_000).unwrap_or(i64::MAX)
            };
            waiting.retain(|_, w| w.reads > 0 || w.seen.events > 0 || !over(w));
            waiting.keys().cloned().collect()
        };
        for key in keys {
            if let Err(error) = self.write(&key).await {
                // what was counted stays, and is written with the next window
                tracing::warn!(
                    code = error.code().as_str(),
                    causes = error.causes(),
                    "reads are not on record yet"
                );
            }
        }
    }

    /// Writes what was counted of a question. What cannot be written is counted again.
    async fn write(&self, key: &Key) -> Result<(), ApiError> {
        let taken = {
            let mut waiting = self.waiting.lock().await;
            let Some(entry) = waiting.get_mut(key) else {
                return Ok(());
            };
            let taken = entry.clone();
            (entry.reads, entry.seen) = (0, Seen::default());
            taken
        };
        if taken.reads == 0 && taken.seen.events == 0 {
            return Ok(());
        }
        let written = self.append(&taken, &key.1).await;
        if written.is_err() {
            let mut waiting = self.waiting.lock().await;
            let entry = waiting.entry(key.clone()).or_insert_with(|| Waiting {
                reads: 0,
                seen: Seen::default(),
                ..taken.clone()
            });
            entry.first_at = taken.first_at;
            entry.reads = entry.reads.saturating_add(taken.reads);
            entry.seen.add(taken.seen);
        }
        written
    }

    async fn append(&self, taken: &Waiting, question: &Question) -> Result<(), ApiError> {
        let not_recorded = |code| {
            let detail = "the read could not be put on record, so it is not answered";
            ApiError::new(code).detail(detail).retry_after(1)
        };
        let credential = taken.who.credential;
        let registry = self.log.registry();
        let trail = trail_id(&registry, credential, taken.last_at)
            .ok_or_else(|| not_recorded(ErrorCode::Internal))?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let command = id::derived(
            "audit_read",
            &[
                credential.as_bytes(),
                &taken.last_at.as_micros().to_be_bytes(),
                &serial.to_be_bytes(),
                &self.clock.now().as_micros().to_be_bytes(),
            ],
        );
        let context = CommandContext {
            actor: taken.who.actor.clone(),
            command: CommandId::from_uuid(command),
            causation: None,
            trace: Some(taken.who.trace.to_string()),
        };
        let read = EventsRead {
            events: taken.seen.events,
            first_at: taken.first_at,
            from: question.from,
            last_at: taken.last_at,
            newest: taken.seen.newest.map(moment_of),
            oldest: taken.seen.oldest.map(moment_of),
            organization: question.organization,
            reads: taken.reads,
            stream: question.stream.map(|stream| stream.to_string()),
            types: question.types.clone(),
            until: question.until,
        };
        let record = RecordRead {
            trail,
            organization: taken.who.organization,
            read,
        };
        let written = self.executor.execute(context, Arc::new(record)).await;
        written
            .map(drop)
            .map_err(|error| not_recorded(error.code()).caused_by(error))
    }
}
