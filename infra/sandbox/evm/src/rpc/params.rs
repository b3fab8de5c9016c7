//! Reading arguments: positions, and the encodings of the execution API (quantities without leading zeros, data as
//! pairs of digits). Refusals name the position.

use revm::primitives::{Address, B256, Bytes, U256};
use serde_json::{Map, Value};

use super::RpcError;
use crate::chain::BlockRef;

/// Why a value is not what it should be.
pub(crate) type Read<T> = Result<T, String>;

/// The arguments of one call.
pub(crate) struct Params<'a>(&'a [Value]);

impl<'a> Params<'a> {
    pub(crate) fn at_most(values: &'a [Value], most: usize) -> Result<Self, RpcError> {
        if values.len() > most {
            return Err(RpcError::params(format!(
                "too many arguments, want at most {most}"
            )));
        }
        Ok(Self(values))
    }

    pub(crate) fn required<T>(
        &self,
        index: usize,
        read: impl FnOnce(&Value) -> Read<T>,
    ) -> Result<T, RpcError> {
        let missing = || RpcError::params(format!("missing value for required argument {index}"));
        self.optional(index, read)?.ok_or_else(missing)
    }

    pub(crate) fn optional<T>(
        &self,
        index: usize,
        read: impl FnOnce(&Value) -> Read<T>,
    ) -> Result<Option<T>, RpcError> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .map_err(|why| RpcError::params(format!("invalid argument {index}: {why}"))),
        }
    }
}

fn text(value: &Value) -> Read<&str> {
    value
        .as_str()
        .ok_or_else(|| format!("expected a string, got {}", kind(value)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

pub(crate) fn quantity(value: &Value) -> Read<U256> {
    let digits = text(value)?
        .strip_prefix("0x")
        .ok_or("hex string without 0x prefix")?;
    match digits.as_bytes() {
        [] => Err("hex string \"0x\" has no digits".to_owned()),
        [b'0', _, ..] => Err("hex number with leading zero digits".to_owned()),
        _ if digits.len() > 64 => Err("hex number > 256 bits".to_owned()),
        bytes if !bytes.iter().all(u8::is_ascii_hexdigit) => Err("invalid hex string".to_owned()),
        _ => U256::from_str_radix(digits, 16).map_err(|_| "invalid hex string".to_owned()),
    }
}

pub(crate) fn quantity64(value: &Value) -> Read<u64> {
    u64::try_from(quantity(value)?).map_err(|_| "hex number > 64 bits".to_owned())
}

pub(crate) fn quantity128(value: &Value) -> Read<u128> {
    u128::try_from(quantity(value)?).map_err(|_| "hex number > 128 bits".to_owned())
}

pub(crate) fn data(value: &Value) -> Read<Bytes> {
    let digits = text(value)?
        .strip_prefix("0x")
        .ok_or("hex string without 0x prefix")?;
    hex::decode(digits)
        .map(Bytes::from)
        .map_err(|error| format!("invalid hex string: {error}"))
}

pub(crate) fn hash(value: &Value) -> Read<B256> {
    let bytes = data(value)?;
    B256::try_from(bytes.as_ref()).map_err(|_| format!("hex string has length {}, want 64", bytes.len() * 2))
}

pub(crate) fn address(value: &Value) -> Read<Address> {
    let bytes = data(value)?;
    Address::try_from(bytes.as_ref())
        .map_err(|_| format!("hex string has length {}, want 40", bytes.len() * 2))
}

/// A storage position, as quantity or as data of up to 32 bytes.
pub(crate) fn slot(value: &Value) -> Read<U256> {
    let digits = text(value)?
        .strip_prefix("0x")
        .ok_or("hex string without 0x prefix")?;
    let valid = (1..=64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !valid {
        return Err("expected up to 32 bytes in hex".to_owned());
    }
    U256::from_str_radix(digits, 16).map_err(|_| "invalid hex string".to_owned())
}

pub(crate) fn boolean(value: &Value) -> Read<bool> {
    value
        .as_bool()
        .ok_or_else(|| format!("expected a boolean, got {}", kind(value)))
}

pub(crate) fn object(value: &Value) -> Read<&Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| format!("expected an object, got {}", kind(value)))
}

/// A tag or a number.
pub(crate) fn block_number(value: &Value) -> Read<BlockRef> {
    match text(value)? {
        "latest" => Ok(BlockRef::Latest),
        "pending" => Ok(BlockRef::Pending),
        "safe" => Ok(BlockRef::Safe),
        "finalized" => Ok(BlockRef::Finalized),
        "earliest" => Ok(BlockRef::Earliest),
        _ => quantity64(value).map(BlockRef::Number),
    }
}

/// A tag, a number, a hash, or an object with `blockNumber` or `blockHash` (EIP-1898).
pub(crate) fn block(value: &Value) -> Read<BlockRef> {
    if let Value::Object(fields) = value {
        return match (fields.get("blockNumber"), fields.get("blockHash")) {
            (Some(number), None) => block_number(number),
            (None, Some(found)) => hash(found).map(BlockRef::Hash),
            _ => Err("specify either blockHash or blockNumber, and only one of them".to_owned()),
        };
    }
    if text(value)?.len() == 66 {
        hash(value).map(BlockRef::Hash)
    } else {
        block_number(value)
    }
}

/// A number of the control port: JSON number, decimal text, or quantity.
pub(crate) fn amount(value: &Value) -> Read<U256> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .map(U256::from)
            .ok_or_else(|| format!("{number} is not a whole number below 2^64")),
        Value::String(text) if text.starts_with("0x") => quantity(value),
        Value::String(text) => {
            let digits =
                !text.is_empty() && text.len() <= 78 && text.bytes().all(|byte| byte.is_ascii_digit());
            let parsed = digits.then(|| U256::from_str_radix(text, 10).ok()).flatten();
            parsed.ok_or_else(|| format!("{text:?} is not a whole number below 2^256"))
        }
        other => Err(format!("expected a number, got {}", kind(other))),
    }
}

