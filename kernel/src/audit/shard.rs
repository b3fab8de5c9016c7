//! One shard, event by event, against what was sealed of it.

use std::collections::HashMap;

use vaultstream_event_schemas::envelope::{EventRef, GENESIS, Hash, leaf_hash};
use vaultstream_event_schemas::merkle::Frontier;
use vaultstream_event_schemas::{Hlc, ShardNumber, StreamId};

use super::chain::Claim;
use super::narrow::{Guess, Interval, MAX_INTERVAL, Recent};
use super::seen::Claimed;
use super::{Chain, Fault, Finding, Lost, MAX_FINDINGS, Place, Seen, ShardReport};

/// A shard under audit.
pub(super) struct ShardAudit {
    shard: ShardNumber,
    claims: Vec<Claim>,
    /// The next claim to compare.
    next: usize,
    lost: Vec<Lost>,
    /// The tree so far; none once its next leaf is not known.
    tree: Option<Frontier>,
    /// The tree up to which it is what was sealed.
    good: Frontier,
    /// The events behind that; none when they are too many.
    recent: Option<Vec<Recent>>,
    /// A root that differs, until the next event is known.
    suspect: Option<Claim>,
    events: u64,
    position: u64,
    hlc: Hlc,
    streams: HashMap<StreamId, (u64, Hash)>,
    findings: Vec<Finding>,
    untold: u64,
}

impl ShardAudit {
    pub(super) fn new(shard: ShardNumber, chain: &Chain) -> Self {
        let (claims, lost) = chain.claims(shard);
        Self {
            shard,
            claims,
            next: 0,
            lost,
            tree: Some(Frontier::default()),
            good: Frontier::default(),
            recent: Some(Vec::new()),
            suspect: None,
            events: 0,
            position: 0,
            hlc: Hlc(0),
            streams: HashMap::new(),
            findings: Vec::new(),
            untold: 0,
        }
    }

    pub(super) const fn shard(&self) -> ShardNumber {
        self.shard
    }

    fn find(&mut self, place: Place, fault: Fault) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { place, fault });
        } else {
            self.untold += 1;
        }
    }

    pub(super) fn take(&mut self, seen: &Seen) {
        self.events += 1;
        let event = seen.claimed.map(|claimed| EventRef {
            stream: claimed.stream,
            sequence: claimed.sequence,
        });
        let place = Place {
            shard: self.shard,
            position: seen.position,
            event,
        };
        self.resolve(seen);
        if !seen.is_whole {
            self.find(place, Fault::Edited);
        }
        if seen.position <= self.position {
            self.find(place, Fault::Reordered);
            self.tree = None;
            return;
        }
        if seen.position > self.position + 1 {
            let (from, upto) = (self.position + 1, seen.position - 1);
            self.find(place, Fault::Missing { from, upto });
            self.tree = None;
        }
        self.position = seen.position;
        if seen.hlc <= self.hlc {
            self.find(place, Fault::Reordered);
        }
        self.hlc = self.hlc.max(seen.hlc);
        match seen.claimed {
            Some(claimed) => self.follow(place, claimed, seen),
            None => self.tree = None,
        }
    }

    fn follow(&mut self, place: Place, claimed: Claimed, seen: &Seen) {
        if claimed.shard != self.shard || claimed.stream.shard() != self.shard {
            self.find(place, Fault::Misplaced);
        }
        let (after, hash) = self.streams.get(&claimed.stream).copied().unwrap_or((0, GENESIS));
        if claimed.sequence != after + 1 || seen.previous != hash {
            self.find(place, Fault::Broken { after });
        }
        self.streams.insert(claimed.stream, (claimed.sequence, seen.hash));
        self.remember(claimed, seen);
        let Some(tree) = &mut self.tree else { return };
        let leaf = leaf_hash(
            self.shard,
            claimed.incarnation,
            seen.position,
            seen.hlc,
            &seen.hash,
        );
        tree.push(leaf);
        let size = tree.size();
        if self.claims.get(self.next).is_some_and(|claim| claim.size == size) {
            let root = tree.root();
            self.compare(size, root);
        }
    }

    /// Keeps what the tree took since it was last what was sealed.
    fn remember(&mut self, claimed: Claimed, seen: &Seen) {
        if self.tree.is_some()
            && let Some(recent) = &mut self.recent
        {
            recent.push(recent_of(claimed, seen));
            if recent.len() > MAX_INTERVAL {
                self.recent = None;
            }
        }
    }

    /// Compares the tree with every root that was sealed at its size. What was sealed after the first that differs must
    /// differ, too, and is not told.
    fn compare(&mut self, size: u64, root: Hash) {
        while let Some(claim) = self
            .claims
            .get(self.next)
            .copied()
            .filter(|claim| claim.size == size)
        {
            self.next += 1;
            if claim.root != root {
                self.suspect = Some(claim);
                self.tree = None;
                return;
            }
            if let Some(tree) = &self.tree {
                self.good = tree.clone();
            }
            self.recent = Some(Vec::new());
        }
    }

    /// Tells of a root that differed, with the event behind it.
    fn resolve(&mut self, next: &Seen) {
        if self.suspect.is_some() {
            let next = next.claimed.map(|claimed| recent_of(claimed, next));
            self.tell(next);
        }
    }

    fn tell(&mut self, next: Option<Recent>) {
        let Some(claim) = self.suspect.take() else { return };
        let events = self.recent.take().unwrap_or_default();
        let interval = Interval {
            shard: self.shard,
            base: &self.good,
            events: &events,
            next,
            root: claim.root,
        };
        let first = self.good.size() + 1;
        let place = |index: usize| Place {
            shard: self.shard,
            position: first + index as u64,
            event: events.get(index).map(|recent| recent.event),
        };
        let checkpoint = claim.checkpoint;
        let (place, fault) = match interval.guess() {
            Some(Guess::Inserted(index)) => (place(index), Fault::Inserted { checkpoint }),
            Some(Guess::Swapped(index)) => (place(index), Fault::Swapped { checkpoint }),
            None => {
                let (from, upto) = (first, claim.size);
                (
                    Place::at(self.shard, first),
                    Fault::Other {
                        from,
                        upto,
                        checkpoint,
                    },
                )
            }
        };
        self.find(place, fault);
    }

    pub(super) fn finish(mut self) -> (ShardReport, Vec<Finding>, u64) {
        self.tell(None);
        let last = self.claims.last().copied();
        if let Some(claim) = last.filter(|claim| claim.size > self.position) {
            let from = self.position + 1;
            let fault = Fault::Cut {
                from,
                upto: claim.size,
                checkpoint: claim.checkpoint,
            };
            // Never among the untold: it is what the whole list of checkpoints is for.
            self.findings.push(Finding {
                place: Place::at(self.shard, from),
                fault,
            });
        }
        let report = ShardReport {
            shard: self.shard,
            events: self.events,
            sealed: last.map_or(0, |claim| claim.size.min(self.position)),
            lost: self.lost,
        };
        (report, self.findings, self.untold)
    }
}

const fn recent_of(claimed: Claimed, seen: &Seen) -> Recent {
    Recent {
        event: EventRef {
            stream: claimed.stream,
            sequence: claimed.sequence,
        },
        incarnation: claimed.incarnation,
        hlc: seen.hlc,
        hash: seen.hash,
    }
}
