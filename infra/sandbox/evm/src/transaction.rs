//! Signed transactions: legacy (EIP-155), access list (EIP-2930) and dynamic fee (EIP-1559), with the sender recovered.
//!
//! A value of this type is always authentic: the only constructor decodes the raw bytes, checks that they are the
//! canonical encoding, that the signature is in the lower half (EIP-2) and binds this chain's id, and recovers the
//! sender. Refused: unprotected legacy transactions, blob (EIP-4844) and code-setting (EIP-7702) transactions.

mod decode;

pub(crate) use self::decode::DecodeError;

use revm::{
    context::TxEnv,
    context_interface::transaction::{AccessList, AccessListItem},
    primitives::{Address, B256, Bytes, TxKind, U256},
};

/// What the signature covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// EIP-2718 type: 0, 1 or 2.
    pub(crate) kind: u8,
    pub(crate) chain_id: u64,
    pub(crate) nonce: u64,
    /// Gas price before EIP-1559, else the fee cap, in wei.
    pub(crate) max_fee: u128,
    /// Equal to `max_fee` before EIP-1559, in wei.
    pub(crate) max_tip: u128,
    pub(crate) gas_limit: u64,
    /// `None` creates a contract.
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) input: Bytes,
    pub(crate) access_list: Vec<(Address, Vec<B256>)>,
}

/// A signed transaction whose sender is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) hash: B256,
    pub(crate) raw: Bytes,
    pub(crate) sender: Address,
    pub(crate) payload: Payload,
    pub(crate) odd_y: bool,
    pub(crate) r: U256,
    pub(crate) s: U256,
}

impl Transaction {
    /// `v` as JSON-RPC shows it: EIP-155 for legacy transactions, the parity of y for the others.
    pub(crate) fn v(&self) -> u64 {
        let parity = u64::from(self.odd_y);
        if self.payload.kind == 0 {
            self.payload.chain_id * 2 + 35 + parity
        } else {
            parity
        }
    }

    /// The most wei this transaction can take from its sender; `None` when it does not fit in 256 bits.
    pub(crate) fn cost(&self) -> Option<U256> {
        let fee = U256::from(self.payload.max_fee).checked_mul(U256::from(self.payload.gas_limit))?;
        fee.checked_add(self.payload.value)
    }

    /// What the block producer earns per gas at `base_fee`; `None` when the fee cap is below it.
    pub(crate) fn tip_at(&self, base_fee: u64) -> Option<u128> {
        let room = self.payload.max_fee.checked_sub(u128::from(base_fee))?;
        Some(room.min(self.payload.max_tip))
    }

    /// What the sender pays per gas in a block with `base_fee`.
    pub(crate) fn price_at(&self, base_fee: u64) -> u128 {
        self.payload
            .max_fee
            .min(u128::from(base_fee).saturating_add(self.payload.max_tip))
    }

    pub(crate) fn env(&self) -> TxEnv {
        let payload = &self.payload;
        let items = payload.access_list.iter();
        TxEnv {
            tx_type: payload.kind,
            caller: self.sender,
            gas_limit: payload.gas_limit,
            gas_price: payload.max_fee,
            kind: payload.to.map_or(TxKind::Create, TxKind::Call),
            value: payload.value,
            data: payload.input.clone(),
            nonce: payload.nonce,
            chain_id: Some(payload.chain_id),
            access_list: AccessList(
                items
                    .map(|(address, keys)| AccessListItem {
                        address: *address,
                        storage_keys: keys.clone(),
                    })
                    .collect(),
            ),
            gas_priority_fee: (payload.kind == 2).then_some(payload.max_tip),
            ..TxEnv::default()
        }
    }
}
