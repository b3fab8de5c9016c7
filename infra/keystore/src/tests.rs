//! Faults at every boundary of the keystore: changed bytes, wrong keys, killed writers, races, erasure.

mod account_keys;
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
