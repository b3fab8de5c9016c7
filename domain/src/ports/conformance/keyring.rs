//! The contract of the keyring as code.

use async_trait::async_trait;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;

use crate::ports::Keyring;
use crate::ports::keyring::{KeyringError, SealedBytes};

const PLAIN: &[u8] = b"Ada Lovelace, ada@example.org";
const AAD: &[u8] = b"conformance";

/// Makes keyrings of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Keyring: Keyring + 'static;
    /// A new one, without any key.
    async fn fresh(&self) -> Self::Keyring;
    /// Another handle to the same storage, as another process has one.
    async fn another(&self, keyring: &Self::Keyring) -> Self::Keyring;
    /// Everything the storage holds, as bytes.
    async fn bytes(&self, keyring: &Self::Keyring) -> Vec<u8>;
    /// A copy of the storage, for [`Self::put_back`].
    async fn copy(&self, keyring: &Self::Keyring) -> Vec<u8>;
    /// Puts a copy back in the place of what is there now, and opens it.
    async fn put_back(&self, keyring: Self::Keyring, copy: &[u8]) -> Self::Keyring;
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    value_should_open_for_its_subject_and_purpose_only(&harness.fresh().await).await;
    erased_subject_should_stay_erased_everywhere(harness).await;
    erasure_should_be_repeatable_and_need_no_key(&harness.fresh().await).await;
    erased_key_should_be_gone_from_the_store(harness).await;
    erasure_should_win_every_race_against_seals(harness).await;
    mark_should_be_kept_and_go_back_with_the_keys(harness).await;
    secret_should_be_stable(harness).await;
}

async fn sealed(keyring: &impl Keyring, subject: &str) -> SealedBytes {
    let sealed = keyring.seal_bytes(subject, AAD, PLAIN).await;
    sealed.expect("sealed")
}

async fn refused(keyring: &impl Keyring, subject: &str, sealed: &SealedBytes) -> KeyringError {
    let opened = keyring.open_bytes(subject, AAD, sealed).await;
    opened.expect_err("must not open")
}

fn is_erased<T>(answer: Result<T, KeyringError>, subject: &str) -> bool {
    matches!(answer, Err(KeyringError::Erased(named)) if named == subject)
}

/// A ciphertext opens for the subject it was sealed for, under the same associated data, unchanged.
pub async fn value_should_open_for_its_subject_and_purpose_only(keyring: &impl Keyring) {
    let value = sealed(keyring, "trf_a").await;
    let opened = keyring.open_bytes("trf_a", AAD, &value).await;
    assert_eq!(opened.expect("opens"), PLAIN);
    assert!(!value.1.windows(8).any(|w| PLAIN.windows(8).any(|p| p == w)));
    sealed(keyring, "trf_b").await;
    let other = refused(keyring, "trf_b", &value).await;
    assert!(matches!(other, KeyringError::Damaged(_)), "{other}");
    let absent = refused(keyring, "trf_never", &value).await;
    assert!(matches!(absent, KeyringError::Absent(_)), "{absent}");
    let moved = keyring.open_bytes("trf_a", b"another type", &value).await;
    assert!(matches!(moved, Err(KeyringError::Damaged(_))));
    let mut changed = value.clone();
    changed.1[0] ^= 1;
    let changed = refused(keyring, "trf_a", &changed).await;
    assert!(matches!(changed, KeyringError::Damaged(_)), "{changed}");
}

/// Once erasing is acknowledged nothing opens or seals for the subject, in no process, after no restart; others go on.
pub async fn erased_subject_should_stay_erased_everywhere(harness: &impl Harness) {
    let keyring = harness.fresh().await;
    let (dead, alive) = (sealed(&keyring, "trf_a").await, sealed(&keyring, "trf_b").await);
    let elsewhere = harness.another(&keyring).await;
    let opened = elsewhere.open_bytes("trf_a", AAD, &dead).await;
    assert_eq!(
        opened.expect("opens before"),
        PLAIN,
        "whatever it keeps, it keeps now"
    );
    keyring.erase("trf_a").await.expect("erased");
    let restarted = harness.another(&keyring).await;
    for one in [&keyring, &elsewhere, &restarted] {
        assert!(is_erased(one.open_bytes("trf_a", AAD, &dead).await, "trf_a"));
        assert!(is_erased(one.seal_bytes("trf_a", AAD, PLAIN).await, "trf_a"));
        assert!(one.is_erased("trf_a").await.expect("answers"));
        assert!(!one.is_erased("trf_b").await.expect("answers"));
        let opened = one.open_bytes("trf_b", AAD, &alive).await;
        assert_eq!(opened.expect("untouched"), PLAIN);
    }
}

