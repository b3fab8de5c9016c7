//! Faults at every boundary of the keystore: changed bytes, wrong keys, killed writers, races, erasure.

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

#[tokio::test]
async fn signer_should_refuse_what_the_intent_does_not_say() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let (account, public) = created(&store, 1).await;
    let (other, other_public) = created(&store, 2).await;
    let refused = |change: fn(&mut SignRequest)| {
        let mut request = request(account, &public, 1);
        change(&mut request);
        let store = &store;
        async move {
            match store.sign(request).await {
                Err(KeyError::PlanMismatch(why)) => why,
                answer => panic!("{answer:?}"),
            }
        }
    };
    assert!(
        refused(|r| r.intent.amount = Amount::from_u128(2))
            .await
            .contains("value")
    );
    assert!(
        refused(|r| r.intent.destination = TO.to_lowercase().replace("db", "dc"))
            .await
            .contains("to is")
    );
    let chain = refused(|r| r.intent.asset = AssetId::try_new("eip155:1/slip44:60").expect("an asset")).await;
    assert!(chain.contains("chain_id is 31337"), "{chain}");
    let family =
        refused(|r| r.intent.asset = AssetId::try_new("bip122:000/slip44:0").expect("an asset")).await;
    assert!(family.contains("no Ethereum chain"), "{family}");
    let zero = refused(|r| r.intent.amount = Amount::ZERO).await;
    assert!(
        zero.contains("the amount is zero"),
        "the whole chain of reasons: {zero}"
    );

    let mut foreign = request(other, &public, 1);
    foreign.account = other;
    let error = store.sign(foreign).await.expect_err("another account's address");
    assert!(error.to_string().contains("the account's address is"), "{error}");
    assert!(store.sign(request(other, &other_public, 1)).await.is_ok());
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
        assert!(matches!(error, KeyringError::Damaged(_)), "{subject}: {error}");
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
