//! `audit prove` and `audit check-proof`: one event, and the way from it to a signature.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result, bail, ensure};
use vaultstream_domain::error::Causes;
use vaultstream_event_schemas::checkpoint::{Checkpoint, ShardRoot};
use vaultstream_event_schemas::envelope::{Hash, StoredEvent};
use vaultstream_event_schemas::merkle::{Frontier, PathBuilder};
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::proof::{MAX_PROOF, Proof};

use super::files::{Notes, keys};
use super::scan::Given;
use super::{CheckProof, Prove};

/// Writes a proof.
pub fn run(options: &Prove) -> Result<()> {
    let shard = options.event.stream.shard();
    let mut notes = Notes::read(&options.checkpoint)?;
    notes.extend(options.which.local_notes()?);
    let mut event: Option<Box<StoredEvent>> = None;
    let mut leaves: Vec<Option<Hash>> = Vec::new();
    options.which.source()?.scan(Some(options.event), |given| {
        if let Given::Event(item) = given
            && item.shard == shard
        {
            leaves.push(item.seen.leaf(shard));
            event = event.take().or(item.event);
        }
    })?;
    let event = event.with_context(|| format!("there is no event {} in the log", options.event))?;
    let (note, root) = covering(&notes, &event).with_context(|| {
        format!(
            "no checkpoint that was given covers {}; wait for the next one",
            options.event
        )
    })?;
    let size = usize::try_from(root.size).unwrap_or(usize::MAX);
    let leaves: Option<Vec<Hash>> = leaves.into_iter().take(size).collect();
    let leaves = leaves.filter(|leaves| leaves.len() == size);
    let leaves = leaves.with_context(|| {
        format!("shard {shard} ends before checkpoint, or cannot be read; run `audit verify`")
    })?;
    let mut tree = Frontier::default();
    let before = event.position.checked_sub(1);
    let path = before.and_then(|before| PathBuilder::try_new(before, root.size));
    let mut path = path.context("the event is not covered")?;
    for leaf in leaves {
        tree.push(leaf);
        path.pass(leaf);
    }
    ensure!(
        tree.root() == root.root,
        "shard {shard} is not the one that was sealed; run `audit verify` to learn where it differs"
    );
    let proof = Proof {
        event: *event,
        path: path.finish().context("some leaves are missing")?,
        checkpoint: note,
    };
    let shown = options.out.display();
    let mut file = File::create_new(&options.out)
        .with_context(|| format!("{shown} cannot be written; choose a new file with --out"))?;
    file.write_all(&proof.to_file()?)?;
    file.sync_all()?;
    println!(
        "{} is at position {} of shard {shard}; its path of {} bytes is in {shown}",
        options.event,
        proof.event.position,
        proof.path_bytes()
    );
    Ok(())
}

/// The newest checkpoint that covers an event.
fn covering(notes: &Notes, event: &StoredEvent) -> Option<(String, ShardRoot)> {
    let covering = notes.iter().filter_map(|(_, note)| {
        let checkpoint: Checkpoint = Note::parse(note).ok()?.text().parse().ok()?;
        let root = *checkpoint.shard(event.envelope.shard)?;
        (root.size >= event.position).then(|| (checkpoint.number, note.to_owned(), root))
    });
    let (_, note, root) = covering.max_by_key(|(number, ..)| *number)?;
    Some((note, root))
}

/// Checks a proof; `false` when it does not hold.
pub fn check(options: &CheckProof) -> Result<bool> {
    let keys = keys(&options.keys)?;
    let shown = options.proof.display();
    let length = std::fs::metadata(&options.proof)
        .with_context(|| format!("{shown} cannot be read"))?
        .len();
    if length > MAX_PROOF as u64 {
        bail!("{shown} is larger than any proof");
    }
    let bytes = std::fs::read(&options.proof).with_context(|| format!("{shown} cannot be read"))?;
    match Proof::from_file(&bytes).and_then(|proof| proof.check(&keys)) {
        Ok(proven) => {
            println!(
                "proven: {} stands at position {} of shard {} in checkpoint {} of {}",
                proven.event, proven.position, proven.shard, proven.checkpoint, proven.sealed_at
            );
            Ok(true)
        }
        Err(error) => {
            println!("NOT proven: {}", Causes(&error));
            Ok(false)
        }
    }
}
