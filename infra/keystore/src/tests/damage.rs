//! Files that are lost, foreign, swapped or changed.

use super::*;

#[tokio::test]
async fn lost_or_foreign_files_should_be_named_not_replaced() {
    let dir = TempDir::new().expect("a directory");
    created(&open(&dir), 1).await;
    assert!(matches!(
        refusal(&dir, Some("word")),
        OpenError::PassphraseNotUsed
    ));
    let data = dir.path().join("data");
    let (key, header) = (data.join("key"), data.join("keystore.json"));
    let right = fs::read(&key).expect("the key");
    fs::write(&key, [7; 32]).expect("writes");
    assert!(matches!(refusal(&dir, None), OpenError::KeyFileWrong(_)));
    fs::write(&key, &right[..31]).expect("writes");
    assert!(matches!(refusal(&dir, None), OpenError::KeyFileWrong(_)));
    fs::remove_file(&key).expect("removes");
    assert!(matches!(refusal(&dir, None), OpenError::KeyFileMissing(_)));
    assert!(!key.exists(), "a new key would open nothing and hide the loss");
    fs::write(&key, &right).expect("writes");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("may");
    let text = fs::read(&header).expect("the header");
    fs::remove_file(&header).expect("removes");
    assert!(matches!(refusal(&dir, None), OpenError::HeaderMissing(_)));
    for bad in [&b"{}"[..], b"", &text[..text.len() - 1]] {
        fs::write(&header, bad).expect("writes");
        assert!(matches!(refusal(&dir, None), OpenError::Header(_)));
    }
    fs::write(&header, &text).expect("writes");
    assert!(Keystore::open(&options(&dir, None)).is_ok());
}

#[test]
fn hostile_argon_costs_should_be_refused_before_they_run() {
    let dir = TempDir::new().expect("a directory");
    drop(Keystore::open(&options(&dir, Some("word"))).expect("opens"));
    let header = dir.path().join("data/keystore.json");
    let text = fs::read_to_string(&header).expect("the header");
    let huge = text.replace("\"memoryKib\":65536", "\"memoryKib\":4294967295");
    assert_ne!(huge, text);
    fs::write(&header, huge).expect("writes");
    assert!(matches!(refusal(&dir, Some("word")), OpenError::Header(_)));
}

#[tokio::test]
async fn any_changed_byte_of_a_key_file_should_be_refused() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let (account, public) = created(&store, 1).await;
    let path = key_path(&dir, account);
    let good = fs::read(&path).expect("the file");
    for place in 0..good.len() {
        let mut bytes = good.clone();
        // Bit 5 turns a into A: the same hexadecimal digit, another byte.
        bytes[place] ^= 0x20;
        fs::write(&path, &bytes).expect("writes");
        let signed = store.sign(request(account, &public, 1)).await;
        assert!(
            matches!(signed, Err(KeyError::Store { .. })),
            "byte {place}: {signed:?}"
        );
        let made = store.create(account, KeySuite::Secp256k1).await;
        assert!(made.is_err(), "byte {place}: a damaged key must not be replaced");
    }
    for bytes in [
        &good[..good.len() - 1],
        b"",
        &[&good[..], b"\n"].concat(),
        &[b'x'; 20_000],
    ] {
        fs::write(&path, bytes).expect("writes");
        assert!(store.sign(request(account, &public, 1)).await.is_err());
    }
    fs::write(&path, &good).expect("writes");
    assert!(store.sign(request(account, &public, 1)).await.is_ok());
}

#[tokio::test]
async fn swapped_key_files_should_not_open() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let (one, public) = created(&store, 1).await;
    let (two, _) = created(&store, 2).await;
    fs::copy(key_path(&dir, one), key_path(&dir, two)).expect("copies");
    let error = store
        .sign(request(two, &public, 1))
        .await
        .expect_err("a swapped file");
    assert!(matches!(error, KeyError::Store { .. }), "{error}");
    let other = TempDir::new().expect("a directory");
    let elsewhere = open(&other);
    created(&elsewhere, 1).await;
    fs::copy(key_path(&dir, one), key_path(&other, one)).expect("copies");
    assert!(elsewhere.create(one, KeySuite::Secp256k1).await.is_err());
}
