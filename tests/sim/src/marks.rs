//! The list of marks as a model: neither log nor views, and never put back with them.
//!
//! What was answered is kept for ever. A mark whose answer is not heard may be kept now, later, or not at all, whole or not
//! at all: one that was torn was never there. It passes the port's conformance suite.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use vaultstream_domain::ports::note_list::{KeptNote, NoteKind, NoteListError};
use vaultstream_domain::ports::{Clock, NoteList};
use vaultstream_event_schemas::mark::Mark;
use vaultstream_event_schemas::note::Note;

use crate::sched::Life;
use crate::weather::Weather;

/// The longest time after which a mark that failed is still kept, in microseconds.
const LATE_US: u64 = 3_000_000;

/// A mark that is kept, with what it says and since when, in microseconds since the epoch.
#[derive(Clone)]
struct Kept {
    mark: KeptNote,
    said: Mark,
    at_us: i64,
}

/// A handle to the list. Clones and [`Self::reached`] share what is kept.
#[derive(Clone)]
pub struct SimMarks {
    kept: Arc<Mutex<Vec<Kept>>>,
    clock: Arc<dyn Clock>,
    way: Option<(Weather, Life)>,
}

fn failed(doing: &'static str) -> NoteListError {
    NoteListError::store(NoteKind::Mark, doing)("the simulated store failed")
}

/// What a note says, when it is a mark.
fn said(note: &str) -> Option<Mark> {
    Note::parse(note).ok()?.text().parse().ok()
}

impl SimMarks {
    /// An empty list without weather.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            kept: Arc::default(),
            clock,
            way: None,
        }
    }

    /// The same list through weather. What is late is kept by `engine`.
    #[must_use]
    pub fn reached(&self, weather: &Weather, engine: Life) -> Self {
        Self {
            way: Some((weather.clone(), engine)),
            ..self.clone()
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the newest mark says.
    pub fn newest_said(&self) -> Option<Mark> {
        self.locked().last().map(|kept| kept.said.clone())
    }

    /// Whether a mark has a bind of this digest.
    pub fn has(&self, digest: &str) -> bool {
        let kept = self.locked();
        let mut binds = kept.iter().flat_map(|kept| &kept.said.binds);
        binds.any(|bind| bind.digest == digest)
    }

    /// Since when the first mark behind a number is kept that ends a quarantine.
    pub fn released_at(&self, after: u64) -> Option<i64> {
        let kept = self.locked();
        let mut releases = kept.iter().filter(|kept| kept.said.release.is_some());
        let first = releases.find(|kept| kept.mark.number > after);
        first.map(|kept| kept.at_us)
    }

    fn put(&self, mark: &KeptNote) -> Result<(), NoteListError> {
        let mut kept = self.locked();
        if !NoteKind::Mark.is_new(mark, kept.last().map(|kept| &kept.mark))? {
            return Ok(());
        }
        let (kind, number) = (NoteKind::Mark, mark.number);
        let said = said(&mark.note).ok_or(NoteListError::Malformed { kind, number })?;
        let (mark, at_us) = (mark.clone(), self.clock.now().as_micros());
        kept.push(Kept { mark, said, at_us });
        Ok(())
    }

    fn put_late(&self, weather: &Weather, engine: Life, mark: KeptNote) {
        let (this, later) = (self.clone(), weather.clone());
        let write = async move {
            let us = later.sim().draw(|dice| dice.below(LATE_US));
            later.sim().sleep_us(us).await;
            let came = this.put(&mark).is_ok();
            let number = mark.number;
            later
                .sim()
                .note("mark-came-late", format_args!("{number}: {came}"));
        };
        weather.sim().spawn(engine, "late-mark", Box::pin(write));
    }

    async fn way_to_read(&self) -> Result<(), NoteListError> {
        let Some((weather, _)) = &self.way else {
            return Ok(());
        };
        weather.latency().await;
        if weather.strikes("mark-read-failed", |odds| odds.mark_fails) {
            return Err(failed("read"));
        }
        Ok(())
    }
}

#[async_trait]
impl NoteList for SimMarks {
    async fn append(&self, mark: &KeptNote) -> Result<(), NoteListError> {
        let Some((weather, engine)) = &self.way else {
            return self.put(mark);
        };
        weather.latency().await;
        if weather.strikes("mark-torn", |odds| odds.mark_fails) {
            return Err(failed("kept"));
        }
        if weather.strikes("mark-late", |odds| odds.mark_late) {
            self.put_late(weather, *engine, mark.clone());
            return Err(failed("kept"));
        }
        let done = self.put(mark);
        weather.latency().await;
        if weather.strikes("mark-unheard", |odds| odds.mark_unheard) {
            return Err(failed("kept"));
        }
        done
    }

    async fn newest(&self) -> Result<Option<KeptNote>, NoteListError> {
        self.way_to_read().await?;
        Ok(self.locked().last().map(|kept| kept.mark.clone()))
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptNote>, NoteListError> {
        self.way_to_read().await?;
        let kept = self.locked();
        let behind = kept.iter().filter(|kept| kept.mark.number > after);
        let marks = behind.take(limit.min(NoteKind::Mark.page()));
        Ok(marks.map(|kept| kept.mark.clone()).collect())
    }
}

/// The list of checkpoints of a world without a sealer.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCheckpoints;

#[async_trait]
impl NoteList for NoCheckpoints {
    async fn append(&self, checkpoint: &KeptNote) -> Result<(), NoteListError> {
        let (kind, number) = (NoteKind::Checkpoint, checkpoint.number);
        Err(NoteListError::Malformed { kind, number })
    }

    async fn newest(&self) -> Result<Option<KeptNote>, NoteListError> {
        Ok(None)
    }

    async fn read(&self, _: u64, _: usize) -> Result<Vec<KeptNote>, NoteListError> {
        Ok(Vec::new())
    }
}
