//! Signed notes as C2SP describes them (<https://c2sp.org/signed-note>): a text, an empty line, one line a signature.
//!
//! A note is a value here; whether to believe it is for [`Keys`](keys::Keys) to say. Several notes stand in one file with
//! an empty line behind each. Refuses: control characters, notes over 1 MiB, more than 64 signatures, a signature line
//! that is none.

pub mod keys;
pub mod signer;

use std::fmt;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::envelope::Hash;

/// The largest note, in bytes: a checkpoint over 1,024 shards is a tenth of it.
pub const MAX_NOTE: usize = 1 << 20;
/// The most signatures of a note.
pub const MAX_SIGNATURES: usize = 64;
/// What a signature line begins with: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// Why a text is no note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is longer than [`MAX_NOTE`] or has more than [`MAX_SIGNATURES`] signatures.
    #[error("the note is larger than {MAX_NOTE} bytes or has more than {MAX_SIGNATURES} signatures")]
    Size,
    /// It has no empty line with signatures behind it, or a character that no note may have.
    #[error(
        "this is no signed note: it needs a text, an empty line and signature lines, and no control characters"
    )]
    Form,
    /// A signature line cannot be read.
    #[error("line {0} of the signatures is none: an em dash, a key name and base64 of key id and signature")]
    Signature(usize),
    /// A key name that notes may not have.
    #[error("`{0}` cannot name a key: it must not be empty or hold spaces, plus signs or control characters")]
    Name(String),
}

/// Whether a key may be called so.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's id: the first four bytes of a hash over its name, algorithm and public part.
    pub id: u32,
    /// The signature in its algorithm's own form.
    pub bytes: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "{MARK}{} {}", self.name, BASE64.encode(&bytes))
    }
}

fn signature(line: &str) -> Option<NoteSignature> {
    let (name, base64) = line.strip_prefix(MARK)?.split_once(' ')?;
    let bytes = BASE64.decode(base64.as_bytes()).ok()?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    (is_key_name(name) && !bytes.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        id: u32::from_be_bytes(*id),
        bytes: bytes.to_vec(),
    })
}

/// A text with signatures. Its `Display` is the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Puts signatures under a text that ends in a line break.
    pub fn try_new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        if signatures.len() > MAX_SIGNATURES || text.len() > MAX_NOTE {
            return Err(NoteError::Size);
        }
        if !text.ends_with('\n') || text.chars().any(|c| c < ' ' && c != '\n') || signatures.is_empty() {
            return Err(NoteError::Form);
        }
        if let Some(wrong) = signatures.iter().find(|s| !is_key_name(&s.name)) {
            return Err(NoteError::Name(wrong.name.clone()));
        }
        Ok(Self { text, signatures })
    }

    /// Reads a note.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Size);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Form)? + 1;
        let (text, rest) = note.split_at(split);
        let lines = rest[1..].strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.split('\n').zip(1..) {
            if number > MAX_SIGNATURES {
                return Err(NoteError::Size);
            }
            signatures.push(signature(line).ok_or(NoteError::Signature(number))?);
        }
        Self::try_new(text.to_owned(), signatures)
    }

    /// The signed text, with the line break at its end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, unchecked.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// SHA-256 of the text, without its signatures: what another note names this one by.
    pub fn hash(&self) -> Hash {
        Sha256::digest(&self.text).into()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A note as it stands in a list: an empty line behind it.
pub fn listed(note: &str) -> String {
    format!("{note}\n")
}

/// Cuts a list into its notes and what stands behind the last whole one: nothing, a note whose empty line is missing,
/// or a note that was torn.
pub fn split_list(list: &str) -> (Vec<&str>, &str) {
    let mut notes = Vec::new();
    let mut rest = list;
    while let Some(length) = first_note(rest) {
        notes.push(&rest[..length]);
        rest = &rest[length + 1..];
    }
    (notes, rest)
}

/// The length of the note a list begins with, without the empty line that must stand behind it.
fn first_note(list: &str) -> Option<usize> {
    let mut at = list.find(&format!("\n\n{MARK}"))? + 2;
    loop {
        let line = list[at..].find('\n')?;
        at += line + 1;
        let rest = &list[at..];
        if rest.starts_with('\n') {
            return Some(at);
        }
        if !rest.starts_with(MARK) {
            return None;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
