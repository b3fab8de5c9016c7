//! Signed notes, checkpoints, public keys and files of proofs: all that an auditor who trusts nobody is given.

use vaultstream_event_schemas::checkpoint::{Loss, ShardRoot};
use vaultstream_event_schemas::note::keys::{Keys, VerifierKey};
use vaultstream_event_schemas::note::{Note, split_list};
use vaultstream_event_schemas::proof::Proof;
use vaultstream_event_schemas::{Checkpoint, ShardNumber, Timestamp};

use crate::harness::{Target, holds};
use crate::names::again;
use crate::records::event;

/// A checkpoint over two shards, with a declared loss, as text.
fn checkpoint() -> String {
    let root = |shard: u16, size| ShardRoot {
        shard: ShardNumber(shard),
        incarnation: 2,
        size,
        root: [7; 32],
    };
    let loss = Loss {
        shard: ShardNumber(3),
        incarnation: 1,
        kept: 4,
    };
    let checkpoint = Checkpoint {
        origin: "vaultstream/test/log".into(),
        number: 5,
        sealed_at: Timestamp::from_micros(1_795_000_001_000_000),
        previous: Some([1; 32]),
        shards: vec![root(0, 100), root(3, 7)],
        losses: vec![loss],
    };
    checkpoint.to_string()
}

#[test]
fn notes_should_be_read_or_refused() {
    Target::new("notes")
        .with(vec![checkpoint().into_bytes()])
        .fuzz(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let text = text.as_ref();
            let (whole, rest) = split_list(text);
            let length: usize = whole.iter().map(|note| note.len()).sum();
            holds!(length + rest.len() <= text.len(), "a list has more than its text");
            for note in whole.into_iter().chain([text]) {
                if let Ok(note) = Note::parse(note) {
                    let again = Note::parse(&note.to_string());
                    holds!(
                        again.as_ref().is_ok_and(|again| *again == note),
                        "another note: {again:?}"
                    );
                    again_as_checkpoint(note.text())?;
                }
            }
            again_as_checkpoint(text)?;
            if let Ok(key) = text.parse::<VerifierKey>() {
                let again = key
                    .to_string()
                    .parse::<VerifierKey>()
                    .map(|again| again.to_string());
                holds!(again.as_ref() == Ok(&key.to_string()), "another key: {again:?}");
            }
            if let Ok(keys) = Keys::parse(text) {
                let again = Keys::parse(&keys.to_string()).map(|again| again.to_string());
                holds!(again.as_ref() == Ok(&keys.to_string()), "other keys: {again:?}");
            }
            Ok(())
        });
}

fn again_as_checkpoint(text: &str) -> Result<(), String> {
    let read = again::<Checkpoint>(text)?;
    holds!(
        read.is_none_or(|read| read.to_string() == text),
        "a checkpoint has two texts: {text:?}"
    );
    Ok(())
}

#[test]
fn proofs_should_be_read_or_refused() {
    let keys = Keys::new(Vec::new());
    let proof = Proof {
        event: event(),
        path: vec![[1; 32], [2; 32]],
        checkpoint: checkpoint(),
    };
    let seed = proof.to_file().expect("the golden event in a proof");
    Target::new("proofs").with(vec![seed]).fuzz(|bytes| {
        let Ok(proof) = Proof::from_file(bytes) else {
            return Ok(());
        };
        holds!(
            proof.check(&keys).is_err(),
            "it proves something to who believes nobody"
        );
        let file = proof
            .to_file()
            .map_err(|e| format!("it cannot be written: {e}"))?;
        let again = Proof::from_file(&file).map_err(|e| format!("it cannot be read back: {e}"))?;
        holds!(again == proof, "it is written as another");
        Ok(())
    });
}
