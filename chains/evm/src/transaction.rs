//! The bytes of an EIP-1559 transaction: digest, signed form, id, and back.
//!
//! `assemble` accepts only a signature by the paying address over this very plan and writes its low-s form (EIP-2), so
//! one plan and key have one id. `decode` reads only what `assemble` could have written: type 2, no access list, a
//! called address, canonical RLP, nothing behind it.

use std::fmt;

use alloy_consensus::transaction::{RlpEcdsaDecodableTx, RlpEcdsaEncodableTx};
use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use vaultstream_event_schemas::Amount;
use vaultstream_event_schemas::chain::{EvmPlan, RawTransaction};

use crate::address::{checksummed, parse_address};
use crate::error::TransactionError;

/// No signed transaction of this platform is larger; geth takes at most 128 KiB.
const RAW_BYTES_MAX: usize = 128 * 1024;

fn field(field: &'static str, problem: &dyn fmt::Display) -> TransactionError {
    TransactionError::Field {
        field,
        problem: problem.to_string(),
    }
}

fn raw_error(why: &dyn fmt::Display) -> TransactionError {
    TransactionError::Raw(why.to_string())
}

/// The paying address and the unsigned transaction of a plan.
fn unsigned(plan: &EvmPlan) -> Result<(Address, TxEip1559), TransactionError> {
    let address = |name, text: &str| parse_address(text).map_err(|e| field(name, &e));
    let wei = |name, amount: Amount| {
        amount
            .to_u128()
            .ok_or_else(|| field(name, &"it is 2^128 wei or more"))
    };
    if !plan.data.starts_with("0x") {
        return Err(field("data", &"it must begin with 0x"));
    }
    let input = hex::decode(&plan.data).map_err(|e| field("data", &e))?;
    let transaction = TxEip1559 {
        chain_id: plan.chain_id,
        nonce: plan.nonce,
        gas_limit: plan.gas_limit,
        max_fee_per_gas: wei("max_fee_per_gas", plan.max_fee_per_gas)?,
        max_priority_fee_per_gas: wei("max_priority_fee_per_gas", plan.max_priority_fee_per_gas)?,
        to: TxKind::Call(address("to", &plan.to)?),
        value: U256::from_be_bytes(plan.value.to_be_bytes()),
        access_list: AccessList::default(),
        input: Bytes::from(input),
    };
    Ok((address("from", &plan.from)?, transaction))
}

/// What the key of the paying address signs: the Keccak-256 of the unsigned transaction.
pub fn digest(plan: &EvmPlan) -> Result<B256, TransactionError> {
    unsigned(plan).map(|(_, transaction)| transaction.signature_hash())
}

/// Reads r ‖ s ‖ recovery id and brings s into its lower half.
fn low_s(bytes: &[u8]) -> Result<Signature, TransactionError> {
    let (scalars, parity) = match bytes {
        [scalars @ .., parity @ (0 | 1)] if scalars.len() == 64 => (scalars, *parity == 1),
        [.., _] if bytes.len() == 65 => {
            return Err(TransactionError::Signature("its recovery id is neither 0 nor 1"));
        }
        _ => return Err(TransactionError::Signature("it is not 65 bytes long")),
    };
    let signature = Signature::from_bytes_and_parity(scalars, parity);
    // Refuses zero and anything of the curve's order or more before s is mirrored.
    signature
        .to_k256()
        .map_err(|_| TransactionError::Signature("r or s is no scalar of secp256k1"))?;
    Ok(signature.normalized_s())
}

/// The signed bytes and their id. The signature is r ‖ s ‖ recovery id (0 or 1) over [`digest`].
pub fn assemble(plan: &EvmPlan, signature: &[u8]) -> Result<RawTransaction, TransactionError> {
    let signature = low_s(signature)?;
    let (from, transaction) = unsigned(plan)?;
    let signer = signature
        .recover_address_from_prehash(&transaction.signature_hash())
        .map_err(|_| TransactionError::Signature("it belongs to no key"))?;
    if signer != from {
        return Err(TransactionError::Signer { signer, from });
    }
    let mut raw = Vec::new();
    transaction.eip2718_encode(&signature, &mut raw);
    Ok(RawTransaction {
        txid: format!("{:#x}", keccak256(&raw)),
        raw: hex::encode_prefixed(raw),
    })
}

/// The id of signed bytes, lower-case hex with 0x.
pub fn txid(raw: &str) -> Result<String, TransactionError> {
    Ok(format!("{:#x}", keccak256(bytes_of(raw)?)))
}

/// The bytes of the text that nodes take.
pub fn bytes_of(raw: &str) -> Result<Vec<u8>, TransactionError> {
    if raw.len() > 2 + 2 * RAW_BYTES_MAX {
        return Err(raw_error(&"more than 128 KiB"));
    }
    if !raw.starts_with("0x") {
        return Err(raw_error(&"they must begin with 0x"));
    }
    hex::decode(raw).map_err(|e| raw_error(&e))
}

/// A signed transaction, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What it does; `from` is whoever signed it.
    pub plan: EvmPlan,
    /// What was signed.
    pub digest: B256,
    /// Its id, lower-case hex with 0x.
    pub txid: String,
}

/// Reads signed bytes back and recovers who signed them.
pub fn decode(raw: &str) -> Result<Decoded, TransactionError> {
    let bytes = bytes_of(raw)?;
    let mut rest = &bytes[..];
    let signed = TxEip1559::eip2718_decode(&mut rest).map_err(|e| raw_error(&e))?;
    let (transaction, signature) = (signed.tx(), signed.signature());
    let mut again = Vec::new();
    transaction.eip2718_encode(signature, &mut again);
    if !rest.is_empty() || again != bytes {
        return Err(raw_error(&"they are not in canonical form"));
    }
    if !transaction.access_list.is_empty() {
        return Err(raw_error(&"they carry an access list"));
    }
    let TxKind::Call(to) = transaction.to else {
        return Err(raw_error(&"they create a contract"));
    };
    if signature.normalize_s().is_some() {
        return Err(raw_error(&"s is in its upper half (EIP-2)"));
    }
    let digest = transaction.signature_hash();
    let from = signature
        .recover_address_from_prehash(&digest)
        .map_err(|_| TransactionError::Signature("it belongs to no key"))?;
    Ok(Decoded {
        plan: EvmPlan {
            chain_id: transaction.chain_id,
            data: hex::encode_prefixed(&transaction.input),
            from: checksummed(&from),
            gas_limit: transaction.gas_limit,
            max_fee_per_gas: Amount::from_u128(transaction.max_fee_per_gas),
            max_priority_fee_per_gas: Amount::from_u128(transaction.max_priority_fee_per_gas),
            nonce: transaction.nonce,
            to: checksummed(&to),
            value: Amount::from_be_bytes(transaction.value.to_be_bytes()),
        },
        digest,
        txid: format!("{:#x}", keccak256(&bytes)),
    })
}

#[cfg(test)]
mod tests;
