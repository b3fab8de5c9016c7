//! What people were told, and what they saw that must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{CommandId, ShardNumber, TransferId};
use vaultstream_kernel::EventPlace;

use crate::log::SimLog;

/// A command that was acknowledged.
#[derive(Debug, Clone)]
pub struct Ack {
    /// The command; the same for every try.
    pub command: CommandId,
    /// Its use case.
    pub name: &'static str,
    /// What it was told of where its events stand; none when it had had its effect before.
    pub events: Vec<EventPlace>,
}

/// A transfer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub transfer: TransferId,
    /// How much; no other transfer has this amount.
    pub wei: u128,
}

/// What one listener heard.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Where it began.
    pub from: Option<Positions>,
    /// The places of the items, in the order they came.
    pub items: Vec<(ShardNumber, Place)>,
}

#[derive(Default)]
struct Inner {
    acks: Vec<Ack>,
    asked: Vec<Asked>,
    refused: BTreeSet<TransferId>,
    taken: BTreeSet<TransferId>,
    forgotten: BTreeSet<TransferId>,
    requested: BTreeMap<TransferId, EventPlace>,
    heard: BTreeMap<usize, Heard>,
    reads: u64,
    wrong: Vec<String>,
}

/// The record of a run.
#[derive(Default)]
pub struct Record(Mutex<Inner>);

impl Record {
    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn asked(&self, asked: Asked) {
        self.locked().asked.push(asked);
    }

    pub(super) fn refused(&self, transfer: TransferId) {
        self.locked().refused.insert(transfer);
    }

    /// The transfer was taken, or had been.
    pub(super) fn taken(&self, transfer: TransferId) {
        self.locked().taken.insert(transfer);
    }

    pub(super) fn is_taken(&self, transfer: TransferId) -> bool {
        self.locked().taken.contains(&transfer)
    }

    /// The log has lost the transfer, and nobody will ask for it again.
    pub(super) fn forgotten(&self, transfer: TransferId) {
        self.locked().forgotten.insert(transfer);
    }

    /// Whether the log has lost the transfer, and nobody asks for it again.
    pub fn is_forgotten(&self, transfer: TransferId) -> bool {
        self.locked().forgotten.contains(&transfer)
    }

    /// The log has kept so many events of each shard: what was told of others counts no more.
    pub(super) fn rewound(&self, kept: &BTreeMap<ShardNumber, u64>, log: &SimLog) {
        let is_kept = |place: &EventPlace| {
            let kept = kept.get(&place.stream.shard()).copied().unwrap_or_default();
            place.position <= kept
        };
        let commands: BTreeSet<CommandId> = kept
            .keys()
            .flat_map(|shard| log.events(*shard))
            .map(|event| event.envelope.command)
            .collect();
        let mut inner = self.locked();
        inner.acks.retain(|ack| {
            let had_effect = !ack.events.is_empty() || commands.contains(&ack.command);
            ack.events.iter().all(is_kept) && had_effect
        });
        inner.requested.retain(|_, place| is_kept(place));
    }

    /// Listeners have to begin anew: what they heard is of another life.
    pub(crate) fn listens_anew(&self) {
        self.locked().heard.clear();
    }

    pub(super) fn acknowledged(&self, ack: Ack) {
        let mut inner = self.locked();
        for place in &ack.events {
            if let Ok(transfer) = TransferId::try_from(place.stream) {
                inner.requested.entry(transfer).or_insert(*place);
            }
        }
        inner.acks.push(ack);
    }

    pub(super) fn began(&self, listener: usize, from: Positions) {
        self.locked()
            .heard
            .entry(listener)
            .or_default()
            .from
            .get_or_insert(from);
    }

    pub(super) fn heard(&self, listener: usize, shard: ShardNumber, place: Place) {
        let mut inner = self.locked();
        inner
            .heard
            .entry(listener)
            .or_default()
            .items
            .push((shard, place));
    }

    pub(super) fn has_read(&self) {
        self.locked().reads += 1;
    }

    /// Something was seen that must not be.
    pub(super) fn wrong(&self, what: String) {
        let mut inner = self.locked();
        if inner.wrong.len() < 20 {
            inner.wrong.push(what);
        }
    }

    /// Acknowledged commands.
    pub fn acks(&self) -> Vec<Ack> {
        self.locked().acks.clone()
    }

    /// Transfers that were asked for and not refused.
    pub fn open(&self) -> Vec<Asked> {
        let inner = self.locked();
        let asked = inner.asked.iter();
        asked
            .filter(|asked| !inner.refused.contains(&asked.transfer))
            .copied()
            .collect()
    }

    /// Transfers that were asked for.
    pub fn all(&self) -> Vec<Asked> {
        self.locked().asked.clone()
    }

    /// The transfers that were acknowledged, with the place of an event of theirs.
    pub fn requested(&self) -> Vec<(TransferId, EventPlace)> {
        let inner = self.locked();
        inner.requested.iter().map(|(id, place)| (*id, *place)).collect()
    }

    /// What listeners heard.
    pub fn heard_all(&self) -> BTreeMap<usize, Heard> {
        self.locked().heard.clone()
    }

    /// How many reads were answered and held against the log.
    pub fn reads(&self) -> u64 {
        self.locked().reads
    }

    /// What was seen that must not be.
    pub fn wrongs(&self) -> Vec<String> {
        self.locked().wrong.clone()
    }
}
