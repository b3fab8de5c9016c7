//! Checkpoints: what the whole log was at a moment, in one signed note.
//!
//! The text names every shard with its life, its size and the root over its leaves, and the checkpoint before by its
//! hash, so that one signature stands for all that was ever signed. After a restore it lists what was lost. One line a
//! fact, in one order, so that a checkpoint has exactly one text:
//!
//! ```text
//! vaultstream/main/log
//! vaultstream-checkpoint/1
//! number 12
//! sealed-at 2026-11-26T10:00:00.5Z
//! previous 9f86…              (or `none`)
//! shard 0 1 5123 60303a…      (number, incarnation, size, root)
//! loss 0 1 5000               (shard, incarnation that ended, position kept)
//! ```
//!
//! Refuses: another order, anything left over, a number written in a second way.

use std::fmt;
use std::str::FromStr;

use crate::clock::Timestamp;
use crate::envelope::Hash;
use crate::note::is_key_name;
use crate::placement::ShardNumber;

/// What the second line says.
pub const FORMAT: &str = "vaultstream-checkpoint/1";

/// A shard at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardRoot {
    /// The shard.
    pub shard: ShardNumber,
    /// Which life it is in.
    pub incarnation: u32,
    /// How many events are sealed: the position of the last.
    pub size: u64,
    /// The root over their leaves.
    pub root: Hash,
}

/// What a restore took from a shard, declared by who restored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The shard.
    pub shard: ShardNumber,
    /// The life that ended.
    pub incarnation: u32,
    /// The last position of it that was kept.
    pub kept: u64,
}

/// A checkpoint. Its `Display` is the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log it is: the name of the keys that sign.
    pub origin: String,
    /// Its number, dense from 1.
    pub number: u64,
    /// When it was made, by the sealer's clock.
    pub sealed_at: Timestamp,
    /// The hash of the text of the checkpoint before; none for the first.
    pub previous: Option<Hash>,
    /// Every shard, in order of number.
    pub shards: Vec<ShardRoot>,
    /// What restores since the checkpoint before took, in order of shard.
    pub losses: Vec<Loss>,
}

impl Checkpoint {
    /// A shard, when the checkpoint covers it.
    pub fn shard(&self, shard: ShardNumber) -> Option<&ShardRoot> {
        self.shards.iter().find(|root| root.shard == shard)
    }

    /// Events of all shards.
    pub fn events(&self) -> u64 {
        self.shards.iter().map(|shard| shard.size).sum()
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{FORMAT}", self.origin)?;
        writeln!(f, "number {}\nsealed-at {}", self.number, self.sealed_at)?;
        match &self.previous {
            Some(hash) => writeln!(f, "previous {}", hex::encode(hash))?,
            None => writeln!(f, "previous none")?,
        }
        for ShardRoot {
            shard,
            incarnation,
            size,
            root,
        } in &self.shards
        {
            writeln!(f, "shard {shard} {incarnation} {size} {}", hex::encode(root))?;
        }
        for Loss {
            shard,
            incarnation,
            kept,
        } in &self.losses
        {
            writeln!(f, "loss {shard} {incarnation} {kept}")?;
        }
        Ok(())
    }
}

/// A text is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the checkpoint is not what {FORMAT} has there")]
pub struct CheckpointError {
    /// The line, from 1.
    pub line: usize,
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = Lines {
            lines: text.lines(),
            line: 0,
        };
        let origin = lines.next().filter(|line| is_key_name(line));
        let origin = origin.ok_or(lines.wrong())?.to_owned();
        if lines.next() != Some(FORMAT) {
            return Err(lines.wrong());
        }
        let number = lines
            .after("number ")
            .and_then(number)
            .filter(|n| *n > 0)
            .ok_or(lines.wrong())?;
        let sealed_at = lines
            .after("sealed-at ")
            .and_then(|t| t.parse().ok())
            .ok_or(lines.wrong())?;
        let previous = match lines.after("previous ") {
            Some("none") => None,
            hash => Some(hash.and_then(digest).ok_or(lines.wrong())?),
        };
        let mut read = Self {
            origin,
            number,
            sealed_at,
            previous,
            shards: Vec::new(),
            losses: Vec::new(),
        };
        while let Some(line) = lines.next() {
            let is_taken = if let Some(rest) = line.strip_prefix("shard ") {
                read.losses.is_empty()
                    && shard(rest).is_some_and(|shard| push_ordered(&mut read.shards, shard, |s| s.shard))
            } else {
                line.strip_prefix("loss ")
                    .and_then(loss)
                    .is_some_and(|loss| push_ordered(&mut read.losses, loss, |l| l.shard))
            };
            if !is_taken {
                return Err(lines.wrong());
            }
        }
        // What is signed is a text: another text for the same facts is not ours.
        if read.to_string() == text {
            Ok(read)
        } else {
            Err(CheckpointError { line: 0 })
        }
    }
}

struct Lines<'a> {
    lines: std::str::Lines<'a>,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.line += 1;
        self.lines.next()
    }
    fn after(&mut self, word: &str) -> Option<&'a str> {
        self.next()?.strip_prefix(word)
    }
    const fn wrong(&self) -> CheckpointError {
        CheckpointError { line: self.line }
    }
}

