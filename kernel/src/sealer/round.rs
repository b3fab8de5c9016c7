//! From the newest checkpoint on: resume, then round after round.

use std::collections::{BTreeMap, BTreeSet};

use vaultstream_domain::ports::event_log::{Head, Leaf};
use vaultstream_domain::ports::note_list::KeptNote;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::checkpoint::{Checkpoint, CheckpointRef, Loss, ShardRoot};
use vaultstream_event_schemas::note::Note;

use super::tree::{Tree, note_name};
use super::{Sealer, SealerError};
use crate::observer::Fact;

/// Checkpoints that are looked through at once for one before a loss.
const LOOK_BACK: u64 = 100;

/// A sealer that knows what was sealed.
pub struct Sealing<'a> {
    sealer: &'a Sealer,
    newest: Option<CheckpointRef>,
    trees: BTreeMap<ShardNumber, Tree>,
    /// Shards whose trees have grown since the newest checkpoint, and by how many events.
    grown: BTreeSet<ShardNumber>,
    unsealed: u64,
    /// What the next checkpoint has to declare.
    losses: Vec<Loss>,
}

impl Sealer {
    /// Takes up the newest checkpoint, after a look whether the log is still the one it stands for.
    pub async fn resume(&self) -> Result<Sealing<'_>, SealerError> {
        let mut sealing = Sealing {
            sealer: self,
            newest: None,
            trees: BTreeMap::new(),
            grown: BTreeSet::new(),
            unsealed: 0,
            losses: Vec::new(),
        };
        let Some((newest, checkpoint)) = self.newest_checkpoint().await? else {
            return Ok(sealing);
        };
        sealing.newest = Some(newest);
        let heads = self.ports.log.heads().await?;
        for sealed in &checkpoint.shards {
            let head = heads.get(&sealed.shard).copied();
            let (tree, loss) = self.take_up(newest.number, sealed, head).await?;
            sealing.trees.insert(sealed.shard, tree);
            sealing.losses.extend(loss);
        }
        Ok(sealing)
    }

    /// The newest checkpoint, when it is one of ours.
    pub(super) async fn newest_checkpoint(&self) -> Result<Option<(CheckpointRef, Checkpoint)>, SealerError> {
        let Some(kept) = self.ports.checkpoints.newest().await? else {
            return Ok(None);
        };
        let number = kept.number;
        let foreign =
            |source: Box<dyn std::error::Error + Send + Sync>| SealerError::Foreign { number, source };
        let note = Note::parse(&kept.note).map_err(|error| foreign(error.into()))?;
        let keys = self.ports.seal.public_keys().await?;
        keys.believe(&note).map_err(|error| foreign(error.into()))?;
        let checkpoint: Checkpoint = note.text().parse().map_err(|error| foreign(Box::new(error)))?;
        let hash = note.hash();
        Ok(Some((CheckpointRef { number, hash }, checkpoint)))
    }

    async fn take_up(
        &self,
        checkpoint: u64,
        sealed: &ShardRoot,
        head: Option<Head>,
    ) -> Result<(Tree, Option<Loss>), SealerError> {
        let shard = sealed.shard;
        let contradiction = |position, what| SealerError::Contradiction {
            checkpoint,
            shard,
            position,
            what,
        };
        let Some(head) = head else {
            return Err(contradiction(sealed.size, "the log has no such shard"));
        };
        if head.incarnation < sealed.incarnation {
            return Err(contradiction(
                head.position,
                "the shard lives an earlier life than was sealed",
            ));
        }
        if head.incarnation > sealed.incarnation {
            return self.take_up_reborn(checkpoint, sealed, head).await;
        }
        if head.position < sealed.size {
            return Err(contradiction(head.position + 1, "the log ends before it"));
        }
        let note = self.ports.progress.load(&note_name(shard)).await;
        // A note is a short cut: one that cannot be read, or that does not lead to the sealed root, is none.
        let noted = note.ok().flatten().and_then(|note| Tree::of_note(&note, sealed));
        if let Some(mut tree) = noted
            && self.grow(&mut tree, sealed.size).await?
            && tree.root().root == sealed.root
        {
            let at = self.leaf_at(shard, sealed.size).await?;
            if at.map(|leaf| leaf.hash) != tree.last {
                return Err(contradiction(sealed.size, "it has another event there"));
            }
            return Ok((tree, None));
        }
        let mut tree = Tree::empty(shard, sealed.incarnation);
        if !self.grow(&mut tree, sealed.size).await? {
            return Err(contradiction(tree.size() + 1, "an event is missing there"));
        }
        if tree.root().root != sealed.root {
            return Err(contradiction(
                sealed.size,
                "the events up to there are not those that were sealed",
            ));
        }
        Ok((tree, None))
    }

    /// A shard that was restored: its tree up to what was kept, and what was lost.
    async fn take_up_reborn(
        &self,
        checkpoint: u64,
        sealed: &ShardRoot,
        head: Head,
    ) -> Result<(Tree, Option<Loss>), SealerError> {
        let shard = sealed.shard;
        let kept = self.kept(shard, sealed.incarnation, head.position).await?;
        let mut tree = Tree::empty(shard, head.incarnation);
        // The newest root over nothing but kept events must still be theirs.
        let known = if kept >= sealed.size {
            Some((checkpoint, *sealed))
        } else {
            self.sealed_within(shard, kept, checkpoint).await?
        };
        if let Some((checkpoint, known)) = known {
            let is_dense = self.grow(&mut tree, known.size).await?;
            if !is_dense || tree.root().root != known.root {
                return Err(SealerError::Contradiction {
                    checkpoint,
                    shard,
                    position: known.size,
                    what: "the events that the restore kept are not those that were sealed",
                });
            }
        }
        let upto = kept.max(tree.size());
        self.grow(&mut tree, upto).await?;
        let loss = Loss {
            shard,
            incarnation: sealed.incarnation,
            kept,
        };
        Ok((tree, Some(loss)))
    }

    /// The last position that was written in the given life or before it: lives only follow each other.
    async fn kept(&self, shard: ShardNumber, incarnation: u32, last: u64) -> Result<u64, SealerError> {
        let (mut kept, mut beyond) = (0, last + 1);
        while beyond - kept > 1 {
            let middle = kept + (beyond - kept) / 2;
            let leaf = self.leaf_at(shard, middle).await?;
            if leaf.is_some_and(|leaf| leaf.incarnation <= incarnation) {
                kept = middle;
            } else {
                beyond = middle;
            }
        }
        Ok(kept)
    }

    /// The newest checkpoint before `before` that covers no more than `size` events of a shard.
    async fn sealed_within(
        &self,
        shard: ShardNumber,
        size: u64,
        before: u64,
    ) -> Result<Option<(u64, ShardRoot)>, SealerError> {
        let mut end = before;
        while end > 1 {
            let after = (end - 1).saturating_sub(LOOK_BACK);
            let limit = usize::try_from(end - 1 - after).unwrap_or(usize::MAX);
            let page = self.ports.checkpoints.read(after, limit).await?;
            let mut fitting = page.iter().rev().filter_map(|kept| {
                let note = Note::parse(&kept.note).ok()?;
                let root = *note.text().parse::<Checkpoint>().ok()?.shard(shard)?;
                (root.size <= size).then_some((kept.number, root))
            });
            if let Some(found) = fitting.next() {
                return Ok(Some(found));
            }
            end = after + 1;
        }
        Ok(None)
    }

    async fn leaf_at(&self, shard: ShardNumber, position: u64) -> Result<Option<Leaf>, SealerError> {
        let Some(before) = position.checked_sub(1) else {
            return Ok(None);
        };
        let at = self.ports.log.read_leaves(shard, before, 1).await?;
        Ok(at.first().filter(|leaf| leaf.position == position).copied())
    }

    /// Reads a tree on up to a position; `false` when an event is missing.
    pub(super) async fn grow(&self, tree: &mut Tree, upto: u64) -> Result<bool, SealerError> {
        while tree.size() < upto {
            let left = usize::try_from(upto - tree.size()).unwrap_or(usize::MAX);
            let (shard, size, limit) = (tree.shard, tree.size(), left.min(self.options.page.max(1)));
            let page = self.ports.log.read_leaves(shard, size, limit).await?;
            if page.is_empty() || !page.iter().all(|leaf| tree.push(leaf)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Sealing<'_> {
    /// Reads what is new; how many events that was. What is read while it is new is still in the log's memory.
    pub async fn follow(&mut self) -> Result<u64, SealerError> {
        let mut events = 0;
        for (shard, head) in self.sealer.ports.log.heads().await? {
            let tree = self
                .trees
                .entry(shard)
                .or_insert_with(|| Tree::empty(shard, head.incarnation));
            if head.incarnation != tree.incarnation {
                return Err(SealerError::Reborn(shard));
            }
            let contradiction = |position, what| SealerError::Contradiction {
                checkpoint: self.newest.map_or(0, |newest| newest.number),
                shard,
                position,
                what,
            };
            let size = tree.size();
            if head.position < size {
                return Err(contradiction(head.position + 1, "the log ends before it"));
            }
            if head.position == size {
                continue;
            }
            let at = self.sealer.leaf_at(shard, size).await?.map(|leaf| leaf.hash);
            if at != tree.last {
                return Err(contradiction(size, "it has another event there"));
            }
            if !self.sealer.grow(tree, head.position).await? {
                return Err(contradiction(tree.size() + 1, "an event is missing there"));
            }
            events += head.position - size;
            self.grown.insert(shard);
        }
        self.unsealed += events;
        Ok(events)
    }

    /// Reads what is new, and seals all that is not sealed; answers the checkpoint when something was.
    pub async fn round(&mut self) -> Result<Option<CheckpointRef>, SealerError> {
        let begun = self.sealer.ports.clock.now();
        self.follow().await?;
        if self.grown.is_empty() && self.losses.is_empty() {
            return Ok(None);
        }
        let sealed = self.seal().await?;
        for shard in std::mem::take(&mut self.grown) {
            self.keep(shard).await;
        }
        let micros = self.sealer.ports.clock.now().as_micros() - begun.as_micros();
        self.sealer.ports.observer.observe(&Fact::Sealed {
            number: sealed.number,
            events: std::mem::take(&mut self.unsealed),
            micros: u64::try_from(micros).unwrap_or(0),
        });
        Ok(Some(sealed))
    }

    async fn seal(&mut self) -> Result<CheckpointRef, SealerError> {
        let ports = &self.sealer.ports;
        let checkpoint = Checkpoint {
            origin: ports.seal.origin().to_owned(),
            number: self.newest.map_or(1, |newest| newest.number + 1),
            sealed_at: ports.clock.now(),
            previous: self.newest.map(|newest| newest.hash),
            shards: self.trees.values().map(Tree::root).collect(),
            losses: self.losses.clone(),
        };
        let note = ports.seal.seal(checkpoint.to_string()).await?;
        let number = checkpoint.number;
        let hash = Note::parse(&note).map_err(|source| SealerError::Foreign {
            number,
            source: source.into(),
        })?;
        ports.checkpoints.append(&KeptNote { number, note }).await?;
        let sealed = CheckpointRef {
            number,
            hash: hash.hash(),
        };
        self.newest = Some(sealed);
        self.losses.clear();
        Ok(sealed)
    }

    /// Notes a tree. One that is lost makes the next start read the shard again, so a failure is only said.
    async fn keep(&self, shard: ShardNumber) {
        let Some(tree) = self.trees.get(&shard) else {
            return;
        };
        let ports = &self.sealer.ports;
        if let Err(error) = ports.progress.save(&note_name(shard), &tree.to_note()).await {
            ports.observer.observe(&Fact::Stalled {
                consumer: super::NAME,
                shard,
                position: tree.size(),
                error: &error,
            });
        }
    }
}
