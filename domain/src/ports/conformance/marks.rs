//! The contract of the list of marks as code.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_event_schemas::Timestamp;
use vaultstream_event_schemas::mark::Mark;
use vaultstream_event_schemas::note::{Note, NoteSignature};

use crate::ports::Marks;
use crate::ports::marks::{KeptMark, MAX_MARKS_READ, MarksError};

/// Makes lists of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Marks: Marks + 'static;
    /// A new, empty one.
    async fn fresh(&self) -> Self::Marks;
    /// Closes it and opens the same storage again.
    async fn reopen(&self, list: Self::Marks) -> Self::Marks;
}

/// A mark that a store takes; `salt` makes two of one number differ. Its signature is none.
pub fn sample(number: u64, salt: i64) -> KeptMark {
    let mark = Mark {
        origin: "vaultstream/test/log".to_owned(),
        number,
        marked_at: Timestamp::from_micros(1_795_000_000_000_000 + salt),
        previous: (number > 1).then_some([7; 32]),
        checkpoint: None,
        release: None,
        shards: Vec::new(),
        binds: Vec::new(),
    };
    let signature = NoteSignature {
        name: mark.origin.clone(),
        id: 1,
        bytes: vec![1; 3_309],
    };
    let note = Note::try_new(mark.to_string(), vec![signature]).expect("a note");
    KeptMark {
        number,
        note: note.to_string(),
    }
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    list_should_be_dense_and_outlive_a_restart(harness).await;
    wrong_numbers_should_be_refused(&harness.fresh().await).await;
    reads_should_be_bounded(&harness.fresh().await).await;
    one_of_two_at_once_should_be_refused(harness.fresh().await).await;
}

async fn list_should_be_dense_and_outlive_a_restart(harness: &impl Harness) {
    let list = harness.fresh().await;
    assert_eq!(list.newest().await.expect("readable"), None);
    assert_eq!(list.read(0, 10).await.expect("readable"), vec![]);
    let all: Vec<_> = (1..=5).map(|number| sample(number, 0)).collect();
    for mark in &all {
        list.append(mark).await.expect("kept");
        assert_eq!(list.newest().await.expect("readable").as_ref(), Some(mark));
    }
    let list = harness.reopen(list).await;
    assert_eq!(list.newest().await.expect("readable").as_ref(), all.last());
    assert_eq!(list.read(0, 10).await.expect("readable"), all);
    list.append(&sample(6, 0)).await.expect("goes on");
}

async fn wrong_numbers_should_be_refused(list: &impl Marks) {
    let refused = |result: Result<(), MarksError>, newest: u64| match result {
        Err(MarksError::Number { newest: found, .. }) => assert_eq!(found, newest),
        other => panic!("not refused: {other:?}"),
    };
    refused(list.append(&sample(2, 0)).await, 0);
    list.append(&sample(1, 0)).await.expect("kept");
    list.append(&sample(2, 0)).await.expect("kept");
    list.append(&sample(2, 0))
        .await
        .expect("the newest may be sent again");
    refused(list.append(&sample(2, 1)).await, 2);
    refused(list.append(&sample(1, 0)).await, 2);
    refused(list.append(&sample(4, 0)).await, 2);
    let torn = KeptMark {
        number: 3,
        note: "no note".to_owned(),
    };
    let lying = KeptMark {
        number: 3,
        ..sample(4, 0)
    };
    for wrong in [torn, lying] {
        let malformed = list.append(&wrong).await;
        assert!(
            matches!(malformed, Err(MarksError::Malformed { number: 3 })),
            "{malformed:?}"
        );
    }
    assert_eq!(
        list.read(0, 10).await.expect("readable"),
        [sample(1, 0), sample(2, 0)]
    );
}

async fn reads_should_be_bounded(list: &impl Marks) {
    let last = MAX_MARKS_READ as u64 + 2;
    for number in 1..=last {
        list.append(&sample(number, 0)).await.expect("kept");
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

async fn one_of_two_at_once_should_be_refused(list: impl Marks + 'static) {
    let list = Arc::new(list);
    for number in 1..=20 {
        let (a, b) = (sample(number, 1), sample(number, 2));
        let (first, second) = futures::join!(list.append(&a), list.append(&b));
        assert!(first.is_ok() != second.is_ok(), "{first:?} and {second:?}");
        let kept = if first.is_ok() { a } else { b };
        assert_eq!(list.newest().await.expect("readable"), Some(kept));
    }
}
