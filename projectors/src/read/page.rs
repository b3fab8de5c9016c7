//! Keyset pages: a request, its answer, and cursors that hold the last key.

use vaultstream_domain::ports::view_store::KeyPart;

use super::ReadError;

/// The most items of a page.
pub const MAX_PAGE: usize = 200;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The cursor of the item to go on after, as it was given out (APIs seal and open it).
    pub after: Option<Vec<u8>>,
    /// How many items at most, and at most [`MAX_PAGE`]; 0 asks for one.
    pub limit: usize,
}

impl PageRequest {
    /// The first page.
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
    /// The page after a cursor.
    pub const fn after(cursor: Vec<u8>, limit: usize) -> Self {
        Self {
            after: Some(cursor),
            limit,
        }
    }
    pub(super) fn limit(&self) -> usize {
        self.limit.clamp(1, MAX_PAGE)
    }
}

/// An item and the cursor that goes on after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge<T> {
    /// Goes on after this item.
    pub cursor: Vec<u8>,
    /// The item.
    pub row: T,
}

/// A page. When `next` is set there may be more, even when the page is short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<Edge<T>>,
    /// Where the next page begins; none at the end of the list.
    pub next: Option<Vec<u8>>,
}

impl<T> Page<T> {
    /// A page without items at the end of a list.
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
    /// The rows alone.
    pub fn rows(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|edge| &edge.row)
    }
}

/// A cursor of the parts of a key.
pub(super) fn cursor(parts: &[KeyPart]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        match part {
            KeyPart::Number(number) => {
                out.push(b'n');
                out.extend_from_slice(&number.to_be_bytes());
            }
            KeyPart::Text(text) => {
                out.push(b't');
                out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out
}

/// Reads a cursor whose parts have the given form: `n` for a number, `t` for a text.
pub(super) fn parts(cursor: &[u8], form: &str) -> Result<Vec<KeyPart>, ReadError> {
    let mut rest = cursor;
    let mut parts = Vec::new();
    for expected in form.bytes() {
        let (tag, body) = rest.split_first().ok_or(ReadError::Cursor)?;
        if *tag != expected {
            return Err(ReadError::Cursor);
        }
        let (part, tail) = if *tag == b'n' { number(body)? } else { text(body)? };
        parts.push(part);
        rest = tail;
    }
    if rest.is_empty() {
        Ok(parts)
    } else {
        Err(ReadError::Cursor)
    }
}

fn number(body: &[u8]) -> Result<(KeyPart, &[u8]), ReadError> {
    let (head, tail) = body.split_first_chunk::<8>().ok_or(ReadError::Cursor)?;
    Ok((KeyPart::Number(u64::from_be_bytes(*head)), tail))
}

fn text(body: &[u8]) -> Result<(KeyPart, &[u8]), ReadError> {
    let (head, tail) = body.split_first_chunk::<4>().ok_or(ReadError::Cursor)?;
    let length = usize::try_from(u32::from_be_bytes(*head)).map_err(|_| ReadError::Cursor)?;
    let (text, tail) = tail.split_at_checked(length).ok_or(ReadError::Cursor)?;
    let text = std::str::from_utf8(text).map_err(|_| ReadError::Cursor)?;
    Ok((KeyPart::Text(text.to_owned()), tail))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cursor_should_round_trip(number in 0u64..1 << 63, text: String) {
            let key = vec![KeyPart::Number(number), KeyPart::Text(text)];
            let bytes = cursor(&key);
            prop_assert_eq!(parts(&bytes, "nt").expect("ours"), key);
            prop_assert!(parts(&bytes, "tn").is_err());
            prop_assert!(parts(&bytes, "n").is_err());
            prop_assert!(parts(&bytes[..bytes.len() - 1], "ntt").is_err());
        }

        #[test]
        fn garbage_should_be_refused_not_panic(bytes: Vec<u8>) {
            let _ = parts(&bytes, "nt");
            let _ = parts(&bytes, "tnt");
        }
    }
}