/// Erasing twice, and erasing what never had a key, is answered alike.
pub async fn erasure_should_be_repeatable_and_need_no_key(keyring: &impl Keyring) {
    sealed(keyring, "org_a").await;
    for subject in ["org_a", "org_a", "org_never"] {
        keyring.erase(subject).await.expect("erased");
        assert!(is_erased(keyring.seal_bytes(subject, AAD, PLAIN).await, subject));
    }
    assert!(!keyring.is_erased("org_unseen").await.expect("answers"));
}

/// Of the record of a destroyed key nothing is left, be it ever so well encrypted.
pub async fn erased_key_should_be_gone_from_the_store(harness: &impl Harness) {
    let keyring = harness.fresh().await;
    let without = harness.bytes(&keyring).await;
    sealed(&keyring, "trf_a").await;
    let with = harness.bytes(&keyring).await;
    let is_new = |window: &&[u8]| !without.windows(window.len()).any(|known| known == *window);
    // Long runs of hexadecimal, base64 or raw bytes can only be the key's own record.
    let of_the_key: Vec<_> = with.windows(40).filter(is_new).collect();
    assert!(!of_the_key.is_empty(), "the store holds the key somewhere");
    keyring.erase("trf_a").await.expect("erased");
    let after = harness.bytes(&keyring).await;
    let left = of_the_key
        .iter()
        .filter(|window| after.windows(window.len()).any(|known| known == **window))
        .count();
    // What names the subject and the form of a record stays; the key's own bytes are at least 48.
    assert!(
        left + 40 <= of_the_key.len(),
        "{left} of {} runs are left",
        of_the_key.len()
    );
}

/// However seals and an erasure meet, a value that was sealed in time opens until the erasure, and none after it.
pub async fn erasure_should_win_every_race_against_seals(harness: &impl Harness) {
    let keyring = harness.fresh().await;
    let other = harness.another(&keyring).await;
    for round in 0..20 {
        let subject = format!("trf_{round}");
        let seals = futures::future::join_all((0..4).map(|n| {
            let keyring = if n % 2 == 0 { &keyring } else { &other };
            keyring.seal_bytes(&subject, AAD, PLAIN)
        }));
        let (seals, erased) = futures::join!(seals, other.erase(&subject));
        erased.expect("erased");
        for answer in seals {
            match answer {
                Ok(value) => {
                    let error = refused(&keyring, &subject, &value).await;
                    assert!(matches!(error, KeyringError::Erased(_)), "{error}");
                }
                Err(error) => assert!(matches!(error, KeyringError::Erased(_)), "{error}"),
            }
        }
        assert!(is_erased(
            keyring.seal_bytes(&subject, AAD, PLAIN).await,
            &subject
        ));
    }
}

/// The keyring remembers up to where erasures were carried out; old keys bring their old memory back with them.
pub async fn mark_should_be_kept_and_go_back_with_the_keys(harness: &impl Harness) {
    let keyring = harness.fresh().await;
    let (shard, other) = (ShardNumber(3), ShardNumber(4));
    let place = |position| Place {
        incarnation: 1,
        position,
    };
    assert_eq!(keyring.carried_out(shard).await.expect("answers"), None);
    keyring.note_carried_out(shard, place(7)).await.expect("noted");
    let value = sealed(&keyring, "trf_a").await;
    let copy = harness.copy(&keyring).await;
    keyring.erase("trf_a").await.expect("erased");
    keyring.note_carried_out(shard, place(9)).await.expect("noted");
    let again = harness.another(&keyring).await;
    assert_eq!(again.carried_out(shard).await.expect("answers"), Some(place(9)));
    assert_eq!(again.carried_out(other).await.expect("answers"), None);
    drop(again);
    let back = harness.put_back(keyring, &copy).await;
    assert_eq!(
        back.carried_out(shard).await.expect("answers"),
        Some(place(7)),
        "so that the log's erasures since are carried out again"
    );
    back.erase("trf_a").await.expect("erased again");
    assert!(is_erased(back.open_bytes("trf_a", AAD, &value).await, "trf_a"));
}

/// A secret of the installation is made once.
pub async fn secret_should_be_stable(harness: &impl Harness) {
    let keyring = harness.fresh().await;
    let secret = keyring.platform_secret("conformance").await.expect("made");
    let again = harness.another(&keyring).await;
    assert_eq!(again.platform_secret("conformance").await.expect("kept"), secret);
    assert_ne!(again.platform_secret("another").await.expect("made"), secret);
}
