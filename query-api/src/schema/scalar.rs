//! The scalars of the schema: answers only, no argument takes one.

use async_graphql::{InputValueError, InputValueResult, Number, Scalar, ScalarType, Value};
use vaultstream_event_schemas::{Amount as MinorUnits, Timestamp as Moment};

/// A count of minor units (wei, satoshi) as a decimal string: digits only, up to 78 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub MinorUnits);

#[Scalar]
impl ScalarType for Amount {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A moment in RFC 3339, UTC, with microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(pub Moment);

#[Scalar]
impl ScalarType for Timestamp {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A whole number below 2^53, as a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long(pub u64);

#[Scalar]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_u64()
                .filter(|n| *n < 1 << 53)
                .map(Self)
                .ok_or_else(|| InputValueError::custom("not a whole number below 2^53")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(Number::from(self.0))
    }
}

/// A count as GraphQL's 32-bit `Int`; more than it can say is said as its largest.
pub fn int(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}
