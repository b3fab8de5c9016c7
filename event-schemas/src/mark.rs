//! Marks: how far the log had come when signatures were asked for, in a signed note that is kept where the log is not.
//!
//! A mark names every shard with its life, its last position and the hash of the event there, the checkpoint that was
//! the newest, and the slot values that were bound since the mark before: which execution got which, with the whole
//! transaction. A signature is asked for only when a mark with its bind is kept, so a log that does not hold what its
//! newest mark says has forgotten signatures that may be out in the world. Marks are linked by hash; one signature stands
//! for all before it. One line a fact, in one order, so that a mark has exactly one text:
//!
//! ```text
//! vaultstream/main/log
//! vaultstream-mark/1
//! number 12
//! marked-at 2026-11-26T10:00:00.5Z
//! previous 9f86…              (or `none`)
//! checkpoint 7                (or `none`)
//! release 60303a…             (the statement that ended a quarantine by this mark; or `none`)
//! shard 0 1 5123 60303a…      (number, incarnation, position, hash of the event there; zeros for an empty shard)
//! bind exe_… org_… vlt_… acc_… 0x… {"evm":{…}}
//! ```
//!
//! Refuses: another order, anything left over, a number written in a second way.

use std::fmt;
use std::str::FromStr;

use crate::chain::Plan;
use crate::checkpoint::{CheckpointRef, digest};
use crate::clock::Timestamp;
use crate::envelope::Hash;
use crate::id::{AccountId, ExecutionId, OrganizationId, VaultId};
use crate::note::is_key_name;
use crate::placement::ShardNumber;

/// What the second line says.
pub const FORMAT: &str = "vaultstream-mark/1";
/// The most binds of one mark: with the longest transactions a note is a third of what it may be.
pub const MAX_BINDS: usize = 512;

/// The name of a mark: its number and the hash of its text, written like the name of a checkpoint.
pub type MarkRef = CheckpointRef;

/// Where a shard stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkedShard {
    /// The shard.
    pub shard: ShardNumber,
    /// Which life it was in.
    pub incarnation: u32,
    /// The position of its last event; 0 when there was none.
    pub position: u64,
    /// The hash of that event; zeros when there was none.
    pub hash: Hash,
}

impl fmt::Display for MarkedShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hash, position) = (hex::encode(self.hash), self.position);
        write!(f, "shard {} {} {position} {hash}", self.shard, self.incarnation)
    }
}

impl MarkedShard {
    /// Reads what stands behind the word `shard`.
    pub(crate) fn read(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(4, ' ');
        Some(Self {
            shard: ShardNumber(words.next()?.parse().ok()?),
            incarnation: words.next()?.parse().ok()?,
            position: words.next()?.parse().ok()?,
            hash: digest(words.next()?)?,
        })
    }
}

/// A slot value that was given to an execution, with the transaction that a signature was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedBind {
    /// The execution.
    pub execution: ExecutionId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns the account.
    pub vault: VaultId,
    /// The paying account.
    pub account: AccountId,
    /// What is signed, lower-case hex with 0x.
    pub digest: String,
    /// The transaction, with its slot value.
    pub plan: Plan,
}

impl MarkedBind {
    /// The slot value.
    pub const fn slot(&self) -> u64 {
        self.plan.slot()
    }

    fn read(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(6, ' ');
        Some(Self {
            execution: words.next()?.parse().ok()?,
            organization: words.next()?.parse().ok()?,
            vault: words.next()?.parse().ok()?,
            account: words.next()?.parse().ok()?,
            digest: words.next()?.to_owned(),
            plan: serde_json::from_str(words.next()?).ok()?,
        })
    }
}

impl fmt::Display for MarkedBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            execution,
            organization,
            vault,
            account,
            digest,
            plan,
        } = self;
        // Fields stand in canonical order, so this is the canonical form.
        let plan = serde_json::to_string(plan).map_err(|_| fmt::Error)?;
        write!(
            f,
            "bind {execution} {organization} {vault} {account} {digest} {plan}"
        )
    }
}

