//! The ring at rest: a tag, a version, the counts, the hashes, and a check sum over all of it.
//!
//! Refuses anything it did not write: a damaged note means starting anew at the node's final block, never following a
//! wrong chain.

use alloy_primitives::{B256, keccak256};

use super::{CAPACITY, HeadRing};

const TAG: &[u8; 8] = b"vs-ring1";
const CHECK: usize = 8;

/// The bytes are no ring, or a damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kept blocks of the chain are damaged; the chain is followed anew from its final block")]
pub struct RingDamaged;

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RingDamaged> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(RingDamaged)?;
        self.0 = rest;
        Ok(*head)
    }
    fn number(&mut self) -> Result<u64, RingDamaged> {
        self.take().map(u64::from_be_bytes)
    }
    fn hash(&mut self) -> Result<B256, RingDamaged> {
        self.take().map(B256::new)
    }
}

impl HeadRing {
    /// The ring as bytes, at most 33 KiB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = TAG.to_vec();
        out.extend(self.base.to_be_bytes());
        out.extend(self.base_parent);
        out.push(u8::from(self.finalized.is_some()));
        let (height, hash) = self.finalized.unwrap_or_default();
        out.extend(height.to_be_bytes());
        out.extend(hash);
        self.hashes.iter().for_each(|hash| out.extend(hash));
        let check = keccak256(&out);
        out.extend(&check[..CHECK]);
        out
    }

    /// Reads what [`HeadRing::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RingDamaged> {
        let body = bytes.len().checked_sub(CHECK).ok_or(RingDamaged)?;
        let (body, check) = bytes.split_at(body);
        if keccak256(body)[..CHECK] != *check {
            return Err(RingDamaged);
        }
        let mut reader = Reader(body);
        if reader.take::<8>()? != *TAG {
            return Err(RingDamaged);
        }
        let (base, base_parent) = (reader.number()?, reader.hash()?);
        let [known] = reader.take::<1>()?;
        let finalized = (reader.number()?, reader.hash()?);
        let count = reader.0.len() / 32;
        if count > CAPACITY {
            return Err(RingDamaged);
        }
        let hashes = (0..count).map(|_| reader.hash()).collect::<Result<_, _>>()?;
        if !reader.0.is_empty() || known > 1 {
            return Err(RingDamaged);
        }
        Ok(Self {
            base,
            base_parent,
            hashes,
            finalized: (known == 1).then_some(finalized),
        })
    }
}
