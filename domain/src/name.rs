//! Names and reasons that people type: bounded, printable, trimmed.

/// The longest name or label, in characters.
pub const MAX_NAME: usize = 80;
/// The longest reason, in characters.
pub const MAX_REASON: usize = 500;

/// Whether a text is 1 to `max` characters without control characters and without white space at its ends.
pub fn is_printable(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.chars().count() <= max
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_should_be_bounded_printable_and_trimmed() {
        assert!(is_printable("Operations 运营", MAX_NAME));
        for bad in ["", " a", "a\n", "a\u{0}b", &"x".repeat(81)] {
            assert!(!is_printable(bad, MAX_NAME), "{bad:?}");
        }
    }
}
