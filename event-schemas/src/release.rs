//! The statement by which operators release a log that is behind its mark: what they looked at, in one text.
//!
//! It binds the installation (its name and its public keys), the mark, where the log stands, and what the log has
//! forgotten: how many bound slot values, the hash over them, and the accounts whose chain has consumed more than marks
//! and log together know. Operators sign it as a note, each with a key of their own, away from the installation.
//!
//! ```text
//! vaultstream/main/log
//! vaultstream-release/1
//! keys 9f86…                  (SHA-256 of the installation's public keys, as `audit export` writes them)
//! mark 12:60303a…             (or `none`)
//! shard 0 1 500 60303a…       (where the log stands: number, incarnation, position, hash of the event there)
//! lost 3 60303a…              (how many bound slot values the log has forgotten, and the hash over their lines)
//! gone 12 2 60303a…           (events that another place still has and the log has lost, requests among them, and the
//!                             hash over their lines; ` cut` behind it when not all were counted; none when no other place
//!                             was read)
//! unknown acc_… 2             (slots that the chain has consumed and nothing here knows)
//! ```

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::checkpoint::digest;
use crate::envelope::Hash;
use crate::id::AccountId;
use crate::mark::{MarkRef, MarkedBind, MarkedShard};
use crate::note::is_key_name;

/// What the second line says.
pub const FORMAT: &str = "vaultstream-release/1";

/// The hash over the lines of binds, in their order.
pub fn hash_of(binds: &[MarkedBind]) -> Hash {
    let mut hash = Sha256::new();
    for bind in binds {
        hash.update(format!("{bind}\n"));
    }
    hash.finalize().into()
}

/// What another place still has and the log has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// How many events.
    pub events: u64,
    /// How many of them began a stream that somebody asked for.
    pub requests: u64,
    /// SHA-256 over a line an event, `event <shard> <incarnation> <position> <hash>`.
    pub hash: Hash,
    /// Whether more may be lost than was counted.
    pub is_cut: bool,
}

impl Gone {
    fn read(text: &str) -> Option<Self> {
        let (text, is_cut) = text
            .strip_suffix(" cut")
            .map_or((text, false), |text| (text, true));
        let mut words = text.split(' ');
        let read = Self {
            events: words.next()?.parse().ok()?,
            requests: words.next()?.parse().ok()?,
            hash: digest(words.next()?)?,
            is_cut,
        };
        words.next().is_none().then_some(read)
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.is_cut { " cut" } else { "" };
        write!(
            f,
            "gone {} {} {}{cut}",
            self.events,
            self.requests,
            hex::encode(self.hash)
        )
    }
}

/// A statement. Its `Display` is the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Whose log it is: the name of the keys that sign marks.
    pub origin: String,
    /// The hash of the installation's public keys.
    pub keys: Hash,
    /// The mark that the log is behind; none when it is missing.
    pub mark: Option<MarkRef>,
    /// Where the log stands, in order of shard.
    pub shards: Vec<MarkedShard>,
    /// How many bound slot values the log has forgotten.
    pub lost: u64,
    /// The hash over them; see [`hash_of`].
    pub lost_hash: Hash,
    /// What another place still has of what the log has lost; none when no other place was read.
    pub gone: Option<Gone>,
    /// Slots that the chain has consumed and nothing here knows, in order of account.
    pub unknown: Vec<(AccountId, u64)>,
}

impl Release {
    /// SHA-256 of the text: what the mark that ends the quarantine names it by.
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.to_string()).into()
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{FORMAT}\nkeys {}", self.origin, hex::encode(self.keys))?;
        match &self.mark {
            Some(mark) => writeln!(f, "mark {mark}")?,
            None => writeln!(f, "mark none")?,
        }
        self.shards.iter().try_for_each(|shard| writeln!(f, "{shard}"))?;
        writeln!(f, "lost {} {}", self.lost, hex::encode(self.lost_hash))?;
        self.gone.iter().try_for_each(|gone| writeln!(f, "{gone}"))?;
        self.unknown
            .iter()
            .try_for_each(|(account, slots)| writeln!(f, "unknown {account} {slots}"))
    }
}

/// A text is no statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no statement of a release; take the one that `vaultstream reconcile` wrote")]
pub struct ReleaseError;

