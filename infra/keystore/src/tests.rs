//! Faults at every boundary of the keystore: changed bytes, wrong keys, killed writers, races, erasure.

mod contract;
mod damage;
mod secrets;
mod signing;
mod starts;
mod subjects;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use k256::ecdsa::{RecoveryId, Signature as Ecdsa, VerifyingKey};
use proptest::prelude::*;
use tempfile::TempDir;
use vaultstream_chain_evm::{address_of, assemble, checksummed, plan};
use vaultstream_domain::ports::keyring::KeyringError;
use vaultstream_domain::ports::keys::{KeyError, KeySuite, SignRequest};
use vaultstream_domain::ports::{AccountKeys, Keyring, Signing};
use vaultstream_event_schemas::chain::{BlockRef, FeeQuote, Intent, Plan};
use vaultstream_event_schemas::{AccountId, Amount, AssetId};

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const TO: &str = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";

fn options(dir: &TempDir, passphrase: Option<&str>) -> Options {
    Options {
        dir: dir.path().join("data"),
        passphrase: passphrase.map(|p| Secret::new(p.to_owned())),
    }
}

fn open(dir: &TempDir) -> Keystore {
    Keystore::open(&options(dir, None)).expect("opens")
}

fn refusal(dir: &TempDir, passphrase: Option<&str>) -> OpenError {
    Keystore::open(&options(dir, passphrase)).expect_err("must be refused")
}

fn account(number: u8) -> AccountId {
    AccountId::from_uuid(uuid::Builder::from_custom_bytes([number; 16]).into_uuid())
}

fn key_path(dir: &TempDir, account: AccountId) -> PathBuf {
    dir.path().join(format!("data/keys/{account}.json"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

/// A request that the account's own plan pays one minor unit of a chain's native asset.
fn request(account: AccountId, public: &[u8], nonce: u64) -> SignRequest {
    let intent = Intent {
        amount: Amount::from_u128(1),
        asset: AssetId::try_new("eip155:31337/slip44:60").expect("an asset"),
        destination: TO.to_owned(),
        source: checksummed(&address_of(public).expect("a point")),
    };
    let wei = Amount::from_u128(1_000_000_000);
    let at = BlockRef {
        hash: String::new(),
        height: 0,
    };
    let quote = FeeQuote {
        at,
        ceiling: wei,
        floor: wei,
        target: wei,
        tip: wei,
    };
    let plan = plan(&intent, 31_337, nonce, 21_000, &quote, None).expect("a plan");
    SignRequest {
        account,
        intent,
        plan: Plan::Evm(plan),
    }
}

async fn created(store: &Keystore, number: u8) -> (AccountId, Vec<u8>) {
    let account = account(number);
    let public = store.create(account, KeySuite::Secp256k1).await.expect("a key");
    (account, public)
}

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
