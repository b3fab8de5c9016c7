//! Receipts, logs and the bloom filter over them (yellow paper, 4.3.1).

use revm::primitives::{Address, B256, Bytes, Log, U256};
use rlp::{Rlp, RlpStream};

use crate::{
    codec::{self, Decoded},
    hash::keccak,
};

/// 2048 bits: three for each address and topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bloom(Box<[u8; 256]>);

impl Default for Bloom {
    fn default() -> Self {
        Self(Box::new([0; 256]))
    }
}

impl Bloom {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    pub(crate) fn from_stored(bytes: &[u8]) -> Decoded<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let bits = <[u8; 256]>::try_from(bytes).map_err(|_| rlp::DecoderError::RlpInvalidLength)?;
        Ok(Self(Box::new(bits)))
    }

    pub(crate) fn add(&mut self, entry: &[u8]) {
        for bit in bits(entry) {
            self.0[255 - bit / 8] |= 1 << (bit % 8);
        }
    }

    /// Whether `entry` may have been added: no false negatives.
    pub(crate) fn may_hold(&self, entry: &[u8]) -> bool {
        bits(entry)
            .into_iter()
            .all(|bit| self.0[255 - bit / 8] & (1 << (bit % 8)) != 0)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *mine |= theirs;
        }
    }
}

fn bits(entry: &[u8]) -> [usize; 3] {
    let hash = keccak(entry);
    [0, 2, 4].map(|at| usize::from(u16::from_be_bytes([hash[at], hash[at + 1]]) & 2047))
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) kind: u8,
    pub(crate) success: bool,
    pub(crate) cumulative_gas: u64,
    pub(crate) gas_used: u64,
    /// Wei per gas that the sender paid.
    pub(crate) price: u128,
    pub(crate) contract: Option<Address>,
    pub(crate) logs: Vec<Log>,
}

impl Receipt {
    pub(crate) fn bloom(&self) -> Bloom {
        let mut bloom = Bloom::default();
        for log in &self.logs {
            bloom.add(log.address.as_slice());
            log.data
                .topics()
                .iter()
                .for_each(|topic| bloom.add(topic.as_slice()));
        }
        bloom
    }

    /// The consensus encoding that the receipts root commits to (EIP-2718).
    pub(crate) fn consensus(&self) -> Vec<u8> {
        let mut out = RlpStream::new_list(4);
        out.append(&u8::from(self.success))
            .append(&self.cumulative_gas)
            .append(&self.bloom().as_bytes());
        put_logs(&mut out, &self.logs);
        let body = out.out();
        if self.kind == 0 {
            body.to_vec()
        } else {
            [&[self.kind], body.as_ref()].concat()
        }
    }

    pub(crate) fn put_stored(&self, out: &mut RlpStream) {
        out.begin_list(7);
        out.append(&self.kind).append(&u8::from(self.success));
        out.append(&self.cumulative_gas).append(&self.gas_used);
        codec::put_uint(out, U256::from(self.price));
        codec::put_destination(out, self.contract);
        put_logs(out, &self.logs);
    }

    pub(crate) fn from_stored(item: &Rlp<'_>) -> Decoded<Self> {
        Ok(Self {
            kind: item.val_at(0)?,
            success: item.val_at::<u8>(1)? == 1,
            cumulative_gas: item.val_at(2)?,
            gas_used: item.val_at(3)?,
            price: item.val_at(4)?,
            contract: codec::destination(&item.at(5)?)?,
            logs: codec::list(&item.at(6)?, log)?,
        })
    }
}

fn put_logs(out: &mut RlpStream, logs: &[Log]) {
    out.begin_list(logs.len());
    for log in logs {
        out.begin_list(3);
        codec::put_address(out, &log.address);
        out.begin_list(log.data.topics().len());
        for topic in log.data.topics() {
            codec::put_hash(out, topic);
        }
        out.append(&log.data.data.as_ref());
    }
}

fn log(item: &Rlp<'_>) -> Decoded<Log> {
    let topics: Vec<B256> = codec::list(&item.at(1)?, codec::hash)?;
    let data = Bytes::copy_from_slice(item.at(2)?.data()?);
    Ok(Log::new_unchecked(codec::address(&item.at(0)?)?, topics, data))
}
