//! A small log, sealed twice, and everything that can be done to it.

use vaultstream_domain::ports::conformance::sample::{Writer, stream};
use vaultstream_event_schemas::checkpoint::{Checkpoint, Loss, ShardRoot};
use vaultstream_event_schemas::envelope::{StoredEvent, leaf_hash};
use vaultstream_event_schemas::merkle::Frontier;
use vaultstream_event_schemas::note::keys::{Algorithm, Keys, VerifierKey};
use vaultstream_event_schemas::note::{Note, NoteSignature};
use vaultstream_event_schemas::{Hlc, Timestamp, canonical, record};

use super::*;

const SHARD: ShardNumber = ShardNumber(1);
/// Where the log was sealed.
const SIZES: [u64; 2] = [10, 20];
const LENGTH: u64 = 25;

/// Three streams, in turns.
fn log() -> Vec<StoredEvent> {
    let mut writers: Vec<Writer> = (1..=3).map(|n| Writer::new(stream(1, n))).collect();
    (1..=LENGTH)
        .map(|position| {
            let which = usize::try_from(position % 3).expect("small");
            let event = writers[which].event(&format!("event {position}"));
            StoredEvent {
                position,
                hlc: Hlc(1_000 + position * 4),
                envelope: event.envelope,
                payload: event.payload,
                previous: event.previous,
                hash: event.hash,
            }
        })
        .collect()
}

fn roots(log: &[StoredEvent], sizes: &[u64]) -> Vec<ShardRoot> {
    let mut tree = Frontier::default();
    let mut roots = Vec::new();
    for event in log {
        let incarnation = event.envelope.incarnation;
        tree.push(leaf_hash(
            SHARD,
            incarnation,
            event.position,
            event.hlc,
            &event.hash,
        ));
        if sizes.contains(&tree.size()) {
            roots.push(ShardRoot {
                shard: SHARD,
                incarnation,
                size: tree.size(),
                root: tree.root(),
            });
        }
    }
    roots
}

/// Signs with Ed25519 alone: what both algorithms are for is tested with the notes.
fn seal(checkpoint: &Checkpoint) -> (String, Keys) {
    use ed25519_dalek::Signer as _;
    let signing = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let public = signing.verifying_key();
    let key = VerifierKey::try_new(&checkpoint.origin, Algorithm::Ed25519, public.as_bytes()).expect("a key");
    let text = checkpoint.to_string();
    let bytes = signing.sign(text.as_bytes()).to_bytes().to_vec();
    let signature = NoteSignature {
        name: key.name().to_owned(),
        id: key.id(),
        bytes,
    };
    let note = Note::try_new(text, vec![signature]).expect("a note");
    (note.to_string(), Keys::new(vec![key]))
}

fn checkpoint(number: u64, before: Option<&str>, root: ShardRoot, losses: Vec<Loss>) -> Checkpoint {
    Checkpoint {
        origin: "vaultstream/test/log".into(),
        number,
        sealed_at: Timestamp::from_micros(1_795_000_000_000_000),
        previous: before.map(|note| Note::parse(note).expect("a note").hash()),
        shards: vec![root],
        losses,
    }
}

/// Two linked checkpoints over [`SIZES`].
fn notes() -> (Vec<String>, Keys) {
    let roots = roots(&log(), &SIZES);
    let (first, keys) = seal(&checkpoint(1, None, roots[0], vec![]));
    let (second, _) = seal(&checkpoint(2, Some(&first), roots[1], vec![]));
    (vec![first, second], keys)
}

fn chain(notes: &[String], keys: &Keys) -> (Chain, Vec<ChainFault>) {
    Chain::new(notes.iter().map(|note| ("test".to_owned(), note.as_str())), keys)
}

fn audit(notes: &[String], keys: &Keys, log: &[StoredEvent]) -> Report {
    let (chain, faults) = chain(notes, keys);
    assert_eq!(faults, [], "the notes are fine");
    let mut auditor = Auditor::new(&chain);
    auditor.begin(SHARD);
    for event in log {
        let envelope = canonical::to_bytes(&event.envelope).expect("canonical");
        auditor.take(
            SHARD,
            &Seen::new(&record::Parts {
                envelope: &envelope,
                payload: &event.payload,
                previous: event.previous,
                hash: event.hash,
                position: event.position,
                hlc: event.hlc,
            }),
        );
    }
    auditor.finish()
}

