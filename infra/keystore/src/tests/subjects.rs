//! Subjects' keys: sealed, opened, erased.

use super::*;

#[tokio::test]
async fn sealed_value_should_open_for_its_subject_only() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let sealed = store.seal_bytes("org_a", b"type", b"Ada").await.expect("sealed");
    let opened = open(&dir).open_bytes("org_a", b"type", &sealed).await;
    assert_eq!(opened.expect("opens after a restart"), b"Ada");
    assert!(!sealed.1.windows(3).any(|w| w == b"Ada"));
    store.seal_bytes("org_b", b"type", b"Bob").await.expect("sealed");
    let mut cut = sealed.clone();
    cut.1.truncate(3);
    for (subject, aad, value) in [
        ("org_b", &b"type"[..], &sealed),
        ("org_a", b"other", &sealed),
        ("org_c", b"type", &sealed),
        ("org_a", b"type", &cut),
    ] {
        let error = store
            .open_bytes(subject, aad, value)
            .await
            .expect_err("must not open");
        let is_absent = matches!(error, KeyringError::Absent(_));
        assert!(
            matches!(error, KeyringError::Damaged(_)) || is_absent && subject == "org_c",
            "{subject}: {error}"
        );
    }
    for bad in [String::new(), "x".repeat(129)] {
        let error = store.seal_bytes(&bad, b"", b"").await.expect_err("no subject");
        assert!(matches!(error, KeyringError::Store { .. }));
    }
}

#[tokio::test]
async fn erased_subject_should_stay_erased() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let sealed = store.seal_bytes("org_a", b"", b"Ada").await.expect("sealed");
    let kept = store.seal_bytes("org_b", b"", b"Bob").await.expect("sealed");
    let subjects = dir.path().join("data/subjects");
    let before: Vec<_> = fs::read_dir(&subjects)
        .expect("lists")
        .flatten()
        .map(|e| fs::read(e.path()))
        .collect();
    let held = fs::File::open(subjects.join(hashed("org_a"))).expect("opens");
    store.erase("org_a").await.expect("erased");
    store.erase("org_a").await.expect("twice is once");
    store.erase("org_never").await.expect("even unseen");
    for store in [store, open(&dir)] {
        for subject in ["org_a", "org_never"] {
            let sealing = store.seal_bytes(subject, b"", b"x").await.expect_err("erased");
            assert!(matches!(sealing, KeyringError::Erased(s) if s == subject));
        }
        let opening = store.open_bytes("org_a", b"", &sealed).await.expect_err("erased");
        assert!(matches!(opening, KeyringError::Erased(_)));
        assert_eq!(
            store.open_bytes("org_b", b"", &kept).await.expect("untouched"),
            b"Bob"
        );
    }
    let wiped = std::io::read_to_string(held).expect("the old file");
    assert!(wiped.bytes().all(|b| b == 0), "the old bytes are overwritten");
    let after: Vec<_> = fs::read_dir(&subjects)
        .expect("lists")
        .flatten()
        .map(|e| fs::read(e.path()))
        .collect();
    assert_eq!(
        (before.len(), after.len()),
        (2, 3),
        "a tombstone each, no leftovers"
    );
}

fn hashed(subject: &str) -> String {
    use sha2::Digest;
    format!("{}.json", hex::encode(sha2::Sha256::digest(subject)))
}
