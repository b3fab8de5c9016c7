//! Counts bytes and brackets of a query text before any recursive code sees it.

use super::{MAX_BODY, MAX_BRACKETS, too_complex};
use crate::refusal::Refusal;

/// Refuses texts that are too long or nested too deep; brackets in strings and comments do not count.
pub fn check(query: &str) -> Result<(), Refusal> {
    if query.len() > MAX_BODY {
        return Err(too_complex(format!("the query is longer than {MAX_BODY} bytes")));
    }
    let mut rest = query.as_bytes();
    let mut depth = 0usize;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'#' => skip_line(after),
            b'"' => skip_string(rest),
            b'{' | b'[' | b'(' => {
                depth += 1;
                if depth > MAX_BRACKETS {
                    return Err(too_complex(format!(
                        "the query nests more than {MAX_BRACKETS} brackets"
                    )));
                }
                after
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                after
            }
            _ => after,
        };
    }
    Ok(())
}

/// The text without what the language ignores: layout, commas and comments; strings stay as they are.
pub fn normalized(query: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'#' => skip_line(after),
            b'"' => {
                let behind = skip_string(rest);
                out.extend_from_slice(&rest[..rest.len() - behind.len()]);
                behind
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                if out.last() != Some(&b' ') {
                    out.push(b' ');
                }
                after
            }
            _ => {
                out.push(*byte);
                after
            }
        }
    }
    out
}

fn skip_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r'));
    &bytes[end.unwrap_or(bytes.len())..]
}

/// Skips a string or a block string; `bytes` begins with its quote. An unfinished one swallows the rest, which the
/// parser then refuses.
fn skip_string(bytes: &[u8]) -> &[u8] {
    if let Some(block) = bytes.strip_prefix(b"\"\"\"") {
        let mut at = 0;
        while at < block.len() {
            if block[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if block[at..].starts_with(b"\"\"\"") {
                return &block[at + 3..];
            } else {
                at += 1;
            }
        }
        return &[];
    }
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return &bytes[at + 1..],
            // a plain string ends with its line; going on here keeps the count right for the lines that follow
            b'\n' | b'\r' => return &bytes[at..],
            _ => at += 1,
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_should_count_brackets_outside_of_strings_and_comments() {
        let quiet = format!(
            "{{ a(t: \"{0}\") # {0}\n b(t: \"\"\"{0} \\\"\"\" {0}\"\"\") c(t: \"\\\"{0}\") }}",
            "{".repeat(100)
        );
        assert_eq!(check(&quiet), Ok(()));
        assert_eq!(check(&"{".repeat(MAX_BRACKETS)), Ok(()));
        assert!(check(&"{".repeat(MAX_BRACKETS + 1)).is_err());
        assert!(check(&format!("{{ a(x: {}", "[".repeat(60_000))).is_err());
    }

    #[test]
    fn scan_should_not_be_fooled_by_an_unfinished_string() {
        let hidden = format!("{{ a(t: \"\n{}", "{".repeat(100));
        assert!(check(&hidden).is_err());
        assert_eq!(check("\""), Ok(()));
        assert_eq!(check("\"\\"), Ok(()));
        assert_eq!(check("\"\"\""), Ok(()));
    }

    #[test]
    fn normalized_should_differ_only_where_the_meaning_does() {
        let same = [
            "{ a(x: 1, y: \"p  q\") b }",
            "{\n\ta(x: 1\ty: \"p  q\") # why\n  b }",
        ];
        assert_eq!(normalized(same[0]), normalized(same[1]));
        for other in [
            "{ a(x: 1, y: \"p q\") b }",
            "{ a(x: 1, y: \"p  q\") bc }",
            "{ a(x: 11 y: \"p  q\") b }",
        ] {
            assert_ne!(normalized(other), normalized(same[0]), "{other}");
        }
        assert_ne!(normalized("{ a b }"), normalized("{ ab }"));
        assert_ne!(normalized("{ a(t: \"# x\") }"), normalized("{ a(t: \"# y\") }"));
    }

    #[test]
    fn scan_should_refuse_long_texts() {
        assert!(check(&" ".repeat(MAX_BODY + 1)).is_err());
        assert_eq!(check(&" ".repeat(MAX_BODY)), Ok(()));
    }
}
