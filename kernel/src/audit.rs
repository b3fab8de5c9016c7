//! Verifying: whether a log is the one that checkpoints stand for, from nothing but events, notes and public keys.
//!
//! [`Chain`] is what the notes say, each believed by its signatures or by being named in a later one. [`Auditor`] takes the
//! events of each shard in order, as they lie in a file, and compares: every byte with its hash, every event with the
//! stream before it, every tree with the roots that were signed. What it finds names the place. Invariants: it trusts no
//! hash it did not compute; nothing declared lost counts as tampering, and everything else that is missing does.

mod chain;
mod finding;
mod narrow;
mod seen;
mod shard;

use std::collections::BTreeMap;

use vaultstream_event_schemas::ShardNumber;

pub use chain::{Chain, ChainFault, Held};
pub use finding::{Fault, Finding, Lost, Place};
pub use seen::Seen;

use shard::ShardAudit;

/// Findings of a shard that are told one by one; more are counted.
pub const MAX_FINDINGS: usize = 20;

/// What became of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardReport {
    /// The shard.
    pub shard: ShardNumber,
    /// Events in the log.
    pub events: u64,
    /// Events that a checkpoint covers, of those that are in the log.
    pub sealed: u64,
    /// What is declared lost.
    pub lost: Vec<Lost>,
}

/// What became of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Every shard of log and checkpoints.
    pub shards: Vec<ShardReport>,
    /// What contradicts, in order of shard and position; empty when nothing does.
    pub findings: Vec<Finding>,
    /// Findings beyond those that are told.
    pub untold: u64,
}

/// Compares a log with a chain, shard after shard.
pub struct Auditor<'a> {
    chain: &'a Chain,
    current: Option<ShardAudit>,
    done: BTreeMap<ShardNumber, ShardReport>,
    findings: Vec<Finding>,
    untold: u64,
}

impl<'a> Auditor<'a> {
    /// An auditor that has seen nothing.
    pub const fn new(chain: &'a Chain) -> Self {
        Self {
            chain,
            current: None,
            done: BTreeMap::new(),
            findings: Vec::new(),
            untold: 0,
        }
    }

    /// Begins with a shard of the log; events of another may not follow after this one was left.
    pub fn begin(&mut self, shard: ShardNumber) {
        self.end();
        self.current = Some(ShardAudit::new(shard, self.chain));
    }

    /// Takes the next event of the log.
    pub fn take(&mut self, shard: ShardNumber, seen: &Seen) {
        if self
            .current
            .as_ref()
            .is_none_or(|current| current.shard() != shard)
        {
            self.begin(shard);
        }
        if let Some(current) = &mut self.current {
            current.take(seen);
        }
    }

    fn end(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let shard = current.shard();
        let (report, findings, untold) = current.finish();
        self.findings.extend(findings);
        self.untold += untold;
        if self.done.insert(shard, report).is_some() {
            self.findings.push(Finding {
                place: Place::at(shard, 0),
                fault: Fault::Twice,
            });
        }
    }

    /// What became of it all.
    pub fn finish(mut self) -> Report {
        self.end();
        for shard in self.chain.shards() {
            if !self.done.contains_key(&shard) {
                self.begin(shard);
                self.end();
            }
        }
        Report {
            shards: self.done.into_values().collect(),
            findings: self.findings,
            untold: self.untold,
        }
    }
}

#[cfg(test)]
mod tests;
