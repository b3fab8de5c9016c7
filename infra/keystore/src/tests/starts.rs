//! Writers that were killed, and several at once.

use super::*;

#[tokio::test]
async fn leftover_of_a_killed_writer_should_disturb_nobody() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let (account, public) = created(&store, 1).await;
    let good = fs::read(key_path(&dir, account)).expect("the file");
    let (next, killed) = (self::account(2), dir.path().join("data/keys/x.00ff.writing"));
    fs::write(&killed, &good[..good.len() / 2]).expect("writes");
    drop(store);
    let store = open(&dir);
    assert!(killed.exists(), "it may belong to a living writer");
    assert_eq!(created(&store, 1).await.1, public);
    assert!(matches!(store.sign(request(next, &public, 1)).await, Err(KeyError::Unknown(a)) if a == next));
    assert!(store.create(next, KeySuite::Secp256k1).await.is_ok());
    let file = fs::File::options().write(true).open(&killed).expect("opens");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    file.set_modified(old).expect("may");
    open(&dir);
    assert!(!killed.exists());
}

#[tokio::test]
async fn killed_first_start_should_be_resumed() {
    let dir = TempDir::new().expect("a directory");
    open(&dir);
    let header = dir.path().join("data/keystore.json");
    fs::remove_file(&header).expect("as if killed between key and header");
    let store = open(&dir);
    assert!(matches!(
        store.source(),
        MasterKeySource::KeyFile { created: false, .. }
    ));
    created(&store, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_creators_should_agree_on_one_key() {
    let dir = TempDir::new().expect("a directory");
    // Separate keystores share nothing but the directory, as processes would.
    let stores: Vec<_> = (0..4).map(|_| open(&dir)).collect();
    for number in 0..10 {
        let calls = (0..16).map(|i| {
            let store = stores[i % 4].clone();
            tokio::spawn(async move { created(&store, number).await.1 })
        });
        let keys = futures::future::try_join_all(calls).await.expect("no panic");
        assert!(keys.iter().all(|key| *key == keys[0]), "account {number}");
    }
    let entries = fs::read_dir(dir.path().join("data/keys")).expect("lists").count();
    assert_eq!(entries, 10, "no leftovers");
}
