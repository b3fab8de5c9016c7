//! From raw bytes to a proven transaction. Error texts follow geth's, because clients match on them.

use k256::{
    FieldBytes,
    ecdsa::{RecoveryId, Signature, VerifyingKey},
};
use revm::primitives::{Address, B256, Bytes, U256};
use rlp::{Rlp, RlpStream};

use super::{Payload, Transaction};
use crate::{
    codec::{self, Decoded},
    hash::keccak,
};

/// Why raw bytes are no transaction of this chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("rlp: {0}")]
    Rlp(#[from] rlp::DecoderError),
    #[error("typed transaction too short")]
    TooShort,
    #[error("transaction type not supported: this sandbox takes types 0, 1 and 2, not {0}")]
    Kind(u8),
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    #[error("invalid sender: invalid chain id for signer: have {have} want {want}")]
    ChainId { have: u64, want: u64 },
    #[error("invalid sender: invalid transaction v, r, s values")]
    Signature,
    #[error("rlp: non-canonical encoding")]
    NotCanonical,
    #[error("{0} has more than 128 bits: no account can pay it")]
    FeeTooBig(&'static str),
}

impl Transaction {
    /// Decodes and authenticates `raw` for the chain with `chain_id`.
    pub(crate) fn decode(raw: &[u8], chain_id: u64) -> Result<Self, DecodeError> {
        let (payload, signature) = parse(raw, chain_id)?;
        if payload.chain_id != chain_id {
            return Err(DecodeError::ChainId {
                have: payload.chain_id,
                want: chain_id,
            });
        }
        let sender = recover(signing_hash(&payload), &signature)?;
        let tx = build(raw, sender, payload, &signature);
        if encode(&tx) == raw {
            Ok(tx)
        } else {
            Err(DecodeError::NotCanonical)
        }
    }

    /// Reads back what was mined: its sender was proven when it was accepted.
    pub(crate) fn restore(raw: &[u8], sender: Address, chain_id: u64) -> Result<Self, DecodeError> {
        let (payload, signature) = parse(raw, chain_id)?;
        Ok(build(raw, sender, payload, &signature))
    }
}

fn parse(raw: &[u8], chain_id: u64) -> Result<(Payload, SignatureParts), DecodeError> {
    match raw.first() {
        None => Err(DecodeError::TooShort),
        Some(0xc0..) => legacy(raw, chain_id),
        Some(kind @ (1 | 2)) => typed(*kind, &raw[1..]),
        Some(kind) => Err(DecodeError::Kind(*kind)),
    }
}

fn build(raw: &[u8], sender: Address, payload: Payload, signature: &SignatureParts) -> Transaction {
    let SignatureParts { odd_y, r, s } = *signature;
    Transaction {
        hash: keccak(raw),
        raw: Bytes::copy_from_slice(raw),
        sender,
        payload,
        odd_y,
        r,
        s,
    }
}

struct SignatureParts {
    odd_y: bool,
    r: U256,
    s: U256,
}

fn legacy(raw: &[u8], chain_id: u64) -> Result<(Payload, SignatureParts), DecodeError> {
    let item = Rlp::new(raw);
    codec::exact_list(&item, 9, raw.len())?;
    let v: u64 = item.val_at(6)?;
    if v == 27 || v == 28 {
        return Err(DecodeError::Unprotected);
    }
    let protected = v.checked_sub(35).ok_or(DecodeError::Signature)?;
    if protected / 2 != chain_id {
        return Err(DecodeError::ChainId {
            have: protected / 2,
            want: chain_id,
        });
    }
    let price = fee(&item.at(1)?, "gas price")?;
    let payload = Payload {
        kind: 0,
        chain_id,
        nonce: item.val_at(0)?,
        max_fee: price,
        max_tip: price,
        gas_limit: item.val_at(2)?,
        to: codec::destination(&item.at(3)?)?,
        value: codec::uint(&item.at(4)?)?,
        input: item.at(5)?.data()?.to_vec().into(),
        access_list: Vec::new(),
    };
    let (r, s) = (codec::uint(&item.at(7)?)?, codec::uint(&item.at(8)?)?);
    Ok((
        payload,
        SignatureParts {
            odd_y: protected % 2 == 1,
            r,
            s,
        },
    ))
}

fn typed(kind: u8, body: &[u8]) -> Result<(Payload, SignatureParts), DecodeError> {
    let item = Rlp::new(body);
    // type 1 has one gas price where type 2 has two fee fields; everything behind moves by one
    let shift = usize::from(kind == 2);
    codec::exact_list(&item, 11 + shift, body.len())?;
    let max_tip = fee(&item.at(2)?, "max priority fee per gas")?;
    let payload = Payload {
        kind,
        chain_id: item.val_at(0)?,
        nonce: item.val_at(1)?,
        max_tip,
        max_fee: if kind == 2 {
            fee(&item.at(3)?, "max fee per gas")?
        } else {
            max_tip
        },
        gas_limit: item.val_at(3 + shift)?,
        to: codec::destination(&item.at(4 + shift)?)?,
        value: codec::uint(&item.at(5 + shift)?)?,
        input: item.at(6 + shift)?.data()?.to_vec().into(),
        access_list: codec::list(&item.at(7 + shift)?, access_entry)?,
    };
    let parity: u64 = item.val_at(8 + shift)?;
    if parity > 1 {
        return Err(DecodeError::Signature);
    }
    let (r, s) = (
        codec::uint(&item.at(9 + shift)?)?,
        codec::uint(&item.at(10 + shift)?)?,
    );
    Ok((
        payload,
        SignatureParts {
            odd_y: parity == 1,
            r,
            s,
        },
    ))
}

fn access_entry(item: &Rlp<'_>) -> Decoded<(Address, Vec<B256>)> {
    if !item.is_list() || item.item_count()? != 2 {
        return Err(rlp::DecoderError::RlpIncorrectListLen);
    }
    Ok((
        codec::address(&item.at(0)?)?,
        codec::list(&item.at(1)?, codec::hash)?,
    ))
}

fn fee(item: &Rlp<'_>, name: &'static str) -> Result<u128, DecodeError> {
    u128::try_from(codec::uint(item)?).map_err(|_| DecodeError::FeeTooBig(name))
}

fn put_payload(out: &mut RlpStream, payload: &Payload) {
    if payload.kind != 0 {
        out.append(&payload.chain_id);
    }
    out.append(&payload.nonce);
    if payload.kind == 2 {
        out.append(&payload.max_tip);
    }
    out.append(&payload.max_fee).append(&payload.gas_limit);
    codec::put_destination(out, payload.to);
    codec::put_uint(out, payload.value);
    out.append(&payload.input.as_ref());
    if payload.kind != 0 {
        out.begin_list(payload.access_list.len());
        for (address, keys) in &payload.access_list {
            out.begin_list(2);
            codec::put_address(out, address);
            out.begin_list(keys.len());
            for key in keys {
                codec::put_hash(out, key);
            }
        }
    }
}

fn with_type(kind: u8, body: &[u8]) -> Vec<u8> {
    if kind == 0 {
        body.to_vec()
    } else {
        [&[kind], body].concat()
    }
}

/// The hash that was signed: EIP-155 for legacy, EIP-2718 type and payload for the others.
fn signing_hash(payload: &Payload) -> B256 {
    let mut out = RlpStream::new_list(match payload.kind {
        2 => 9,
        1 => 8,
        _ => 9,
    });
    put_payload(&mut out, payload);
    if payload.kind == 0 {
        out.append(&payload.chain_id).append(&0u8).append(&0u8);
    }
    keccak(&with_type(payload.kind, &out.out()))
}

fn encode(tx: &Transaction) -> Vec<u8> {
    let mut out = RlpStream::new_list(match tx.payload.kind {
        2 => 12,
        1 => 11,
        _ => 9,
    });
    put_payload(&mut out, &tx.payload);
    out.append(&tx.v());
    codec::put_uint(&mut out, tx.r);
    codec::put_uint(&mut out, tx.s);
    with_type(tx.payload.kind, &out.out())
}

/// Recovers the signer; refuses values outside the curve's order and the upper half of s (EIP-2).
fn recover(hash: B256, parts: &SignatureParts) -> Result<Address, DecodeError> {
    let field = |value: U256| FieldBytes::from(value.to_be_bytes::<32>());
    let signature =
        Signature::from_scalars(field(parts.r), field(parts.s)).map_err(|_| DecodeError::Signature)?;
    // the recovery below happens to refuse these too; the rule is the protocol's, so it is written here
    if signature.normalize_s().is_some() {
        return Err(DecodeError::Signature);
    }
    let recovery = RecoveryId::new(parts.odd_y, false);
    let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, recovery)
        .map_err(|_| DecodeError::Signature)?;
    let point = key.to_encoded_point(false);
    Ok(Address::from_slice(&keccak(&point.as_bytes()[1..])[12..]))
}
