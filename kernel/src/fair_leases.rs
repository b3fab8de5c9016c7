//! Leases shared out fairly: a process holds its part of a group and leaves the others to the others.
//!
//! A group is the leases whose names begin alike, `relay/…`. Every process of a group asks for all of its leases, and
//! is counted by a lease of its own, `live/relay/<holder>`, that it renews whenever it asks. With `n` leases and `p`
//! processes each may hold `n / p`, and the first `n mod p` of them, by name, one more. Who holds more than that is told
//! that a lease is lost when it renews it, one at a time: the next only when the last was given back. Who holds its part
//! is told that the others are taken, without asking. Processes that disagree for a moment hold too few, never the same
//! lease: that is still decided by the leases beneath.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::leases::{LeaseError, MAX_HELD};
use vaultstream_domain::ports::{Clock, Leases};

use crate::observer::{Fact, Observer};

/// How long a process counts after it last asked for anything; as long as its leases last.
const LIVE: Duration = Duration::from_secs(10);
/// How old the count of processes may be, in microseconds.
const COUNT_US: i64 = 2_000_000;

/// One group as this process sees it.
#[derive(Debug, Default)]
struct Group {
    /// Every lease of the group that was ever asked for here.
    names: BTreeSet<String>,
    held: BTreeSet<String>,
    /// The lease that is being given back.
    leaving: Option<String>,
    /// Processes of the group, how many of them come before this one, and when they were counted.
    counted: Option<(usize, usize, i64)>,
}

impl Group {
    /// How many leases this process may hold.
    fn share(&self) -> usize {
        let Some((processes, before, _)) = self.counted else {
            return 0;
        };
        let processes = processes.max(1);
        self.names.len() / processes + usize::from(before < self.names.len() % processes)
    }
}

/// The leases of one process.
pub struct FairLeases {
    leases: Arc<dyn Leases>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    groups: Mutex<BTreeMap<String, Group>>,
    /// Counts are taken one after the other.
    counting: tokio::sync::Mutex<()>,
}

fn group_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(group, _)| group)
}

fn live(group: &str) -> String {
    format!("live/{group}/")
}

impl FairLeases {
    /// Shares `leases` out.
    pub fn new(leases: Arc<dyn Leases>, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Self {
        Self {
            leases,
            clock,
            observer,
            groups: Mutex::default(),
            counting: tokio::sync::Mutex::default(),
        }
    }

    /// Whether this process holds a lease, as far as it knows.
    pub fn holds(&self, name: &str) -> bool {
        self.locked()
            .get(group_of(name))
            .is_some_and(|group| group.held.contains(name))
    }

    /// Stops counting, for when all is given back and the process ends.
    pub async fn leave(&self, holder: &str) -> Result<(), LeaseError> {
        let groups: Vec<String> = self.locked().keys().cloned().collect();
        for group in groups {
            self.leases.release(&(live(&group) + holder), holder).await?;
        }
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        // The map is whole after every statement that touches it.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, name: &str, work: impl FnOnce(&mut Group) -> T) -> T {
        work(self.locked().entry(group_of(name).to_owned()).or_default())
    }

    /// Says that this process lives, and counts those that do.
    async fn count(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        let is_fresh = || {
            let now = self.clock.now().as_micros();
            self.with(name, |group| {
                group
                    .counted
                    .is_some_and(|(_, _, at)| (now - COUNT_US..=now).contains(&at))
            })
        };
        if is_fresh() {
            return Ok(());
        }
        let _one = self.counting.lock().await;
        if is_fresh() {
            return Ok(());
        }
        let (at, prefix) = (self.clock.now().as_micros(), live(group_of(name)));
        let own = prefix.clone() + holder;
        self.leases.acquire(&own, holder, LIVE).await?;
        let all = self.leases.held(&prefix).await?;
        let before = all.iter().filter(|other| **other < own).count();
        let processes = all.len() + usize::from(!all.contains(&own) && all.len() < MAX_HELD);
        self.with(name, |group| group.counted = Some((processes, before, at)));
        Ok(())
    }

    /// Whether a lease is to be asked for; a held one that is too much is from now on being given back.
    fn may_have(&self, name: &str) -> bool {
        self.with(name, |group| {
            group.names.insert(name.to_owned());
            // Whoever asks again has let go of it before.
            if group.leaving.as_deref() == Some(name) {
                group.leaving = None;
                group.held.remove(name);
            }
            let (held, share) = (group.held.len(), group.share());
            if !group.held.contains(name) {
                return held < share;
            }
            if held > share && group.leaving.is_none() {
                group.leaving = Some(name.to_owned());
                return false;
            }
            true
        })
    }

    fn is_held(&self, name: &str, is_held: bool) {
        self.with(name, |group| {
            if is_held {
                group.held.insert(name.to_owned());
            } else {
                group.held.remove(name);
            }
        });
        self.observer.observe(&Fact::Leased { lease: name, is_held });
    }
}

#[async_trait]
impl Leases for FairLeases {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, LeaseError> {
        self.count(name, holder).await?;
        let was_held = self.holds(name);
        if !self.may_have(name) {
            if !self.holds(name) {
                self.is_held(name, false);
            }
            return Ok(false);
        }
        if !self.leases.acquire(name, holder, ttl).await? {
            self.is_held(name, false);
            return Ok(false);
        }
        self.is_held(name, true);
        // Several were asked for at once, and more of them were free than this process may hold.
        let is_new_and_too_much = self.with(name, |group| !was_held && group.held.len() > group.share());
        if is_new_and_too_much {
            self.release(name, holder).await?;
        }
        Ok(!is_new_and_too_much)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        let released = self.leases.release(name, holder).await;
        self.with(name, |group| {
            if group.leaving.as_deref() == Some(name) {
                group.leaving = None;
            }
        });
        self.is_held(name, false);
        released
    }

    async fn held(&self, prefix: &str) -> Result<Vec<String>, LeaseError> {
        self.leases.held(prefix).await
    }
}
