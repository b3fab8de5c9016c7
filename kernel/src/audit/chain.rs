//! The checkpoints that are believed, in order, and what they claim of each shard.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use vaultstream_event_schemas::checkpoint::{Checkpoint, CheckpointRef, Loss, ShardRoot};
use vaultstream_event_schemas::envelope::Hash;
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::{ShardNumber, Timestamp};

use super::Lost;

/// A checkpoint that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: CheckpointRef,
    /// When it was made.
    pub sealed_at: Timestamp,
    /// The one before it.
    pub previous: Option<Hash>,
    /// What it claims.
    pub shards: Vec<ShardRoot>,
    /// What it declares lost.
    pub losses: Vec<Loss>,
}

/// What is wrong with the notes themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// A note that is none, or no checkpoint, or not believed.
    Unbelieved {
        /// Where it stands.
        place: String,
        /// Why.
        why: String,
    },
    /// Two different checkpoints with one number, both signed.
    Fork(u64),
    /// A checkpoint that does not name the one before it.
    Unlinked(u64),
    /// A shard is smaller than before, and no loss is declared.
    Shrunk {
        /// The shard.
        shard: ShardNumber,
        /// The checkpoint.
        checkpoint: u64,
    },
    /// Another installation's, by its first line.
    Foreign(u64),
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbelieved { place, why } => write!(f, "{place}: {why}"),
            Self::Fork(number) => write!(f, "two different checkpoints {number} were signed"),
            Self::Unlinked(number) => write!(f, "checkpoint {number} does not name the one before it"),
            Self::Shrunk { shard, checkpoint } => write!(
                f,
                "checkpoint {checkpoint} covers fewer events of shard {shard} than one before it, and no loss is declared in \
                 the checkpoints that were given"
            ),
            Self::Foreign(number) => write!(
                f,
                "checkpoint {number} is of another installation than the newest"
            ),
        }
    }
}

/// A root that the log must have at a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) checkpoint: u64,
}

/// The believed checkpoints, in order of number.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    held: Vec<Held>,
}

/// A note with the place it stands in, and whether it can be read at all.
struct Given {
    place: String,
    note: Note,
    checkpoint: Checkpoint,
}

impl Given {
    fn read(place: String, text: &str) -> Result<Self, ChainFault> {
        let unbelieved = |place: &str, why: String| ChainFault::Unbelieved {
            place: place.to_owned(),
            why,
        };
        let note = Note::parse(text).map_err(|error| unbelieved(&place, error.to_string()))?;
        let checkpoint = note.text().parse::<Checkpoint>();
        let checkpoint = checkpoint.map_err(|error| unbelieved(&place, error.to_string()))?;
        Ok(Self {
            place,
            note,
            checkpoint,
        })
    }

    /// Whether a believed checkpoint names it, or its signatures are right.
    fn believe(&self, next: Option<&Held>, keys: &Keys) -> Result<(), ChainFault> {
        let number = self.checkpoint.number;
        let next = next.filter(|next| next.name.number == number + 1);
        if next.is_some_and(|next| next.previous == Some(self.note.hash())) {
            return Ok(());
        }
        keys.believe(&self.note).map_err(|error| ChainFault::Unbelieved {
            place: format!("{}, checkpoint {number}", self.place),
            why: error.to_string(),
        })
    }
}

impl Chain {
    /// Reads notes, each with a word for where it stands. A note is believed by its signatures, or because a believed
    /// one with the next number names it; so a long list costs few signatures.
    pub fn new<'a>(
        notes: impl IntoIterator<Item = (String, &'a str)>,
        keys: &Keys,
    ) -> (Self, Vec<ChainFault>) {
        let mut faults = Vec::new();
        let mut given: BTreeMap<u64, Vec<Given>> = BTreeMap::new();
        for (place, text) in notes {
            match Given::read(place, text) {
                Ok(read) => {
                    let same = given.entry(read.checkpoint.number).or_default();
                    if !same.iter().any(|other| other.note == read.note) {
                        same.push(read);
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
        let mut chain = Self::default();
        let mut origin = None;
        for (number, same) in given.into_iter().rev() {
            let mut believed: Vec<Held> = Vec::new();
            for one in same {
                if let Err(fault) = one.believe(chain.held.last(), keys) {
                    faults.push(fault);
                } else if *origin.get_or_insert_with(|| one.checkpoint.origin.clone())
                    != one.checkpoint.origin
                {
                    faults.push(ChainFault::Foreign(number));
                } else {
                    let hash = one.note.hash();
                    if believed.iter().all(|other| other.name.hash != hash) {
                        believed.push(held(one.checkpoint, hash));
                    }
                }
            }
            if believed.len() > 1 {
                faults.push(ChainFault::Fork(number));
            }
            chain.held.extend(believed);
        }
        chain.held.reverse();
        faults.extend(chain.links());
        (chain, faults)
    }

    fn links(&self) -> Vec<ChainFault> {
        let mut faults = Vec::new();
        for pair in self.held.windows(2) {
            let [before, after] = pair else { continue };
            let number = after.name.number;
            if number == before.name.number + 1 && after.previous != Some(before.name.hash) {
                faults.push(ChainFault::Unlinked(number));
            }
            for root in &after.shards {
                let smaller = before
                    .shards
                    .iter()
                    .any(|old| old.shard == root.shard && old.size > root.size);
                let is_declared = after.losses.iter().any(|loss| loss.shard == root.shard);
                if smaller && !is_declared {
                    faults.push(ChainFault::Shrunk {
                        shard: root.shard,
                        checkpoint: number,
                    });
                }
            }
        }
        faults
    }

    /// The checkpoints, in order of number.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// The newest.
    pub fn newest(&self) -> Option<&Held> {
        self.held.last()
    }

    /// Every shard that a checkpoint covers.
    pub(super) fn shards(&self) -> BTreeSet<ShardNumber> {
        self.held
            .iter()
            .flat_map(|held| &held.shards)
            .map(|root| root.shard)
            .collect()
    }

    /// What the log must still have of a shard, smallest first, and what is declared lost, newest first.
    pub(super) fn claims(&self, shard: ShardNumber) -> (Vec<Claim>, Vec<Lost>) {
        let (mut claims, mut losses): (Vec<Claim>, Vec<Lost>) = (Vec::new(), Vec::new());
        let mut floor = u64::MAX;
        for held in self.held.iter().rev() {
            let checkpoint = held.name.number;
            if let Some(root) = held.shards.iter().find(|root| root.shard == shard) {
                if let Some(lost) = losses.last_mut() {
                    lost.sealed = lost.sealed.max(root.size);
                }
                if root.size > 0 && root.size <= floor {
                    claims.push(Claim {
                        size: root.size,
                        root: root.root,
                        checkpoint,
                    });
                }
            }
            for loss in held.losses.iter().filter(|loss| loss.shard == shard) {
                floor = floor.min(loss.kept);
                losses.push(Lost {
                    incarnation: loss.incarnation,
                    kept: loss.kept,
                    sealed: loss.kept,
                    checkpoint,
                });
            }
        }
        claims.sort_by_key(|claim| claim.size);
        (claims, losses)
    }
}

fn held(checkpoint: Checkpoint, hash: Hash) -> Held {
    Held {
        name: CheckpointRef {
            number: checkpoint.number,
            hash,
        },
        sealed_at: checkpoint.sealed_at,
        previous: checkpoint.previous,
        shards: checkpoint.shards,
        losses: checkpoint.losses,
    }
}
