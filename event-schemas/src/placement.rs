//! Which shard owns what: families, the shard registry and the rule that routes an id.
//!
//! A shard is (family, k). Shards are numbered once in a registry that travels with the log, and an id carries
//! its shard's number, so any node routes any id without a look-up. A shard never changes after birth and the
//! count `K` of a family never changes. Refuses: an empty family, a registry with a duplicate or a gap.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::caip::Slug;

/// The number of a shard in the registry; 16 bits, because that is what an id can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShardNumber(pub u16);

impl fmt::Display for ShardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A family of shards: `core` for everything without a chain, `audit`, and one per chain, named by its slug.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Organizations, keys, sessions, claims, vaults, views.
    Core,
    /// Refusals, sign-ins and auditors' reads.
    Audit,
    /// Accounts, slots, transfers and executions of one chain.
    Chain(Slug),
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core => f.write_str("core"),
            Self::Audit => f.write_str("audit"),
            Self::Chain(slug) => f.write_str(slug.as_str()),
        }
    }
}

/// One line of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// The shard's number, its place in the registry.
    pub number: ShardNumber,
    /// The family it belongs to.
    pub family: Family,
    /// Its index inside the family, `0..K`.
    pub k: u16,
}

/// All shards of an installation, written at first start and compared ever after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    entries: Vec<ShardEntry>,
}

/// Why a registry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// `K` must be 1 to 1024.
    #[error("family {0} asks for {1} shards; choose 1 to 1024")]
    Count(String, u16),
    /// The same family is given twice.
    #[error("family {0} is listed twice; a slug names one chain")]
    Duplicate(String),
    /// Stored and configured registries differ in a way that would move data.
    #[error(
        "family {family} has {stored} shards in the log and {configured} in the configuration; a family's count never changes, so configure {stored}"
    )]
    CountChanged {
        /// The family that differs.
        family: String,
        /// Shards in the log.
        stored: u16,
        /// Shards in the configuration.
        configured: u16,
    },
    /// More shards than 16 bits can number.
    #[error("the registry is full: 65,536 shards are numbered")]
    Full,
}

impl Registry {
    /// Numbers the families in the given order. `core` and `audit` come first by convention.
    pub fn try_new(families: &[(Family, u16)]) -> Result<Self, RegistryError> {
        let mut registry = Self { entries: Vec::new() };
        for (family, count) in families {
            registry.add(family, *count)?;
        }
        Ok(registry)
    }

    fn add(&mut self, family: &Family, count: u16) -> Result<(), RegistryError> {
        if count == 0 || count > 1024 {
            return Err(RegistryError::Count(family.to_string(), count));
        }
        if self.count(family) > 0 {
            return Err(RegistryError::Duplicate(family.to_string()));
        }
        for k in 0..count {
            let number = u16::try_from(self.entries.len()).map_err(|_| RegistryError::Full)?;
            self.entries.push(ShardEntry {
                number: ShardNumber(number),
                family: family.clone(),
                k,
            });
        }
        Ok(())
    }

    /// Reconciles a stored registry with the configured families: new families are appended, counts must agree,
    /// families that are no longer configured stay (their history remains readable).
    pub fn extended(&self, families: &[(Family, u16)]) -> Result<Self, RegistryError> {
        let mut registry = self.clone();
        for (family, configured) in families {
            match registry.count(family) {
                0 => registry.add(family, *configured)?,
                stored if stored == *configured => {}
                stored => {
                    return Err(RegistryError::CountChanged {
                        family: family.to_string(),
                        stored,
                        configured: *configured,
                    });
                }
            }
        }
        Ok(registry)
    }

    /// All shards in number order.
    pub fn entries(&self) -> &[ShardEntry] {
        &self.entries
    }

    /// How many shards a family has; 0 when it is unknown.
    pub fn count(&self, family: &Family) -> u16 {
        u16::try_from(self.entries.iter().filter(|e| &e.family == family).count()).unwrap_or(u16::MAX)
    }

    /// The shards of a family, in order of k.
    pub fn shards_of<'a>(&'a self, family: &'a Family) -> impl Iterator<Item = ShardNumber> + 'a {
        self.entries
            .iter()
            .filter(move |e| &e.family == family)
            .map(|e| e.number)
    }

    /// The line of a shard, when the registry has it.
    pub fn entry(&self, shard: ShardNumber) -> Option<&ShardEntry> {
        self.entries.get(usize::from(shard.0))
    }

    /// The shard of `family` that owns whatever is placed by `seed` (an id with its shard bits zeroed); `None`
    /// for an unknown family.
    pub fn place(&self, family: &Family, seed: Uuid) -> Option<ShardNumber> {
        let first = self.entries.iter().position(|e| &e.family == family)?;
        let count = u64::from(self.count(family));
        let digest = Sha256::digest(crate::id::without_shard(seed).as_bytes());
        let mut head = [0u8; 8];
        head.copy_from_slice(&digest[..8]);
        let k = usize::try_from(u64::from_be_bytes(head) % count).ok()?;
        self.entries.get(first + k).map(|e| e.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth() -> Family {
        Family::Chain(Slug::try_new("eth_sandbox").expect("valid slug"))
    }

    #[test]
    fn registry_should_number_families_in_order_and_keep_counts() {
        let r = Registry::try_new(&[(Family::Core, 2), (Family::Audit, 1), (eth(), 3)]).expect("valid");
        assert_eq!(r.entries().len(), 6);
        assert_eq!(
            r.shards_of(&eth()).map(|s| s.0).collect::<Vec<_>>(),
            vec![3, 4, 5]
        );
        assert!(matches!(
            r.extended(&[(eth(), 4)]),
            Err(RegistryError::CountChanged {
                stored: 3,
                configured: 4,
                ..
            })
        ));
        let other = Family::Chain(Slug::try_new("other").expect("valid slug"));
        assert_eq!(
            r.extended(&[(other.clone(), 1)])
                .expect("appends")
                .shards_of(&other)
                .count(),
            1
        );
    }

    #[test]
    fn place_should_ignore_the_shard_bits_and_spread_evenly() {
        let r = Registry::try_new(&[(Family::Core, 4)]).expect("valid");
        let mut seen = [0u32; 4];
        for i in 0..4000u128 {
            let id = crate::id::random(
                1_700_000_000_000,
                i.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            );
            let shard = r.place(&Family::Core, id).expect("core exists");
            assert_eq!(
                r.place(&Family::Core, crate::id::with_shard(id, shard)),
                Some(shard)
            );
            seen[usize::from(shard.0)] += 1;
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "uneven: {seen:?}");
    }
}
