//! The contract of a list of signed notes as code.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_event_schemas::mark::Mark;
use vaultstream_event_schemas::note::{Note, NoteSignature};
use vaultstream_event_schemas::{Checkpoint, Timestamp};

use crate::ports::NoteList;
use crate::ports::note_list::{KeptNote, NoteKind, NoteListError};

/// Makes lists of one adapter and one kind.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type List: NoteList + 'static;
    /// What its lists are of.
    fn kind(&self) -> NoteKind;
    /// A new, empty one.
    async fn fresh(&self) -> Self::List;
    /// Closes it and opens the same storage again.
    async fn reopen(&self, list: Self::List) -> Self::List;
}

/// A note that a list takes; `salt` makes two of one number differ. Its signature is none.
pub fn sample(kind: NoteKind, number: u64, salt: i64) -> KeptNote {
    let origin = "vaultstream/test/log".to_owned();
    let (name, at) = (
        origin.clone(),
        Timestamp::from_micros(1_795_000_000_000_000 + salt),
    );
    let previous = (number > 1).then_some([7; 32]);
    let text = match kind {
        NoteKind::Checkpoint => Checkpoint {
            origin,
            number,
            sealed_at: at,
            previous,
            shards: Vec::new(),
            losses: Vec::new(),
        }
        .to_string(),
        NoteKind::Mark => Mark {
            origin,
            number,
            marked_at: at,
            previous,
            checkpoint: None,
            release: None,
            shards: Vec::new(),
            binds: Vec::new(),
        }
        .to_string(),
    };
    let signature = NoteSignature {
        name,
        id: 1,
        bytes: vec![1; 3_309],
    };
    let note = Note::try_new(text, vec![signature]).expect("a note").to_string();
    KeptNote { number, note }
}

/// Runs the whole suite.
pub async fn suite<H: Harness>(harness: &H) {
    let kind = harness.kind();
    list_should_be_dense_and_outlive_a_restart(harness).await;
    wrong_numbers_should_be_refused(kind, &harness.fresh().await).await;
    reads_should_be_bounded(kind, &harness.fresh().await).await;
    one_of_two_at_once_should_be_refused(kind, harness.fresh().await).await;
}

async fn list_should_be_dense_and_outlive_a_restart<H: Harness>(harness: &H) {
    let sample = |number| sample(harness.kind(), number, 0);
    let list = harness.fresh().await;
    assert_eq!(list.newest().await.expect("readable"), None);
    assert_eq!(list.read(0, 10).await.expect("readable"), vec![]);
    let all: Vec<_> = (1..=5).map(sample).collect();
    for note in &all {
        list.append(note).await.expect("kept");
        assert_eq!(list.newest().await.expect("readable").as_ref(), Some(note));
    }
    let list = harness.reopen(list).await;
    assert_eq!(list.newest().await.expect("readable").as_ref(), all.last());
    assert_eq!(list.read(0, 10).await.expect("readable"), all);
    list.append(&sample(6)).await.expect("goes on");
}

async fn wrong_numbers_should_be_refused(kind: NoteKind, list: &impl NoteList) {
    let refused = |result: Result<(), NoteListError>, newest: u64| match result {
        Err(NoteListError::Number { newest: found, .. }) => assert_eq!(found, newest),
        other => panic!("not refused: {other:?}"),
    };
    refused(list.append(&sample(kind, 2, 0)).await, 0);
    list.append(&sample(kind, 1, 0)).await.expect("kept");
    list.append(&sample(kind, 2, 0)).await.expect("kept");
    list.append(&sample(kind, 2, 0))
        .await
        .expect("the newest may be sent again");
    refused(list.append(&sample(kind, 2, 1)).await, 2);
    refused(list.append(&sample(kind, 1, 0)).await, 2);
    refused(list.append(&sample(kind, 4, 0)).await, 2);
    let other = match kind {
        NoteKind::Checkpoint => NoteKind::Mark,
        NoteKind::Mark => NoteKind::Checkpoint,
    };
    let torn = KeptNote {
        number: 3,
        note: "no note".to_owned(),
    };
    let lying = KeptNote {
        number: 3,
        ..sample(kind, 4, 0)
    };
    for wrong in [torn, lying, sample(other, 3, 0)] {
        let malformed = list.append(&wrong).await;
        assert!(
            matches!(malformed, Err(NoteListError::Malformed { number: 3, .. })),
            "{malformed:?}"
        );
    }
    assert_eq!(
        list.read(0, 10).await.expect("readable"),
        [sample(kind, 1, 0), sample(kind, 2, 0)]
    );
}

async fn reads_should_be_bounded(kind: NoteKind, list: &impl NoteList) {
    let last = kind.page() as u64 + 2;
    for number in 1..=last {
        list.append(&sample(kind, number, 0)).await.expect("kept");
    }
    for (after, limit, expected) in [
        (0, 2, 1..3),
        (2, 2, 3..5),
        (0, usize::MAX, 1..last - 1),
        (last - 1, 5, last..last + 1),
        (last, 5, 0..0),
        (u64::MAX, 5, 0..0),
        (0, 0, 0..0),
    ] {
        let numbers = list.read(after, limit).await.expect("readable");
        let numbers: Vec<u64> = numbers.iter().map(|kept| kept.number).collect();
        assert_eq!(
            numbers,
            expected.collect::<Vec<_>>(),
            "after {after}, at most {limit}"
        );
    }
}

async fn one_of_two_at_once_should_be_refused(kind: NoteKind, list: impl NoteList + 'static) {
    let list = Arc::new(list);
    for number in 1..=20 {
        let (a, b) = (sample(kind, number, 1), sample(kind, number, 2));
        let (first, second) = futures::join!(list.append(&a), list.append(&b));
        assert!(first.is_ok() != second.is_ok(), "{first:?} and {second:?}");
        let kept = if first.is_ok() { a } else { b };
        assert_eq!(list.newest().await.expect("readable"), Some(kept));
    }
}
