//! Progress and leases as models: small notes, and who holds what until when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::leases::{LeaseError, MAX_HELD, MAX_LEASE};
use vaultstream_domain::ports::progress::ProgressError;
use vaultstream_domain::ports::{Clock, Leases, Progress};

use crate::weather::Weather;

const NAME_MAX: usize = 128;
const NOTE_MAX: usize = 64 << 10;

#[derive(Default)]
struct Kept {
    notes: BTreeMap<String, Vec<u8>>,
    /// Holder, and until when, in microseconds.
    leases: BTreeMap<String, (String, i64)>,
}

impl Kept {
    /// Takes a lease that is free, over or the holder's own; answers whether it is another's.
    fn take(&mut self, name: &str, holder: &str, (now, until): (i64, i64)) -> bool {
        let held = self.leases.get(name);
        let is_others = held.is_some_and(|(other, until)| other != holder && *until > now);
        if !is_others {
            self.leases.insert(name.to_owned(), (holder.to_owned(), until));
        }
        is_others
    }
}

/// A handle to the notebook and the book of leases. Clones share them.
#[derive(Clone)]
pub struct SimNotes {
    kept: Arc<Mutex<Kept>>,
    clock: Arc<dyn Clock>,
    weather: Option<Weather>,
}

impl SimNotes {
    /// Empty ones without weather.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            kept: Arc::default(),
            clock,
            weather: None,
        }
    }

    /// The same ones through weather.
    #[must_use]
    pub fn reached(&self, weather: &Weather) -> Self {
        Self {
            weather: Some(weather.clone()),
            ..self.clone()
        }
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time it takes; whether it fails.
    async fn fails(&self, what: &'static str) -> bool {
        let Some(weather) = &self.weather else {
            return false;
        };
        weather.latency().await;
        weather.strikes(what, |odds| odds.note_fails)
    }
}

fn progress_error(doing: &'static str, why: &'static str) -> ProgressError {
    ProgressError {
        doing,
        source: why.into(),
    }
}

fn lease_error(doing: &'static str, why: &'static str) -> LeaseError {
    LeaseError {
        doing,
        source: why.into(),
    }
}

fn is_out_of_bounds(text: &str) -> bool {
    text.is_empty() || text.chars().count() > NAME_MAX
}

const FAILED: &str = "the simulated store failed";

#[async_trait]
impl Progress for SimNotes {
    async fn load(&self, name: &str) -> Result<Option<Vec<u8>>, ProgressError> {
        if self.fails("note-read-failed").await {
            return Err(progress_error("read", FAILED));
        }
        Ok(self.locked().notes.get(name).cloned())
    }

    async fn save(&self, name: &str, note: &[u8]) -> Result<(), ProgressError> {
        if name.chars().count() > NAME_MAX || note.len() > NOTE_MAX {
            return Err(progress_error("kept", "the name or the note is too long"));
        }
        if self.fails("note-lost").await {
            return Err(progress_error("kept", FAILED));
        }
        self.locked().notes.insert(name.to_owned(), note.to_vec());
        if self.fails("note-unheard").await {
            return Err(progress_error("kept", FAILED));
        }
        Ok(())
    }
}

#[async_trait]
impl Leases for SimNotes {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, LeaseError> {
        if is_out_of_bounds(name) || is_out_of_bounds(holder) || ttl.is_zero() || ttl > MAX_LEASE {
            return Err(lease_error("taken", "a name or the time is out of bounds"));
        }
        if self.fails("lease-failed").await {
            return Err(lease_error("taken", FAILED));
        }
        let now = self.clock.now().as_micros();
        let until = now + i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let is_others = self.locked().take(name, holder, (now, until));
        if self.fails("lease-unheard").await {
            return Err(lease_error("taken", FAILED));
        }
        Ok(!is_others)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        if is_out_of_bounds(name) || is_out_of_bounds(holder) {
            return Err(lease_error("given back", "a name is out of bounds"));
        }
        if self.fails("lease-failed").await {
            return Err(lease_error("given back", FAILED));
        }
        let mut kept = self.locked();
        if kept.leases.get(name).is_some_and(|(other, _)| other == holder) {
            kept.leases.remove(name);
        }
        Ok(())
    }

    async fn held(&self, prefix: &str) -> Result<Vec<String>, LeaseError> {
        if self.fails("lease-failed").await {
            return Err(lease_error("listed", FAILED));
        }
        let now = self.clock.now().as_micros();
        let kept = self.locked();
        let held = kept
            .leases
            .iter()
            .filter(|(name, (_, until))| name.starts_with(prefix) && *until > now)
            .map(|(name, _)| name.clone())
            .take(MAX_HELD)
            .collect();
        Ok(held)
    }
}
