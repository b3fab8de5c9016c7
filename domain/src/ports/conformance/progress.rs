//! The contract of progress as code.

use async_trait::async_trait;

use crate::ports::Progress;

/// Makes notebooks of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Progress: Progress;
    /// A new, empty one.
    async fn fresh(&self) -> Self::Progress;
    /// Closes it and opens the same storage again.
    async fn reopen(&self, progress: Self::Progress) -> Self::Progress;
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    let notes = harness.fresh().await;
    assert_eq!(notes.load("a").await.expect("readable"), None);
    notes.save("a", b"one").await.expect("kept");
    notes.save("b", b"").await.expect("kept");
    notes.save("a", b"two").await.expect("kept");
    let largest = vec![7; 64 << 10];
    notes.save(&"n".repeat(128), &largest).await.expect("kept");

    let notes = harness.reopen(notes).await;
    assert_eq!(
        notes.load("a").await.expect("readable").as_deref(),
        Some(&b"two"[..]),
        "replaced whole"
    );
    assert_eq!(
        notes.load("b").await.expect("readable").as_deref(),
        Some(&b""[..]),
        "empty is not absent"
    );
    assert_eq!(
        notes.load(&"n".repeat(128)).await.expect("readable"),
        Some(largest)
    );

    notes
        .save("too much", &vec![0; (64 << 10) + 1])
        .await
        .expect_err("over 64 KiB");
    notes
        .save(&"n".repeat(129), b"x")
        .await
        .expect_err("over 128 characters");
    assert_eq!(
        notes.load("too much").await.expect("readable"),
        None,
        "nothing of a refused note is kept"
    );
}