fn found(log: &[StoredEvent]) -> Vec<(u64, Fault)> {
    let (notes, keys) = notes();
    let report = audit(&notes, &keys, log);
    report
        .findings
        .into_iter()
        .map(|finding| (finding.place.position, finding.fault))
        .collect()
}

#[test]
fn whole_log_should_be_found_whole_and_its_suffix_unsealed() {
    let (notes, keys) = notes();
    let report = audit(&notes, &keys, &log());
    assert_eq!(report.findings, []);
    assert_eq!(
        report.shards,
        [ShardReport {
            shard: SHARD,
            events: LENGTH,
            sealed: 20,
            lost: vec![]
        }]
    );
}

#[test]
fn edited_event_should_be_named() {
    let mut log = log();
    log[6].payload = b"{\"note\":\"another\"}".to_vec();
    assert_eq!(found(&log), [(7, Fault::Edited)]);
}

#[test]
fn edit_that_was_hashed_again_should_be_named_by_its_stream_and_by_the_seal() {
    let mut log = log();
    log[6].payload = b"{\"note\":\"another\"}".to_vec();
    let envelope = canonical::to_bytes(&log[6].envelope).expect("canonical");
    log[6].hash =
        vaultstream_event_schemas::envelope::event_hash(&envelope, &log[6].payload, &log[6].previous);
    // The next event of its stream hangs on the old hash.
    assert_eq!(
        found(&log),
        [
            (10, Fault::Broken { after: 3 }),
            (
                1,
                Fault::Other {
                    from: 1,
                    upto: 10,
                    checkpoint: 1
                }
            )
        ]
    );
}

#[test]
fn deleted_event_should_be_named() {
    let mut log = log();
    log.remove(12);
    let found = found(&log);
    assert_eq!(found[0], (14, Fault::Missing { from: 13, upto: 13 }));
    assert!(matches!(found[1], (16, Fault::Broken { .. })), "{found:?}");
}

#[test]
fn inserted_event_should_be_named() {
    let mut log = log();
    let event = Writer::new(stream(1, 77)).event("forged");
    for later in &mut log[14..] {
        later.position += 1;
    }
    let forged = StoredEvent {
        position: 15,
        hlc: Hlc(log[13].hlc.0 + 1),
        envelope: event.envelope,
        payload: event.payload,
        previous: event.previous,
        hash: event.hash,
    };
    log.insert(14, forged);
    assert_eq!(found(&log), [(15, Fault::Inserted { checkpoint: 2 })]);
    // Two of them leave an interval only.
    let mut again = Writer::new(stream(1, 78));
    for later in &mut log[16..] {
        later.position += 1;
    }
    let second = again.event("forged");
    let forged = StoredEvent {
        position: 17,
        hlc: Hlc(log[15].hlc.0 + 1),
        envelope: second.envelope,
        payload: second.payload,
        previous: second.previous,
        hash: second.hash,
    };
    log.insert(16, forged);
    let interval = Fault::Other {
        from: 11,
        upto: 20,
        checkpoint: 2,
    };
    assert_eq!(found(&log), [(11, interval)]);
}

#[test]
fn reordered_events_should_be_named() {
    let mut log = log();
    log.swap(3, 4);
    (log[3].position, log[4].position) = (4, 5);
    let swapped = found(&log);
    assert_eq!(swapped[0], (5, Fault::Reordered), "its clock is earlier");
    let (a, b) = (log[3].hlc, log[4].hlc);
    (log[3].hlc, log[4].hlc) = (b, a);
    assert_eq!(found(&log), [(4, Fault::Swapped { checkpoint: 1 })]);
}

#[test]
fn cut_tail_should_be_found_against_any_checkpoint_beyond_it() {
    let (notes, keys) = notes();
    let log = &log()[..15];
    let report = audit(&notes, &keys, log);
    let cut = Fault::Cut {
        from: 16,
        upto: 20,
        checkpoint: 2,
    };
    assert_eq!(
        report
            .findings
            .iter()
            .map(|f| f.fault.clone())
            .collect::<Vec<_>>(),
        [cut]
    );
    assert_eq!(report.shards[0].sealed, 15);
    // The newer checkpoint was cut with it: what is left agrees, and only who kept the newer one knows.
    assert_eq!(audit(&notes[..1], &keys, log).findings, []);
    let report = audit(&notes, &keys, &[]);
    assert!(matches!(
        report.findings[0].fault,
        Fault::Cut {
            from: 1,
            upto: 20,
            ..
        }
    ));
}

#[test]
fn unsealed_suffix_should_be_free_to_go() {
    assert_eq!(found(&log()[..20]), []);
}

