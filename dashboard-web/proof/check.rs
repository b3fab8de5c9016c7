//! The check, as lines for the page.

use std::error::Error;

use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::proof::{Proof, ProofError, Proven};

/// The verdict, then sentences.
pub fn lines(proof: &str, keys: &str) -> Vec<String> {
    let keys = match Keys::parse(keys) {
        Ok(keys) if keys.all().is_empty() => {
            return unclear("There is no public key. Give the file checkpoints.keys.");
        }
        Ok(keys) => keys,
        Err(error) => return unclear(&format!("The public keys cannot be read: {error}.")),
    };
    match Proof::from_file(proof.as_bytes()).and_then(|proof| Ok((proof.check(&keys)?, proof))) {
        Ok((proven, proof)) => holds(&proven, &proof),
        Err(ProofError::Form(_)) => {
            unclear("This is no proof. Give the file that `vaultstream audit prove` wrote.")
        }
        Err(error) => vec!["fails".to_owned(), chain(&error)],
    }
}

fn unclear(why: &str) -> Vec<String> {
    vec!["unclear".to_owned(), why.to_owned()]
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn holds(proven: &Proven, proof: &Proof) -> Vec<String> {
    let envelope = &proof.event.envelope;
    vec![
        "holds".to_owned(),
        format!(
            "Event {} ({}, version {})",
            proven.event, envelope.event_type, envelope.version
        ),
        format!("stands at position {} of shard {}", proven.position, proven.shard),
        format!("in checkpoint {}, made {}", proven.checkpoint, proven.sealed_at),
        format!(
            "The path has {} hashes, {} bytes.",
            proof.path.len(),
            proof.path_bytes()
        ),
        format!(
            "Payload, as it was hashed: {}",
            String::from_utf8_lossy(&proof.event.payload)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proof that a product made, and its keys.
    const PROOF: &str = include_str!("sample.json");
    const KEYS: &str = include_str!("sample.keys");

    #[test]
    fn proof_of_a_product_should_hold_and_a_changed_one_fail() {
        let said = lines(PROOF, KEYS);
        assert_eq!(said[0], "holds", "{said:?}");
        assert!(said[1].contains("transfer.requested"), "{said:?}");
        let changed = PROOF.replacen("\"position\":", "\"position\":1", 1);
        assert_eq!(lines(&changed, KEYS)[0], "fails");
        let first = KEYS.lines().next().expect("a key");
        assert_eq!(lines(PROOF, first)[0], "holds", "who believes one key");
    }

    #[test]
    fn what_is_no_proof_should_say_what_to_give() {
        for (proof, keys, word) in [
            ("{}", KEYS, "audit prove"),
            (PROOF, "", "checkpoints.keys"),
            (PROOF, "nonsense", "line 1"),
        ] {
            let said = lines(proof, keys);
            assert!(said[0] == "unclear" && said[1].contains(word), "{said:?}");
        }
    }
}