pub(crate) fn amount64(value: &Value) -> Read<u64> {
    u64::try_from(amount(value)?).map_err(|_| "number above 64 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_should_be_read_strictly() {
        assert_eq!(quantity64(&json!("0x0")), Ok(0));
        assert_eq!(quantity64(&json!("0xffffffffffffffff")), Ok(u64::MAX));
        for bad in [
            json!("0x"),
            json!("0x01"),
            json!("1"),
            json!("0xg"),
            json!(1),
            json!("0x+1"),
            json!(null),
        ] {
            assert!(quantity(&bad).is_err(), "{bad}");
        }
        assert!(quantity64(&json!("0x10000000000000000")).is_err());
        assert!(quantity(&json!(format!("0x1{}", "0".repeat(64)))).is_err());
    }

    #[test]
    fn blocks_should_be_read_in_all_their_forms() {
        let hash_text = format!("0x{}", "ab".repeat(32));
        let by_hash = BlockRef::Hash(B256::from([0xab; 32]));
        assert_eq!(block(&json!("finalized")), Ok(BlockRef::Finalized));
        assert_eq!(block(&json!("0x10")), Ok(BlockRef::Number(16)));
        assert_eq!(block(&json!(hash_text)), Ok(by_hash));
        assert_eq!(
            block(&json!({"blockHash": hash_text, "requireCanonical": true})),
            Ok(by_hash)
        );
        assert_eq!(block(&json!({"blockNumber": "safe"})), Ok(BlockRef::Safe));
        for bad in [
            json!({}),
            json!("newest"),
            json!(5),
            json!({"blockHash": hash_text, "blockNumber": "0x1"}),
        ] {
            assert!(block(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_should_accept_numbers_and_decimals() {
        assert_eq!(amount(&json!(5)), Ok(U256::from(5)));
        assert_eq!(
            amount(&json!("1000000000000000000000")),
            Ok(U256::from(1_000u64) * U256::from(10u64.pow(18)))
        );
        for bad in [
            json!(-1),
            json!(1.5),
            json!("1.5"),
            json!("-1"),
            json!(""),
            json!([]),
            json!("9".repeat(79)),
        ] {
            assert!(amount(&bad).is_err(), "{bad}");
        }
    }
}