#[test]
fn declared_loss_should_be_a_loss_and_a_deeper_cut_still_tampering() {
    let (mut notes, keys) = notes();
    let mut log = log();
    log.truncate(15);
    let kept = log.clone();
    let mut writer = Writer {
        incarnation: 2,
        ..Writer::new(stream(1, 50))
    };
    for position in 16..=18 {
        let event = writer.event("after");
        log.push(StoredEvent {
            position,
            hlc: Hlc(2_000 + position * 4),
            envelope: event.envelope,
            payload: event.payload,
            previous: event.previous,
            hash: event.hash,
        });
    }
    let root = roots(&log, &[18])[0];
    let loss = Loss {
        shard: SHARD,
        incarnation: 1,
        kept: 15,
    };
    let (third, _) = seal(&checkpoint(3, Some(&notes[1]), root, vec![loss]));
    notes.push(third);
    let report = audit(&notes, &keys, &log);
    assert_eq!(report.findings, []);
    assert_eq!(
        report.shards[0].lost,
        [Lost {
            incarnation: 1,
            kept: 15,
            sealed: 20,
            checkpoint: 3
        }]
    );
    let report = audit(&notes, &keys, &kept);
    assert_eq!(
        report.findings[0].fault,
        Fault::Cut {
            from: 16,
            upto: 18,
            checkpoint: 3
        }
    );
    // The first checkpoint lies below what was kept and still counts.
    log[3].hlc = Hlc(log[3].hlc.0 + 1);
    assert_eq!(
        audit(&notes, &keys, &log).findings[0].fault,
        Fault::Other {
            from: 1,
            upto: 10,
            checkpoint: 1
        }
    );
}

#[test]
fn notes_that_do_not_hold_together_should_be_named() {
    let (notes, keys) = notes();
    let spoilt = notes[1].replace("number 2", "number 3");
    let (chain_, faults) = chain(&[notes[0].clone(), spoilt], &keys);
    assert!(
        matches!(&faults[..], [ChainFault::Unbelieved { .. }]),
        "{faults:?}"
    );
    assert_eq!(chain_.held().len(), 1);
    let other = roots(&log(), &[12])[0];
    let (fork, _) = seal(&checkpoint(2, Some(&notes[0]), other, vec![]));
    let (_, faults) = chain(&[notes.clone(), vec![fork]].concat(), &keys);
    assert!(faults.contains(&ChainFault::Fork(2)), "{faults:?}");
    let (unlinked, _) = seal(&checkpoint(2, None, other, vec![]));
    let (_, faults) = chain(&[notes[0].clone(), unlinked], &keys);
    assert_eq!(faults, [ChainFault::Unlinked(2)]);
    let smaller = roots(&log(), &[5])[0];
    let (shrunk, _) = seal(&checkpoint(3, Some(&notes[1]), smaller, vec![]));
    let (_, faults) = chain(&[notes.clone(), vec![shrunk]].concat(), &keys);
    assert_eq!(
        faults,
        [ChainFault::Shrunk {
            shard: SHARD,
            checkpoint: 3
        }]
    );
    let twice = chain(&[notes.clone(), notes].concat(), &keys);
    assert_eq!(
        (twice.0.held().len(), twice.1),
        (2, vec![]),
        "the same note twice is one"
    );
}

#[test]
fn older_note_should_be_believed_because_a_newer_one_names_it() {
    let (notes, keys) = notes();
    let head = notes[0].split("\n\n").next().expect("a text");
    let unsigned = format!("{head}\n\n\u{2014} stranger AAAAAAA=\n");
    let (chain, faults) = chain(&[unsigned, notes[1].clone()], &keys);
    assert_eq!((chain.held().len(), faults), (2, vec![]));
}

#[test]
fn event_inserted_anywhere_should_be_named_there() {
    for at in 1..=20u64 {
        let mut log = log();
        let index = usize::try_from(at - 1).expect("small");
        for later in &mut log[index..] {
            later.position += 1;
        }
        let event = Writer::new(stream(1, 77)).event("forged");
        let forged = StoredEvent {
            position: at,
            hlc: Hlc(log[index].hlc.0 - 1),
            envelope: event.envelope,
            payload: event.payload,
            previous: event.previous,
            hash: event.hash,
        };
        log.insert(index, forged);
        let checkpoint = if at <= 10 { 1 } else { 2 };
        assert_eq!(found(&log), [(at, Fault::Inserted { checkpoint })], "at {at}");
    }
}
