//! The example of the specification, our own notes, and what is none.

use ed25519_dalek::Signer as _;
use proptest::prelude::*;

use super::keys::{Algorithm, BeliefError, KeyError, Keys, VerifierKey};
use super::*;

/// From <https://c2sp.org/signed-note>.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/// Signs a text as an installation does, under keys made of `seed`.
pub(crate) fn signed(name: &str, seed: u8, text: &str) -> (Note, Keys) {
    let classic = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let lattice = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&[seed; 32].into());
    let keys = [
        VerifierKey::try_new(name, Algorithm::Ed25519, classic.verifying_key().as_bytes()),
        VerifierKey::try_new(
            name,
            Algorithm::MlDsa65,
            &lattice.expanded_key().verifying_key().encode(),
        ),
    ]
    .map(|key| key.expect("a key"));
    let by_lattice = lattice.expanded_key().sign_deterministic(text.as_bytes(), &[]);
    let bytes = [
        classic.sign(text.as_bytes()).to_bytes().to_vec(),
        by_lattice.expect("no context").encode().to_vec(),
    ];
    let signatures = keys.iter().zip(bytes).map(|(key, bytes)| NoteSignature {
        name: name.to_owned(),
        id: key.id(),
        bytes,
    });
    let note = Note::try_new(text.to_owned(), signatures.collect()).expect("a note");
    (note, Keys::new(keys.into()))
}

#[test]
fn example_of_the_specification_should_be_believed() {
    let keys = Keys::parse(&format!("# the example\n\n{VKEY}\n")).expect("a key");
    let note = Note::parse(NOTE).expect("a note");
    assert_eq!(note.to_string(), NOTE);
    assert_eq!(note.text(), "This is an example message.\n");
    keys.believe(&note).expect("signed");
    assert_eq!(keys.to_string(), format!("{VKEY}\n"));
    let changed = Note::parse(&NOTE.replace("example message", "example massage")).expect("a note");
    assert!(matches!(
        keys.believe(&changed),
        Err(BeliefError::Wrong(Algorithm::Ed25519, _))
    ));
}

#[test]
fn both_algorithms_should_have_to_sign() {
    let (note, keys) = signed("vaultstream/test", 7, "one\ntwo\n");
    keys.believe(&note).expect("both signed");
    let read = Note::parse(&note.to_string()).expect("a note");
    assert_eq!(read, note);
    let again = Keys::parse(&keys.to_string()).expect("keys");
    again.believe(&read).expect("both signed");
    for (left_out, algorithm) in [(0, Algorithm::Ed25519), (1, Algorithm::MlDsa65)] {
        let mut rest = note.signatures().to_vec();
        rest.remove(left_out);
        let half = Note::try_new(note.text().to_owned(), rest).expect("a note");
        assert_eq!(keys.believe(&half), Err(BeliefError::Unsigned(algorithm)));
    }
    for spoilt in 0..2 {
        let mut all = note.signatures().to_vec();
        all[spoilt].bytes[9] ^= 1;
        let note = Note::try_new(note.text().to_owned(), all).expect("a note");
        assert!(matches!(keys.believe(&note), Err(BeliefError::Wrong(..))));
    }
    let (_, strangers) = signed("vaultstream/test", 8, "x\n");
    assert_eq!(
        strangers.believe(&note),
        Err(BeliefError::Unsigned(Algorithm::Ed25519))
    );
    assert_eq!(Keys::default().believe(&note), Err(BeliefError::NoKeys));
}

#[test]
fn stranger_that_countersigns_should_be_passed_over() {
    let (note, keys) = signed("vaultstream/test", 7, "one\n");
    let (other, _) = signed("witness.example", 9, "another text\n");
    let all = [other.signatures(), note.signatures()].concat();
    let note = Note::try_new(note.text().to_owned(), all).expect("a note");
    keys.believe(&note).expect("ours are right");
}

#[test]
fn changed_key_should_be_refused() {
    assert_eq!(
        VKEY.replace("530d903a", "530d903b").parse::<VerifierKey>().err(),
        Some(KeyError::Id)
    );
    assert_eq!(
        VKEY.replace("foo+", "bar+").parse::<VerifierKey>().err(),
        Some(KeyError::Id)
    );
    for wrong in [
        "",
        "a+b",
        "a b+00000000+AQ==",
        "example.com/foo+530d903a+AQ==",
        "x+530d903a+@",
    ] {
        assert_eq!(
            wrong.parse::<VerifierKey>().err(),
            Some(KeyError::Form),
            "{wrong}"
        );
    }
    assert_eq!(Keys::parse("\nnonsense\n").expect_err("no key").line, 2);
}

#[test]
fn what_is_no_note_should_be_refused() {
    for wrong in [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\nx\n",
        "te\txt\n\n\u{2014} a AAAAAAA=\n",
    ] {
        assert!(Note::parse(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(
        Note::parse(&NOTE.replace(" Uw2Q", " Uw2")),
        Err(NoteError::Signature(1))
    );
    assert_eq!(Note::parse(NOTE.trim_end()), Err(NoteError::Form), "cut");
    let long = format!("{}\n\n{}", "x".repeat(MAX_NOTE), "\u{2014} a AAAAAAA=\n");
    assert_eq!(Note::parse(&long), Err(NoteError::Size));
    let name = Note::try_new(
        "x\n".into(),
        vec![NoteSignature {
            name: "a b".into(),
            id: 0,
            bytes: vec![0],
        }],
    );
    assert!(matches!(name, Err(NoteError::Name(_))));
}

#[test]
fn list_should_be_cut_into_its_notes_and_show_a_torn_one() {
    let (one, _) = signed("a", 1, "first\n");
    let (two, _) = signed("a", 1, "second\n\nparagraph\n");
    let (one, two) = (one.to_string(), two.to_string());
    let list = format!("{}{}", listed(&one), listed(&two));
    assert_eq!(split_list(&list), (vec![one.as_str(), two.as_str()], ""));
    for cut in listed(&one).len()..list.len() {
        if !list.is_char_boundary(cut) {
            continue;
        }
        let (notes, rest) = split_list(&list[..cut]);
        assert_eq!(notes, [one.as_str()], "cut at {cut}");
        assert_eq!(rest, &list[one.len() + 1..cut]);
    }
    // A file with one note, as somebody keeps it, has no empty line at its end.
    assert_eq!(split_list(&one), (vec![], one.as_str()));
}

proptest! {
    #[test]
    fn garbage_should_be_refused_not_panic(text: String) {
        let _ = Note::parse(&text);
        let _ = text.parse::<VerifierKey>();
        let _ = Keys::parse(&text);
        let _ = split_list(&text);
        let _ = Note::parse(&format!("{text}\n\n\u{2014} {text}\n"));
    }
}