/// A mark. Its `Display` is the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whose log it is: the name of the keys that sign.
    pub origin: String,
    /// Its number, dense from 1.
    pub number: u64,
    /// When it was made, by the clock of who made it.
    pub marked_at: Timestamp,
    /// The hash of the text of the mark before; none for the first.
    pub previous: Option<Hash>,
    /// The number of the newest checkpoint; none when there was none.
    pub checkpoint: Option<u64>,
    /// The hash of the statement by which operators ended a quarantine with this mark; none for every other.
    pub release: Option<Hash>,
    /// Every shard, in order of number.
    pub shards: Vec<MarkedShard>,
    /// What was bound since the mark before.
    pub binds: Vec<MarkedBind>,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{FORMAT}", self.origin)?;
        writeln!(f, "number {}\nmarked-at {}", self.number, self.marked_at)?;
        writeln!(f, "previous {}", Or(self.previous.map(hex::encode)))?;
        writeln!(f, "checkpoint {}", Or(self.checkpoint))?;
        writeln!(f, "release {}", Or(self.release.map(hex::encode)))?;
        self.shards.iter().try_for_each(|shard| writeln!(f, "{shard}"))?;
        self.binds.iter().try_for_each(|bind| writeln!(f, "{bind}"))
    }
}

/// What there is, or the word `none`.
struct Or<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Or<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("none"),
        }
    }
}

/// A text is no mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the mark is not what {FORMAT} has there")]
pub struct MarkError {
    /// The line, from 1; 0 when the facts are written in another way.
    pub line: usize,
}

impl FromStr for Mark {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        let mut lines = text.lines().zip(1..);
        let mut field = |word: &'static str| {
            let (line, number) = lines.next().unwrap_or_default();
            let rest = line.strip_prefix(word).map(str::to_owned);
            rest.ok_or(MarkError { line: number })
        };
        let origin = field("")?;
        let format = field("")?;
        if !is_key_name(&origin) || format != FORMAT {
            return Err(MarkError { line: 2 });
        }
        let wrong = |line| move || MarkError { line };
        let number = field("number ")?.parse().ok().filter(|n| *n > 0);
        let number = number.ok_or_else(wrong(3))?;
        let marked_at = field("marked-at ")?.parse().map_err(|_| MarkError { line: 4 })?;
        let previous = or_none(&field("previous ")?, digest).ok_or_else(wrong(5))?;
        let checkpoint = or_none(&field("checkpoint ")?, |n| n.parse().ok()).ok_or_else(wrong(6))?;
        let release = or_none(&field("release ")?, digest).ok_or_else(wrong(7))?;
        let mut read = Self {
            origin,
            number,
            marked_at,
            previous,
            checkpoint,
            release,
            shards: Vec::new(),
            binds: Vec::new(),
        };
        for (line, number) in lines {
            let is_taken = if let Some(rest) = line.strip_prefix("shard ") {
                read.push_shard(rest)
            } else if let Some(rest) = line.strip_prefix("bind ") {
                read.push_bind(rest)
            } else {
                false
            };
            if !is_taken {
                return Err(MarkError { line: number });
            }
        }
        // What is signed is a text: another text for the same facts is not ours.
        if read.to_string() == text {
            Ok(read)
        } else {
            Err(MarkError { line: 0 })
        }
    }
}

impl Mark {
    fn push_shard(&mut self, rest: &str) -> bool {
        let Some(shard) = MarkedShard::read(rest) else {
            return false;
        };
        let follows = self.shards.last().is_none_or(|last| last.shard < shard.shard);
        self.shards.push(shard);
        follows && self.binds.is_empty()
    }

    fn push_bind(&mut self, rest: &str) -> bool {
        let bind = MarkedBind::read(rest);
        self.binds.extend(bind.iter().cloned());
        bind.is_some() && self.binds.len() <= MAX_BINDS
    }
}

fn or_none<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "none" {
        return Some(None);
    }
    read(text).map(Some)
}

#[cfg(test)]
pub(crate) mod tests;
