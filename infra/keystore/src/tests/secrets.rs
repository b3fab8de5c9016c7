//! The installation's own secrets, and that none is shown.

use super::*;

#[tokio::test]
async fn platform_secret_should_be_stable_and_distinct() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let one = store.platform_secret("token-mac").await.expect("a secret");
    assert_ne!(store.platform_secret("cursor-mac").await.expect("a secret"), one);
    assert_eq!(
        open(&dir).platform_secret("token-mac").await.expect("a secret"),
        one
    );
    let raced = (0..16).map(|_| store.platform_secret("raced"));
    let raced = futures::future::try_join_all(raced).await.expect("secrets");
    assert!(raced.iter().all(|s| *s == raced[0]));
    for bad in ["", "../key", "Upper", "a b"] {
        assert!(store.platform_secret(bad).await.is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn nothing_secret_should_be_shown() {
    let dir = TempDir::new().expect("a directory");
    let phrase = "open sesame 4711";
    let options = options(&dir, Some(phrase));
    let store = Keystore::open(&options).expect("opens");
    let (account, public) = created(&store, 1).await;
    let key = store.inner.account_key(account).expect("reads").expect("a key");
    let secrets = [
        phrase.to_owned(),
        hex::encode(key.to_bytes()),
        hex::encode(store.inner.master.bytes()),
        format!("{:?}", store.inner.master.bytes()),
        format!("{:?}", key.to_bytes().to_vec()),
    ];
    let mut shown = vec![format!("{options:?} {store:?} {:?} {key:?}", store.inner.master)];
    shown.push(format!("{:?}", refusal(&dir, Some("open sesame 4712"))));
    let path = key_path(&dir, account);
    fs::write(&path, "{}").expect("writes");
    let error = store
        .sign(request(account, &public, 1))
        .await
        .expect_err("damaged");
    shown.push(format!("{error} {error:?}"));
    for secret in &secrets {
        assert!(
            shown.iter().all(|text| !text.contains(secret.as_str())),
            "{shown:?}"
        );
    }
    let files = fs::read(&path).expect("reads");
    assert!(
        !secrets
            .iter()
            .any(|s| files.windows(s.len()).any(|w| w == s.as_bytes()))
    );
}
