//! RLP of Ethereum's values over the `rlp` crate: numbers without leading zeros, hashes and addresses at full width.
//!
//! Readers refuse every other length, so whatever decodes has exactly one encoding.

use revm::primitives::{Address, B256, U256};
use rlp::{DecoderError, Rlp, RlpStream};

pub(crate) type Decoded<T> = Result<T, DecoderError>;

pub(crate) fn put_uint(out: &mut RlpStream, value: U256) {
    let bytes = value.to_be_bytes::<32>();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(32);
    out.append(&&bytes[first..]);
}

pub(crate) fn put_hash(out: &mut RlpStream, value: &B256) {
    out.append(&value.as_slice());
}

pub(crate) fn put_address(out: &mut RlpStream, value: &Address) {
    out.append(&value.as_slice());
}

/// A destination: empty means contract creation.
pub(crate) fn put_destination(out: &mut RlpStream, value: Option<Address>) {
    match value {
        Some(address) => put_address(out, &address),
        None => {
            out.append_empty_data();
        }
    }
}

pub(crate) fn uint(item: &Rlp<'_>) -> Decoded<U256> {
    let bytes = item.data()?;
    if bytes.first() == Some(&0) {
        return Err(DecoderError::RlpInvalidIndirection);
    }
    U256::try_from_be_slice(bytes).ok_or(DecoderError::RlpIsTooBig)
}

pub(crate) fn hash(item: &Rlp<'_>) -> Decoded<B256> {
    B256::try_from(item.data()?).map_err(|_| DecoderError::RlpInvalidLength)
}

pub(crate) fn address(item: &Rlp<'_>) -> Decoded<Address> {
    Address::try_from(item.data()?).map_err(|_| DecoderError::RlpInvalidLength)
}

pub(crate) fn destination(item: &Rlp<'_>) -> Decoded<Option<Address>> {
    if item.data()?.is_empty() {
        Ok(None)
    } else {
        address(item).map(Some)
    }
}

/// `item` as a list, each entry read by `read`.
pub(crate) fn list<T>(item: &Rlp<'_>, read: impl Fn(&Rlp<'_>) -> Decoded<T>) -> Decoded<Vec<T>> {
    if !item.is_list() {
        return Err(DecoderError::RlpExpectedToBeList);
    }
    item.iter().map(|entry| read(&entry)).collect()
}

/// Refuses a list with another number of entries, and bytes after the end of it.
pub(crate) fn exact_list(item: &Rlp<'_>, entries: usize, len: usize) -> Decoded<()> {
    if !item.is_list() {
        return Err(DecoderError::RlpExpectedToBeList);
    }
    if item.payload_info()?.total() != len {
        return Err(DecoderError::RlpInconsistentLengthAndData);
    }
    if item.item_count()? != entries {
        Err(DecoderError::RlpIncorrectListLen)
    } else {
        Ok(())
    }
}
