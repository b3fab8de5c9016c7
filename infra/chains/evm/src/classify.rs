//! What a node's words mean: the table of answers to a broadcast, and two short lists for readings.
//!
//! Every row has its source: an answer captured from a node that others wrote (a file in `fixtures/`), or the line of
//! geth's source that says it. What our own sandbox says must be understood, too, and proves nothing. Words are looked for inside the lower-cased answer; the first row that fits counts. What no row
//! knows is ambiguous: then the bytes may be in the network, and only the chain can tell.

use vaultstream_event_schemas::execution::v1::BroadcastOutcome as Outcome;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What is looked for, in lower case.
    pub words: &'static str,
    /// What it means.
    pub outcome: Outcome,
    /// Who says so: a file of `fixtures/`, or a place in geth's source under [`GETH`].
    pub source: &'static str,
}

/// The version of geth whose source the rows name.
pub const GETH: &str =
    "https://github.com/ethereum/go-ethereum/blob/02b73d4ea7181464175e0a6cbecc0a3a2655a562/";

const fn row(words: &'static str, outcome: Outcome, source: &'static str) -> Row {
    Row {
        words,
        outcome,
        source,
    }
}

/// The table, the more special words before the more general ones.
pub const ROWS: &[Row] = &[
    // It has these very bytes.
    row(
        "already known",
        Outcome::AlreadyKnown,
        "core/txpool/errors.go#L26",
    ),
    row(
        "already imported",
        Outcome::AlreadyKnown,
        "fixtures/anvil-duplicate.json",
    ),
    // Another transaction holds or consumed the slot; ours may be that one, included.
    row(
        "nonce too low",
        Outcome::Contested,
        "fixtures/anvil-nonce-consumed.json",
    ),
    row(
        "replacement transaction underpriced",
        Outcome::Contested,
        "fixtures/anvil-replacement.json",
    ),
    row(
        "address already reserved",
        Outcome::Contested,
        "core/txpool/errors.go#L69",
    ),
    // An earlier slot is missing, or too many wait.
    row("nonce too high", Outcome::TooEarly, "core/error.go#L51"),
    row(
        "gapped-nonce tx",
        Outcome::TooEarly,
        "core/txpool/legacypool/legacypool.go#L66",
    ),
    row(
        "in-flight transaction limit reached",
        Outcome::TooEarly,
        "core/txpool/errors.go#L73",
    ),
    row(
        "account limit exceeded",
        Outcome::TooEarly,
        "core/txpool/errors.go#L46",
    ),
    // The bid is below what it takes now.
    row(
        "max fee per gas less than block base fee",
        Outcome::FeeTooLow,
        "core/error.go#L102",
    ),
    row(
        "transaction gas price below minimum",
        Outcome::FeeTooLow,
        "core/txpool/errors.go#L42",
    ),
    row(
        "transaction underpriced",
        Outcome::FeeTooLow,
        "core/txpool/errors.go#L34",
    ),
    // It will never take these bytes as things stand.
    row(
        "insufficient funds",
        Outcome::Rejected,
        "fixtures/anvil-underfunded.json",
    ),
    row("invalid sender", Outcome::Rejected, "core/txpool/errors.go#L29"),
    row(
        "invalid chain id",
        Outcome::Rejected,
        "fixtures/anvil-wrong-chain.json",
    ),
    row(
        "intrinsic gas too low",
        Outcome::Rejected,
        "fixtures/anvil-gas-too-low.json",
    ),
    row(
        "insufficient gas for floor data gas cost",
        Outcome::Rejected,
        "core/error.go#L82",
    ),
    row(
        "exceeds block gas limit",
        Outcome::Rejected,
        "core/txpool/errors.go#L50",
    ),
    row(
        "transaction gas limit too high",
        Outcome::Rejected,
        "core/error.go#L129",
    ),
    row(
        "higher than max fee per gas",
        Outcome::Rejected,
        "core/error.go#L90",
    ),
    row("nonce has max value", Outcome::Rejected, "core/error.go#L55"),
    row("gas uint64 overflow", Outcome::Rejected, "core/error.go#L74"),
    row("oversized data", Outcome::Rejected, "core/txpool/errors.go#L59"),
    row("sender not an eoa", Outcome::Rejected, "core/error.go#L105"),
    row(
        "exceeds the configured cap",
        Outcome::Rejected,
        "internal/ethapi/api.go#L2192",
    ),
    row(
        "only replay-protected",
        Outcome::Rejected,
        "internal/ethapi/api.go#L1648",
    ),
    // A full pool says nothing about the transaction: named here so that nobody adds it elsewhere.
    row(
        "txpool is full",
        Outcome::Ambiguous,
        "core/txpool/legacypool/legacypool.go#L62",
    ),
];

