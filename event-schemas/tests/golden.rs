//! Every version of every payload ever released, as committed bytes: read, written back, hashed and described.
//!
//! The hashes below were computed outside this crate from the documented rule, so that a change of the rule is seen.

use std::path::{Path, PathBuf};

use vaultstream_event_schemas::clock::Hlc;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, event_hash, leaf_hash};
use vaultstream_event_schemas::{
    ShardNumber, audit, canonical, execution, organization, platform, transfer, vault,
};

const EVENT_HASH: &str = "9cffbe405239c4ae5914ad798b3da6f708792441c1dc5faae9a52158912c0c73";
const LEAF_HASH: &str = "e09e1f2481f523e9e7c1891ce582ce75e393ba8cf4282afd61f16d86c58962ce";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn golden(name: &str) -> Vec<u8> {
    let path = folder("golden").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("golden file {name}: {e}"))
}

fn types() -> Vec<&'static str> {
    [
        organization::v1::TYPES,
        vault::v1::TYPES,
        transfer::v1::TYPES,
        execution::v1::TYPES,
        platform::v1::TYPES,
        audit::v1::TYPES,
    ]
    .concat()
}

fn rewrite(event_type: &str, payload: &[u8]) -> Vec<u8> {
    organization::v1::rewrite(event_type, payload)
        .or_else(|| vault::v1::rewrite(event_type, payload))
        .or_else(|| transfer::v1::rewrite(event_type, payload))
        .or_else(|| execution::v1::rewrite(event_type, payload))
        .or_else(|| platform::v1::rewrite(event_type, payload))
        .or_else(|| audit::v1::rewrite(event_type, payload))
        .unwrap_or_else(|| panic!("{event_type} is in no context"))
        .unwrap_or_else(|e| panic!("{event_type} cannot be read: {e}"))
}

#[test]
fn every_released_payload_should_come_back_byte_for_byte() {
    for event_type in types() {
        let bytes = golden(&format!("{event_type}.v1.json"));
        assert!(canonical::is_canonical(&bytes), "{event_type} is not canonical");
        assert_eq!(
            String::from_utf8_lossy(&rewrite(event_type, &bytes)),
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn every_golden_file_should_belong_to_a_released_type() {
    let listing = std::fs::read_dir(folder("golden")).expect("the golden folder is committed");
    let mut seen = 0;
    for entry in listing {
        let name = entry
            .expect("readable")
            .file_name()
            .to_string_lossy()
            .into_owned();
        if name == "envelope.json" {
            continue;
        }
        let event_type = name
            .strip_suffix(".v1.json")
            .unwrap_or_else(|| panic!("{name} is no golden file"));
        assert!(
            types().contains(&event_type),
            "{event_type} was released once and is gone"
        );
        seen += 1;
    }
    assert_eq!(seen, types().len());
}

#[test]
fn payloads_should_refuse_unknown_fields() {
    for event_type in types() {
        let mut text = String::from_utf8(golden(&format!("{event_type}.v1.json"))).expect("UTF-8");
        text.insert_str(1, "\"a_field_nobody_declared\":1,");
        let read = [
            organization::v1::rewrite(event_type, text.as_bytes()),
            vault::v1::rewrite(event_type, text.as_bytes()),
            transfer::v1::rewrite(event_type, text.as_bytes()),
            execution::v1::rewrite(event_type, text.as_bytes()),
            platform::v1::rewrite(event_type, text.as_bytes()),
            audit::v1::rewrite(event_type, text.as_bytes()),
        ];
        assert!(
            read.into_iter().flatten().all(|r| r.is_err()),
            "{event_type} takes a field nobody declared"
        );
    }
}

#[test]
fn hashes_should_follow_the_documented_rule() {
    let (envelope, payload) = (golden("envelope.json"), golden("transfer.requested.v1.json"));
    let parsed: Envelope = serde_json::from_slice(&envelope).expect("the golden envelope is one");
    assert_eq!(canonical::to_bytes(&parsed).expect("canonical"), envelope);
    let hash = event_hash(&envelope, &payload, &GENESIS);
    assert_eq!(hex::encode(hash), EVENT_HASH);
    let leaf = leaf_hash(ShardNumber(3), 1, 42, Hlc(1_795_000_000_000_000), &hash);
    assert_eq!(hex::encode(leaf), LEAF_HASH);
}

#[cfg(feature = "schema")]
#[test]
fn committed_schemas_should_be_the_ones_of_the_code() {
    for (name, text) in vaultstream_event_schemas::schema::all() {
        let committed = std::fs::read_to_string(folder("schemas").join(&name)).unwrap_or_default();
        assert_eq!(committed, text, "{name}: run `cargo xtask generate`");
    }
}
