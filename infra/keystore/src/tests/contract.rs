//! The keyring's contract, on files.

use std::sync::Mutex;

use async_trait::async_trait;
use vaultstream_domain::ports::conformance::keyring::{self, Harness};

use super::*;

#[derive(Default)]
struct OnFiles {
    dirs: Mutex<Vec<TempDir>>,
}

impl OnFiles {
    fn open_at(path: &Path) -> Keystore {
        let dir = path.to_owned();
        Keystore::open(&Options {
            dir,
            passphrase: None,
        })
        .expect("opens")
    }
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("lists").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.clone(), fs::read(&path).expect("reads")));
        }
    }
    all.sort();
    all
}

#[async_trait]
impl Harness for OnFiles {
    type Keyring = Keystore;

    async fn fresh(&self) -> Keystore {
        let dir = TempDir::new().expect("a directory");
        let store = open(&dir);
        self.dirs.lock().expect("sound").push(dir);
        store
    }

    async fn another(&self, keyring: &Keystore) -> Keystore {
        Self::open_at(keyring.inner.directory.path())
    }

    async fn bytes(&self, keyring: &Keystore) -> Vec<u8> {
        let all = files(keyring.inner.directory.path());
        all.into_iter().flat_map(|(_, bytes)| bytes).collect()
    }

    async fn copy(&self, keyring: &Keystore) -> Vec<u8> {
        serde_json::to_vec(&files(keyring.inner.directory.path())).expect("JSON")
    }

    async fn put_back(&self, keyring: Keystore, copy: &[u8]) -> Keystore {
        let dir = keyring.inner.directory.path().to_owned();
        drop(keyring);
        for (path, _) in files(&dir) {
            fs::remove_file(path).expect("may");
        }
        let copied: Vec<(PathBuf, Vec<u8>)> = serde_json::from_slice(copy).expect("a copy");
        for (path, bytes) in copied {
            fs::write(&path, bytes).expect("may");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("may");
        }
        Self::open_at(&dir)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keystore_should_keep_the_contract_of_a_keyring() {
    keyring::suite(&OnFiles::default()).await;
}

#[tokio::test]
async fn damaged_mark_should_mean_the_beginning() {
    let dir = TempDir::new().expect("a directory");
    let (store, shard) = (open(&dir), vaultstream_event_schemas::ShardNumber(2));
    let place = vaultstream_event_schemas::token::Place {
        incarnation: 1,
        position: 5,
    };
    store.note_carried_out(shard, place).await.expect("noted");
    let file = dir.path().join("data/erasures/2.json");
    assert_eq!(mode(&file), 0o600);
    fs::copy(&file, dir.path().join("data/erasures/3.json")).expect("may");
    let moved = store.carried_out(vaultstream_event_schemas::ShardNumber(3)).await;
    assert_eq!(moved.expect("answers"), None, "another shard's mark");
    fs::write(&file, b"{}").expect("may");
    assert_eq!(store.carried_out(shard).await.expect("answers"), None);
}
