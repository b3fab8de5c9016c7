//! Keys and rows as the driver writes and reads them, without copies in between.

use scylla::deserialize::row::{ColumnIterator, DeserializeRow};
use scylla::deserialize::value::DeserializeValue;
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::frame::response::result::{ColumnSpec, ColumnType, NativeType};
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::RowWriter;
use vaultstream_domain::ports::view_store::KeyPart;

/// One value of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Part(&'a KeyPart),
    Number(i64),
    Bytes(&'a [u8]),
}

/// The values of a statement in its order. Parts are below 2^63: layouts have checked them.
pub(crate) struct Values<I>(pub(crate) I);

impl<'a, I> SerializeRow for Values<I>
where
    I: Iterator<Item = Value<'a>> + Clone,
{
    fn serialize(
        &self,
        ctx: &RowSerializationContext<'_>,
        writer: &mut RowWriter,
    ) -> Result<(), SerializationError> {
        let columns = ctx.columns();
        let mut written = 0;
        for (value, column) in self.0.clone().zip(columns) {
            let (cell, kind) = (writer.make_cell_writer(), column.typ());
            match value {
                Value::Part(KeyPart::Text(text)) => text.serialize(kind, cell)?,
                Value::Part(KeyPart::Number(number)) => number.cast_signed().serialize(kind, cell)?,
                Value::Number(number) => number.serialize(kind, cell)?,
                Value::Bytes(bytes) => bytes.serialize(kind, cell)?,
            };
            written += 1;
        }
        if written == columns.len() && self.0.clone().count() == written {
            return Ok(());
        }
        Err(SerializationError::new(WrongCount {
            wanted: columns.len(),
        }))
    }

    fn is_empty(&self) -> bool {
        self.0.clone().next().is_none()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the statement takes {wanted} values")]
struct WrongCount {
    wanted: usize,
}

/// Key columns and the value that follows them.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) parts: Vec<KeyPart>,
    pub(crate) value: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("column {0} is of no type that views have")]
struct ForeignColumn(String);

impl<'frame, 'metadata> DeserializeRow<'frame, 'metadata> for Found {
    fn type_check(specs: &[ColumnSpec]) -> Result<(), TypeCheckError> {
        use ColumnType::Native;
        let is_known = |spec: &&ColumnSpec| {
            matches!(
                spec.typ(),
                Native(NativeType::Text | NativeType::BigInt | NativeType::Blob)
            )
        };
        match specs.iter().find(|spec| !is_known(spec)) {
            None => Ok(()),
            Some(spec) => Err(TypeCheckError::new(ForeignColumn(spec.name().to_owned()))),
        }
    }

    fn deserialize(columns: ColumnIterator<'frame, 'metadata>) -> Result<Self, DeserializationError> {
        let mut found = Self {
            parts: Vec::with_capacity(columns.columns_remaining()),
            value: Vec::new(),
        };
        for column in columns {
            let column = column?;
            let kind = column.spec.typ();
            match kind {
                ColumnType::Native(NativeType::Text) => {
                    let text = <&str>::deserialize(kind, column.slice)?;
                    found.parts.push(text.into());
                }
                ColumnType::Native(NativeType::BigInt) => {
                    let number = i64::deserialize(kind, column.slice)?;
                    found.parts.push(number.unsigned_abs().into());
                }
                // Nothing is null; where somebody wrote a null all the same, the row is gone.
                _ => {
                    let value = Option::<&[u8]>::deserialize(kind, column.slice)?;
                    found.value = value.unwrap_or_default().to_vec();
                }
            }
        }
        Ok(found)
    }
}

/// A partition as bytes: equal for equal partitions only, and in any version of this program the same.
pub(crate) fn partition_bytes(parts: &[KeyPart]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for part in parts {
        match part {
            KeyPart::Text(text) => {
                bytes.push(b't');
                bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            KeyPart::Number(number) => {
                bytes.push(b'n');
                bytes.extend_from_slice(&number.to_be_bytes());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_partitions_should_have_different_bytes() {
        let text = |t: &str| KeyPart::Text(t.to_owned());
        let partitions = [
            vec![text("ab"), text("")],
            vec![text("a"), text("b")],
            vec![text(""), text("ab")],
            vec![text("ab")],
            vec![text("")],
            vec![],
            vec![KeyPart::Number(0)],
            vec![KeyPart::Number(1), text("")],
            vec![text("n\0\0\0\0\0\0\0\0")],
        ];
        let mut bytes: Vec<_> = partitions.iter().map(|p| partition_bytes(p)).collect();
        bytes.sort();
        bytes.dedup();
        assert_eq!(bytes.len(), partitions.len());
    }
}
