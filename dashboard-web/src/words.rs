//! Every text a person reads, behind a key: whole sentences with named places, so that another language can order them.
//!
//! Refuses, by test: an unknown place, an empty sentence, an exclamation mark.

mod en;

pub use en::Word;

/// The sentence as it stands.
pub const fn say(word: Word) -> &'static str {
    word.text()
}

/// The sentence with its places `{name}` filled. A place without a value stays visible, so that it is noticed.
pub fn fill(word: Word, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(96);
    let mut rest = word.text();
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            rest = after;
            break;
        };
        match values.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => out.push_str(value),
            None => {
                out.push('{');
                out.push_str(name);
                out.push('}');
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_should_be_filled_wherever_they_stand() {
        let text = fill(
            Word::TransferSentence,
            &[("to", "Acme"), ("amount", "1.25 ETH"), ("from", "{to}")],
        );
        assert_eq!(
            text, "1.25 ETH from {to} to Acme",
            "a value is never read as a sentence"
        );
        assert!(
            fill(Word::TransferSentence, &[]).contains("{amount}"),
            "a gap is seen"
        );
    }

    #[test]
    fn sentences_should_be_calm_and_whole() {
        for (name, text) in Word::ALL {
            assert!(!text.trim().is_empty(), "{name} is empty");
            assert_eq!(text.trim(), *text, "{name} has loose blanks");
            assert!(!text.contains('!'), "{name} shouts");
            assert_eq!(
                text.matches('{').count(),
                text.matches('}').count(),
                "{name} has an open place"
            );
            for place in text.split('{').skip(1) {
                let place = place.split('}').next().unwrap_or_default();
                assert!(
                    !place.is_empty() && place.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                    "{name}: {{{place}}}"
                );
            }
        }
    }
}
