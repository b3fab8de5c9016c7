//! Inclusion proofs: that one event is in the log a checkpoint stands for, in one file.
//!
//! The file holds the event as a record, the path from its leaf to the root of its shard, and the signed checkpoint
//! with that root. Whoever has the public keys needs nothing else. Refuses: an event that does not give its hash, a path
//! that leads to another root, a checkpoint that does not cover the place or is not to be believed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::canonical::CanonicalError;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::clock::Timestamp;
use crate::envelope::{EventRef, Hash, StoredEvent, leaf_hash};
use crate::merkle::{MAX_PATH, root_of_path};
use crate::note::keys::{BeliefError, Keys};
use crate::note::{Note, NoteError};
use crate::placement::ShardNumber;
use crate::record::{self, RecordError};

/// What a file of a proof calls itself.
pub const FORMAT: &str = "vaultstream-proof/1";
/// The largest file of a proof that is looked at, in bytes.
pub const MAX_PROOF: usize = 8 << 20;

/// That an event is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The event.
    pub event: StoredEvent,
    /// From its leaf to the root of its shard, the lowest hash first; at most [`MAX_PATH`].
    pub path: Vec<Hash>,
    /// The signed checkpoint with that root.
    pub checkpoint: String,
}

/// What a proof has proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The event.
    pub event: EventRef,
    /// Its shard.
    pub shard: ShardNumber,
    /// Its position.
    pub position: u64,
    /// The checkpoint that covers it.
    pub checkpoint: u64,
    /// When that was made.
    pub sealed_at: Timestamp,
}

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It is no file of a proof.
    #[error("this is no proof that `audit prove` wrote")]
    Form(#[source] Option<serde_json::Error>),
    /// The event is not what was hashed.
    #[error("the event in the proof is not the one that was hashed")]
    Event(#[from] RecordError),
    /// The event has no canonical form.
    #[error("the event has no canonical form")]
    Canonical(#[from] CanonicalError),
    /// The checkpoint is no note.
    #[error("the checkpoint in the proof cannot be read")]
    Note(#[from] NoteError),
    /// The note is no checkpoint.
    #[error("the checkpoint in the proof cannot be read")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is not believed.
    #[error("the checkpoint in the proof is not to be believed")]
    Belief(#[from] BeliefError),
    /// The checkpoint does not reach the event.
    #[error("checkpoint {checkpoint} does not cover position {position} of shard {shard}")]
    Uncovered {
        /// The checkpoint.
        checkpoint: u64,
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
    },
    /// The path leads to another root.
    #[error("the event is not the one at position {position} of shard {shard} in checkpoint {checkpoint}")]
    Root {
        /// The checkpoint.
        checkpoint: u64,
        /// The shard.
        shard: ShardNumber,
        /// The position.
        position: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    checkpoint: String,
    event: Box<RawValue>,
    format: String,
    path: Vec<String>,
}

impl Proof {
    /// The file.
    pub fn to_file(&self) -> Result<Vec<u8>, ProofError> {
        let record = String::from_utf8_lossy(&record::encode(&self.event)?).into_owned();
        let file = File {
            checkpoint: self.checkpoint.clone(),
            event: RawValue::from_string(record).map_err(|e| ProofError::Form(Some(e)))?,
            format: FORMAT.to_owned(),
            path: self.path.iter().map(hex::encode).collect(),
        };
        let mut bytes = serde_json::to_vec(&file).map_err(|e| ProofError::Form(Some(e)))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file; the event's hash is recomputed, the rest is for [`Self::check`].
    pub fn from_file(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_PROOF {
            return Err(ProofError::Form(None));
        }
        let file: File = serde_json::from_slice(bytes).map_err(|e| ProofError::Form(Some(e)))?;
        let path = file.path.iter().map(|text| {
            let mut hash = [0; 32];
            hex::decode_to_slice(text, &mut hash).map(|()| hash).ok()
        });
        let path: Option<Vec<Hash>> = path.collect();
        let path = path.filter(|path| path.len() <= MAX_PATH && file.format == FORMAT);
        Ok(Self {
            event: record::decode(file.event.get().as_bytes())?,
            path: path.ok_or(ProofError::Form(None))?,
            checkpoint: file.checkpoint,
        })
    }

    /// Bytes of the path.
    pub const fn path_bytes(&self) -> usize {
        self.path.len() * size_of::<Hash>()
    }

    /// What it proves to who believes these keys.
    pub fn check(&self, keys: &Keys) -> Result<Proven, ProofError> {
        let note = Note::parse(&self.checkpoint)?;
        keys.believe(&note)?;
        let checkpoint: Checkpoint = note.text().parse()?;
        let (shard, position) = (self.event.envelope.shard, self.event.position);
        self.event.verify().map_err(RecordError::from)?;
        let number = checkpoint.number;
        let covered = checkpoint
            .shard(shard)
            .filter(|root| (1..=root.size).contains(&position));
        let Some(covered) = covered else {
            return Err(ProofError::Uncovered {
                checkpoint: number,
                shard,
                position,
            });
        };
        let leaf = leaf_hash(
            shard,
            self.event.envelope.incarnation,
            position,
            self.event.hlc,
            &self.event.hash,
        );
        if root_of_path(position - 1, covered.size, leaf, &self.path) != Some(covered.root) {
            return Err(ProofError::Root {
                checkpoint: number,
                shard,
                position,
            });
        }
        Ok(Proven {
            event: self.event.envelope.event_ref(),
            shard,
            position,
            checkpoint: number,
            sealed_at: checkpoint.sealed_at,
        })
    }
}

#[cfg(test)]
mod tests;
