//! Which version of each event type somebody reads, or may write: what processes of different builds agree on.
//!
//! A type that is absent stands at version 0: it is not read at all, and nothing of it may be written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most types one announcement may name.
pub const MAX_TYPES: usize = 4096;

/// The highest version of each event type, by its name on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Versions(BTreeMap<String, u16>);

/// A type of which more may be written than somebody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// The type's name on the wire.
    pub event_type: String,
    /// The highest version that is read; 0 when the type is unknown.
    pub reads: u16,
    /// The highest version that may be written.
    pub written: u16,
}

impl Versions {
    /// The highest version of a type; 0 when it is absent.
    pub fn of(&self, event_type: &str) -> u16 {
        self.0.get(event_type).copied().unwrap_or(0)
    }

    /// Takes a version of a type in, when it is higher than what is there.
    pub fn raise(&mut self, event_type: &str, version: u16) {
        if self.of(event_type) < version {
            self.0.insert(event_type.to_owned(), version);
        }
    }

    /// Takes every version in that is higher than what is there.
    pub fn raise_all(&mut self, others: &Self) {
        for (event_type, version) in others.iter() {
            self.raise(event_type, version);
        }
    }

    /// What is in all of them: of each type the lowest of their versions.
    pub fn common<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = all.into_iter();
        let Some(first) = all.next() else {
            return Self::default();
        };
        let mut common = first.clone();
        for other in all {
            common.0.retain(|event_type, version| {
                *version = (*version).min(other.of(event_type));
                *version > 0
            });
        }
        common
    }

    /// The first type of which more may be written than these read.
    pub fn beyond(&self, written: &Self) -> Option<Beyond> {
        let mut higher = written.iter().filter(|(name, version)| self.of(name) < *version);
        higher.next().map(|(name, version)| Beyond {
            event_type: name.to_owned(),
            reads: self.of(name),
            written: version,
        })
    }

    /// Types and versions, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.0.iter().map(|(name, version)| (name.as_str(), *version))
    }

    /// How many types there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no type at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>> FromIterator<(N, u16)> for Versions {
    fn from_iter<I: IntoIterator<Item = (N, u16)>>(all: I) -> Self {
        let mut versions = Self::default();
        for (name, version) in all {
            versions.raise(&name.into(), version);
        }
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(all: &[(&str, u16)]) -> Versions {
        all.iter().map(|(name, version)| (*name, *version)).collect()
    }

    #[test]
    fn common_should_be_what_everybody_reads() {
        let (old, new) = (
            versions(&[("a", 1), ("gone", 2)]),
            versions(&[("a", 3), ("new", 1)]),
        );
        assert_eq!(Versions::common([&old, &new]), versions(&[("a", 1)]));
        assert_eq!(Versions::common([&new]), new);
        assert_eq!(Versions::common([]), Versions::default());
    }

    #[test]
    fn beyond_should_name_what_is_not_read() {
        let written = versions(&[("a", 2), ("b", 1)]);
        assert_eq!(versions(&[("a", 2), ("b", 4)]).beyond(&written), None);
        let beyond = versions(&[("a", 1), ("b", 1)])
            .beyond(&written)
            .expect("a is ahead");
        assert_eq!(
            (beyond.event_type.as_str(), beyond.reads, beyond.written),
            ("a", 1, 2)
        );
        let unknown = versions(&[("a", 2)]).beyond(&written).expect("b is unknown");
        assert_eq!((unknown.event_type.as_str(), unknown.reads), ("b", 0));
    }
}
