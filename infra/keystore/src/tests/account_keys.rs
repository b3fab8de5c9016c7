//! Keys of accounts: made once, private, closed by a passphrase, and signing what they are asked.

use super::*;

#[tokio::test]
async fn key_should_be_made_once_and_survive_a_restart() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    assert!(matches!(
        store.source(),
        MasterKeySource::KeyFile { created: true, .. }
    ));
    let (account, public) = created(&store, 1).await;
    assert_eq!(created(&store, 1).await.1, public);
    assert_ne!(created(&store, 2).await.1, public);
    let again = open(&dir);
    assert!(matches!(
        again.source(),
        MasterKeySource::KeyFile { created: false, .. }
    ));
    assert_eq!(created(&again, 1).await.1, public);
    let signed = [&store, &again].map(|s| s.sign(request(account, &public, 7)));
    let [one, two] = futures::future::join_all(signed).await.try_into().expect("two");
    assert_eq!(
        one.expect("signed"),
        two.expect("signed"),
        "RFC 6979: the same bytes"
    );
}

#[tokio::test]
async fn files_should_be_readable_by_their_owner_only() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let (account, _) = created(&store, 1).await;
    store.platform_secret("token-mac").await.expect("a secret");
    store.seal_bytes("org_x", b"", b"plain").await.expect("sealed");
    let data = dir.path().join("data");
    for room in ["", "keys", "subjects", "secrets"] {
        assert_eq!(mode(&data.join(room)), 0o700, "{room}");
    }
    for file in [
        data.join("key"),
        data.join("keystore.json"),
        key_path(&dir, account),
    ] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let key = data.join("key");
    assert_eq!(fs::metadata(&key).expect("exists").len(), 32);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("may");
    let error = refusal(&dir, None).to_string();
    assert!(error.contains("chmod 600") && error.contains("640"), "{error}");
}

#[tokio::test]
async fn passphrase_should_open_only_what_it_closed() {
    let dir = TempDir::new().expect("a directory");
    let right = "correct horse battery staple";
    let store = Keystore::open(&options(&dir, Some(right))).expect("opens");
    assert_eq!(store.source(), &MasterKeySource::Passphrase);
    let (_, public) = created(&store, 1).await;
    assert!(!dir.path().join("data/key").exists());
    assert!(matches!(
        refusal(&dir, Some("correct horse")),
        OpenError::WrongPassphrase
    ));
    assert!(matches!(refusal(&dir, None), OpenError::PassphraseMissing));
    assert!(matches!(refusal(&dir, Some("")), OpenError::PassphraseEmpty));
    let again = Keystore::open(&options(&dir, Some(right))).expect("opens");
    assert_eq!(created(&again, 1).await.1, public);
}

#[tokio::test]
async fn signed_plan_should_assemble() -> Outcome {
    let dir = TempDir::new()?;
    let store = open(&dir);
    let (account, public) = created(&store, 1).await;
    let request = request(account, &public, 9);
    let Plan::Evm(plan) = request.plan.clone();
    let signature = store.sign(request).await?;
    assert_eq!(signature.bytes.len(), 65);
    assert_eq!(
        signature.digest,
        format!("{:#x}", vaultstream_chain_evm::digest(&plan)?)
    );
    assemble(&plan, &signature.bytes)?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn signature_should_recover_to_the_account(nonce in 0u64..u64::MAX, number: u8) {
        let dir = TempDir::new().expect("a directory");
        let store = open(&dir);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (account, public) = created(&store, number).await;
            let signature = store.sign(request(account, &public, nonce)).await.expect("signed");
            let digest = hex::decode(&signature.digest[2..]).expect("hex");
            let ecdsa = Ecdsa::from_slice(&signature.bytes[..64]).expect("r and s");
            prop_assert!(ecdsa.normalize_s().is_none(), "s is in its lower half");
            let recovery = RecoveryId::from_byte(signature.bytes[64]).expect("0 or 1");
            let key = VerifyingKey::recover_from_prehash(&digest, &ecdsa, recovery).expect("recovers");
            let point = key.to_encoded_point(true);
            prop_assert_eq!(point.as_bytes(), &public[..]);
            Ok(())
        })?;
    }
}