fn push_ordered<T>(list: &mut Vec<T>, item: T, shard: impl Fn(&T) -> ShardNumber) -> bool {
    let follows = list.last().is_none_or(|last| shard(last) < shard(&item));
    list.push(item);
    follows
}

/// A number has one text: no sign, no zero before it.
pub(crate) fn number<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    (read.to_string() == text).then_some(read)
}

/// A hash has one text: in lower case.
pub(crate) fn digest(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (is_lower && hex::decode_to_slice(text, &mut hash).is_ok()).then_some(hash)
}

fn shard(line: &str) -> Option<ShardRoot> {
    let mut words = line.splitn(4, ' ');
    Some(ShardRoot {
        shard: ShardNumber(number(words.next()?)?),
        incarnation: number(words.next()?)?,
        size: number(words.next()?)?,
        root: digest(words.next()?)?,
    })
}

fn loss(line: &str) -> Option<Loss> {
    let mut words = line.splitn(3, ' ');
    Some(Loss {
        shard: ShardNumber(number(words.next()?)?),
        incarnation: number(words.next()?)?,
        kept: number(words.next()?)?,
    })
}

/// The name of a checkpoint: its number and the hash of its text. Text is `12:9f86…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointRef {
    /// Its number.
    pub number: u64,
    /// The hash of its text.
    pub hash: Hash,
}

impl fmt::Display for CheckpointRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, hex::encode(self.hash))
    }
}

/// The text names no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this names no checkpoint: write its number, a colon and 64 hexadecimal digits")]
pub struct CheckpointRefError;

impl FromStr for CheckpointRef {
    type Err = CheckpointRefError;
    fn from_str(text: &str) -> Result<Self, CheckpointRefError> {
        let (n, hash) = text.split_once(':').ok_or(CheckpointRefError)?;
        Ok(Self {
            number: number(n).ok_or(CheckpointRefError)?,
            hash: digest(hash).ok_or(CheckpointRefError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn root(shard: u16, size: u64) -> ShardRoot {
        ShardRoot {
            shard: ShardNumber(shard),
            incarnation: 2,
            size,
            root: [u8::try_from(size % 256).expect("small"); 32],
        }
    }

    fn sample() -> Checkpoint {
        Checkpoint {
            origin: "vaultstream/main/log".into(),
            number: 12,
            sealed_at: "2026-11-26T10:00:00.5Z".parse().expect("a time"),
            previous: Some([9; 32]),
            shards: vec![root(0, 5123), root(3, 0)],
            losses: vec![Loss {
                shard: ShardNumber(0),
                incarnation: 1,
                kept: 5000,
            }],
        }
    }

    #[test]
    fn text_should_be_the_documented_one_and_come_back() {
        let text = sample().to_string();
        assert!(text.starts_with("vaultstream/main/log\nvaultstream-checkpoint/1\nnumber 12\nsealed-at 2026-11-26T10:00:00.5Z\nprevious 0909"));
        assert!(text.ends_with("\nloss 0 1 5000\n"));
        assert_eq!(text.parse(), Ok(sample()));
        let first = Checkpoint {
            previous: None,
            losses: vec![],
            ..sample()
        };
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(sample().events(), 5123);
    }

    #[test]
    fn any_other_text_should_be_refused() {
        let text = sample().to_string();
        for (from, to) in [
            ("number 12", "number 012"),
            ("number 12", "number 0"),
            ("number", "nomber"),
            ("/1\n", "/2\n"),
            ("Z\n", "+00:00\n"),
            ("shard 3 2 0", "shard 0 2 0"),
            ("shard 3", "chard 3"),
            ("loss 0 1 5000\n", "loss 0 1 5000"),
            ("loss 0 1 5000\n", "loss 0 1 5000\n\n"),
            ("loss 0 1 5000\n", "loss 0 1 5000\nshard 4 1 0 00\n"),
            ("0909\nshard", "090\nshard"),
            ("vaultstream/main/log", "vaultstream main"),
            ("0505", "0A05"),
        ] {
            let changed = text.replacen(from, to, 1);
            if changed != text {
                assert!(changed.parse::<Checkpoint>().is_err(), "{from} → {to}");
            }
        }
        for cut in 0..text.len() {
            let rest = &text[..cut];
            let whole_lines = rest.ends_with('\n') && rest.lines().count() >= 5;
            assert!(whole_lines || rest.parse::<Checkpoint>().is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn name_should_come_back() {
        let name = CheckpointRef {
            number: 7,
            hash: [3; 32],
        };
        assert_eq!(name.to_string().parse(), Ok(name));
        let hash = "ab".repeat(32);
        let spelled = [
            format!("+7:{hash}"),
            format!("07:{hash}"),
            format!("7:{}", hash.to_uppercase()),
        ];
        let wrong = ["", "7", "7:", "x:00", ":00"].map(str::to_owned);
        for wrong in wrong.iter().chain(&spelled) {
            assert_eq!(wrong.parse::<CheckpointRef>(), Err(CheckpointRefError), "{wrong}");
        }
        assert!(format!("7:{hash}").parse::<CheckpointRef>().is_ok());
    }

    proptest! {
        #[test]
        fn garbage_should_be_refused_not_panic(text: String) {
            let _ = text.parse::<Checkpoint>();
            let _ = format!("a\n{FORMAT}\n{text}").parse::<Checkpoint>();
        }
    }
}