/// What a node's refusal of a broadcast means.
pub fn classify(message: &str) -> Outcome {
    let message = message.to_lowercase();
    let row = ROWS.iter().find(|row| message.contains(row.words));
    row.map_or(Outcome::Ambiguous, |row| row.outcome)
}

/// Words that mean: the node does not have the block or the state at it any more.
const STATE_GONE: &[&str] = &[
    // geth: eth/api_backend.go#L258, #L280 and #L283, core/state/database_history.go#L255, eth/state_accessor.go#L127,
    // trie/errors.go#L49, triedb/pathdb/reader.go#L232.
    "header not found",
    "header for hash not found",
    "hash is not currently canonical",
    "is not available",
    "historical state unavailable",
    "missing trie node",
    "is not canonical",
    // anvil: fixtures/anvil-state-gone.json.
    "resource not found",
];

/// Whether a refusal means that the block, or the state at it, is gone.
pub fn is_state_gone(message: &str) -> bool {
    let message = message.to_lowercase();
    STATE_GONE.iter().any(|words| message.contains(words))
}

/// Words that mean: the call itself would fail on chain.
const CALL_FAILS: &[&str] = &[
    // geth: core/vm/errors.go#L32, core/error.go#L67 and #L71, eth/gasestimator/gasestimator.go#L142, core/vm/errors.go#L27,
    // #L85, #L55 and #L35.
    "revert",
    "insufficient funds",
    "gas required exceeds allowance",
    "out of gas",
    "invalid opcode",
    "stack underflow",
    "invalid jump destination",
    // revm's name for it, which anvil repeats.
    "outofgas",
];

/// Whether a refusal of a trial means that the call would fail on chain.
pub fn is_refusal_of_call(message: &str) -> bool {
    let message = message.to_lowercase();
    CALL_FAILS.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn fixture(path: &str) -> (String, Outcome) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
        let message = value["answer"]["message"].as_str().unwrap_or_default().to_owned();
        let outcome = serde_json::from_value(value["outcome"].clone()).unwrap_or(Outcome::Ambiguous);
        (message, outcome)
    }

    #[test]
    fn every_row_should_have_a_source_that_says_it() {
        for row in ROWS {
            assert!(
                !row.source.contains("sandbox"),
                "{}: our own words are no evidence",
                row.source
            );
            if row.source.starts_with("fixtures/") {
                let (message, outcome) = fixture(row.source);
                assert!(
                    message.to_lowercase().contains(row.words),
                    "{}: {message}",
                    row.source
                );
                assert_eq!(outcome, row.outcome, "{}", row.source);
            } else {
                let (file, line) = row.source.split_once(".go#L").unwrap_or_default();
                assert!(!file.is_empty() && line.parse::<u32>().is_ok(), "{}", row.source);
            }
        }
    }

    #[test]
    fn every_captured_answer_should_be_understood() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let mut seen = 0;
        for entry in fs::read_dir(dir).expect("the fixtures") {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            let (message, outcome) = fixture(&format!("fixtures/{name}"));
            if name.contains("state-gone") {
                assert!(is_state_gone(&message), "{name}: {message}");
            } else {
                assert_eq!(classify(&message), outcome, "{name}: {message}");
            }
            seen += 1;
        }
        assert!(seen >= 10, "{seen}");
    }

    #[test]
    fn no_row_should_hide_another() {
        let mut seen = BTreeSet::new();
        for row in ROWS {
            assert!(seen.insert(row.words), "{} twice", row.words);
            assert_eq!(row.words, row.words.to_lowercase());
            assert_eq!(
                classify(row.words),
                row.outcome,
                "{} is hidden by an earlier row",
                row.words
            );
        }
    }

    #[test]
    fn words_around_should_not_matter() {
        let long = "Nonce too low: next nonce 5, tx nonce 4";
        assert_eq!(classify(long), Outcome::Contested);
        let gas = "insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1";
        assert_eq!(classify(gas), Outcome::Rejected);
        for unknown in [
            "",
            "internal error",
            "rate limit exceeded",
            "timeout",
            "nonce",
            "<html>",
        ] {
            assert_eq!(classify(unknown), Outcome::Ambiguous, "{unknown:?}");
        }
    }

    proptest! {
        #[test]
        fn unknown_words_should_be_ambiguous(text in "[a-z ]{0,80}") {
            let known = ROWS.iter().any(|row| text.contains(row.words));
            prop_assert!(known || classify(&text) == Outcome::Ambiguous);
        }
    }
}
