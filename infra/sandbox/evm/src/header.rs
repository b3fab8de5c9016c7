//! Block headers as Cancun has them, and their hash.
//!
//! What proof of stake makes constant is constant here: no uncles, no difficulty, nonce zero, no blobs, and a zero
//! parent beacon root (no contract stands at the EIP-4788 address, and the EIP lets the call fail silently then).

use revm::primitives::{Address, B256, U256};
use rlp::{Rlp, RlpStream};

use crate::{
    codec::{self, Decoded},
    hash::{EMPTY_ROOT, EMPTY_UNCLES, keccak},
    receipt::Bloom,
};

/// Who gets the tips.
pub(crate) const COINBASE: Address = Address::new(*b"vaultstream-coinbase");

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) parent_hash: B256,
    pub(crate) state_root: B256,
    pub(crate) transactions_root: B256,
    pub(crate) receipts_root: B256,
    pub(crate) logs_bloom: Bloom,
    pub(crate) number: u64,
    pub(crate) gas_limit: u64,
    pub(crate) gas_used: u64,
    /// Seconds since the epoch; never below the parent's.
    pub(crate) timestamp: u64,
    /// What PREVRANDAO returns. It holds the fork counter, so that two empty blocks on one parent differ.
    pub(crate) mix_hash: B256,
    /// Wei per gas.
    pub(crate) base_fee: u64,
    pub(crate) withdrawals_root: B256,
}

/// A header with its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) hash: B256,
    pub(crate) header: Header,
}

impl Header {
    /// The consensus encoding, fields in the order of the execution specification (Cancun).
    pub(crate) fn rlp(&self) -> Vec<u8> {
        let mut out = RlpStream::new_list(20);
        codec::put_hash(&mut out, &self.parent_hash);
        codec::put_hash(&mut out, &EMPTY_UNCLES);
        codec::put_address(&mut out, &COINBASE);
        for root in [&self.state_root, &self.transactions_root, &self.receipts_root] {
            codec::put_hash(&mut out, root);
        }
        out.append(&self.logs_bloom.as_bytes());
        out.append_empty_data(); // difficulty
        out.append(&self.number)
            .append(&self.gas_limit)
            .append(&self.gas_used)
            .append(&self.timestamp);
        out.append_empty_data(); // extra data
        codec::put_hash(&mut out, &self.mix_hash);
        out.append(&[0u8; 8].as_slice()); // nonce
        out.append(&self.base_fee);
        codec::put_hash(&mut out, &self.withdrawals_root);
        out.append_empty_data().append_empty_data(); // blob gas used, excess blob gas
        codec::put_hash(&mut out, &B256::ZERO); // parent beacon block root
        out.out().to_vec()
    }

    pub(crate) fn seal(self) -> Sealed {
        Sealed {
            hash: keccak(&self.rlp()),
            header: self,
        }
    }

    /// The form in the database: constants left out, empty roots and an empty bloom as nothing, because most blocks
    /// of a chain that ticks every second are empty.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let mut out = RlpStream::new_list(12);
        codec::put_hash(&mut out, &self.parent_hash);
        codec::put_hash(&mut out, &self.state_root);
        codec::put_hash(&mut out, &self.mix_hash);
        for root in [
            &self.transactions_root,
            &self.receipts_root,
            &self.withdrawals_root,
        ] {
            if *root == EMPTY_ROOT {
                out.append_empty_data()
            } else {
                out.append(&root.as_slice())
            };
        }
        if self.logs_bloom.is_empty() {
            out.append_empty_data()
        } else {
            out.append(&self.logs_bloom.as_bytes())
        };
        out.append(&self.number)
            .append(&self.gas_limit)
            .append(&self.gas_used)
            .append(&self.timestamp);
        out.append(&self.base_fee);
        out.out().to_vec()
    }

    pub(crate) fn from_stored(bytes: &[u8]) -> Decoded<Self> {
        let item = Rlp::new(bytes);
        codec::exact_list(&item, 12, bytes.len())?;
        let root = |index| {
            let entry = item.at(index)?;
            if entry.data()?.is_empty() {
                Ok(EMPTY_ROOT)
            } else {
                codec::hash(&entry)
            }
        };
        Ok(Self {
            parent_hash: codec::hash(&item.at(0)?)?,
            state_root: codec::hash(&item.at(1)?)?,
            mix_hash: codec::hash(&item.at(2)?)?,
            transactions_root: root(3)?,
            receipts_root: root(4)?,
            withdrawals_root: root(5)?,
            logs_bloom: Bloom::from_stored(item.at(6)?.data()?)?,
            number: item.val_at(7)?,
            gas_limit: item.val_at(8)?,
            gas_used: item.val_at(9)?,
            timestamp: item.val_at(10)?,
            base_fee: item.val_at(11)?,
        })
    }
}

/// The mix hash of the child of `parent` in fork number `fork`.
pub(crate) fn mix_hash(parent: B256, fork: u64) -> B256 {
    keccak(&[parent.as_slice(), &fork.to_be_bytes()].concat())
}

/// A balance increase outside any transaction, shown as an EIP-4895 withdrawal. Withdrawals count in gwei: what is
/// below one gwei is credited too and committed to by the state root, but not visible in the withdrawal's amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credit {
    pub(crate) index: u64,
    pub(crate) address: Address,
    pub(crate) wei: U256,
}

impl Credit {
    /// The amount in gwei, rounded down; the control surface refuses amounts whose gwei exceed 64 bits.
    pub(crate) fn gwei(&self) -> u64 {
        u64::try_from(self.wei / U256::from(1_000_000_000u64)).unwrap_or(u64::MAX)
    }

    pub(crate) fn withdrawal_rlp(&self) -> Vec<u8> {
        let mut out = RlpStream::new_list(4);
        out.append(&self.index).append(&0u64);
        codec::put_address(&mut out, &self.address);
        out.append(&self.gwei());
        out.out().to_vec()
    }
}