impl FromStr for Release {
    type Err = ReleaseError;

    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        let read = parse(text).ok_or(ReleaseError)?;
        if read.to_string() == text {
            Ok(read)
        } else {
            Err(ReleaseError)
        }
    }
}

fn parse(text: &str) -> Option<Release> {
    let mut lines = text.lines();
    let origin = lines.next().filter(|name| is_key_name(name))?.to_owned();
    lines.next().filter(|line| *line == FORMAT)?;
    let keys = digest(lines.next()?.strip_prefix("keys ")?)?;
    let mark = match lines.next()?.strip_prefix("mark ")? {
        "none" => None,
        name => Some(name.parse().ok()?),
    };
    let mut read = Release {
        origin,
        keys,
        mark,
        shards: Vec::new(),
        lost: 0,
        lost_hash: [0; 32],
        gone: None,
        unknown: Vec::new(),
    };
    let mut line = lines.next()?;
    while let Some(rest) = line.strip_prefix("shard ") {
        read.shards.push(MarkedShard::read(rest)?);
        line = lines.next()?;
    }
    let (lost, hash) = line.strip_prefix("lost ")?.split_once(' ')?;
    (read.lost, read.lost_hash) = (lost.parse().ok()?, digest(hash)?);
    let mut lines = lines.peekable();
    if let Some(gone) = lines.next_if(|line| line.starts_with("gone ")) {
        read.gone = Some(Gone::read(gone.strip_prefix("gone ")?)?);
    }
    for line in lines {
        let (account, slots) = line.strip_prefix("unknown ")?.split_once(' ')?;
        read.unknown.push((account.parse().ok()?, slots.parse().ok()?));
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id;
    use crate::placement::ShardNumber;

    fn sample() -> Release {
        let shard = |number| MarkedShard {
            shard: ShardNumber(number),
            incarnation: 2,
            position: 500,
            hash: [4; 32],
        };
        Release {
            origin: "vaultstream/main/log".into(),
            keys: [1; 32],
            mark: Some(MarkRef {
                number: 12,
                hash: [2; 32],
            }),
            shards: vec![shard(0), shard(3)],
            lost: 3,
            lost_hash: [3; 32],
            gone: Some(Gone {
                events: 12,
                requests: 2,
                hash: [5; 32],
                is_cut: false,
            }),
            unknown: vec![(AccountId::from_uuid(id::random(1, 4)), 2)],
        }
    }

    #[test]
    fn text_should_come_back_and_another_be_refused() {
        let text = sample().to_string();
        assert_eq!(text.parse(), Ok(sample()));
        let bare = Release {
            mark: None,
            shards: vec![],
            gone: None,
            unknown: vec![],
            ..sample()
        };
        assert_eq!(bare.to_string().parse(), Ok(bare));
        let cut = Gone {
            is_cut: true,
            ..sample().gone.expect("in the sample")
        };
        let cut = Release {
            gone: Some(cut),
            ..sample()
        };
        assert!(cut.to_string().contains(" cut\n"));
        assert_eq!(cut.to_string().parse(), Ok(cut));
        for (from, to) in [
            ("/1\n", "/2\n"),
            ("mark 12", "mark 012"),
            ("lost 3", "lost x"),
            ("gone 12", "gone +12"),
            ("gone 12 2", "gone 12"),
            ("05\nunknown", "05 cut cut\nunknown"),
            ("unknown acc_", "unknown vlt_"),
            ("keys 01", "keys 1"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert_eq!(changed.parse::<Release>(), Err(ReleaseError), "{from} → {to}");
        }
        assert_eq!(format!("{text}\n").parse::<Release>(), Err(ReleaseError));
    }

    #[test]
    fn hash_should_tell_binds_and_their_order_apart() {
        let [a, b] = [7, 8].map(crate::mark::tests::bind);
        let one = hash_of(&[a.clone(), b.clone()]);
        assert_ne!(one, hash_of(&[b, a.clone()]));
        assert_ne!(one, hash_of(&[a]));
        assert_ne!(sample().hash(), Release { lost: 4, ..sample() }.hash());
    }

    proptest! {
        #[test]
        fn garbage_should_be_refused_not_panic(text: String) {
            let _ = text.parse::<Release>();
            let _ = format!("a\n{FORMAT}\nkeys {}\nmark none\n{text}", "00".repeat(32)).parse::<Release>();
        }
    }
}
