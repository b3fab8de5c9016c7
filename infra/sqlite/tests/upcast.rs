//! A test-only event with three versions, stored as the bytes of its time and read through the real log as what it
//! means today: a rename, a split in two, a drop. The stored bytes and their hashes stay as they were.

use serde_json::{Value, json};
use vaultstream_domain::Event;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at, stream};
use vaultstream_domain::ports::event_log::AppendCommand;
use vaultstream_domain::vault::VaultEvent;
use vaultstream_event_schemas::Encoded;
use vaultstream_event_schemas::envelope::HashedEvent;
use vaultstream_event_schemas::upcast::{Chain, UpcastError, Versioned, released};
use vaultstream_event_schemas::vault::v1::{Tier, VaultCreated, VaultRenamed};
use vaultstream_infra_sqlite::{Options, SqliteLog};

const TYPE: &str = "vault.tested";

fn versioned(event_type: &'static str, version: u16, payload: Value) -> Versioned {
    Versioned {
        event_type: event_type.into(),
        version,
        payload,
    }
}

/// v1 `{label}` → v2 `{name}` → v3 `{name, tier}` → created and renamed; `vault.test_noted` is dropped.
fn chain() -> Chain {
    released()
        .with(TYPE, 1, |p| {
            Ok(vec![versioned(TYPE, 2, json!({ "name": p["label"] }))])
        })
        .with(TYPE, 2, |p| {
            Ok(vec![versioned(
                TYPE,
                3,
                json!({ "name": p["name"], "tier": "hot" }),
            )])
        })
        .with(TYPE, 3, |p| {
            Ok(vec![
                versioned(
                    "vault.created",
                    1,
                    json!({ "name": "unnamed", "tier": p["tier"] }),
                ),
                versioned("vault.renamed", 1, json!({ "name": p["name"] })),
            ])
        })
        .with("vault.test_noted", 1, |_| Ok(vec![]))
}

/// Appends bytes as an older build would have written them.
async fn write_old(log: &SqliteLog, writer: &mut Writer, old: (&'static str, u16, &str)) {
    let mut hash = writer.hash;
    let mut command: AppendCommand = writer.command("replaced below", 1);
    let event = &mut command.streams[0].events[0];
    let mut envelope = event.envelope.clone();
    envelope.event_type = old.0.into();
    envelope.version = old.1;
    let encoded = Encoded {
        event_type: old.0,
        version: old.1,
        payload: old.2.as_bytes().to_vec(),
    };
    *event = HashedEvent::try_new(envelope, encoded, hash).expect("canonical");
    hash = event.hash;
    writer.hash = hash;
    log.append(vec![command], Some(at(0))).await.expect("taken");
}

#[tokio::test]
async fn old_bytes_in_the_log_should_be_read_as_what_they_mean_today() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = Options::new(dir.path().join("log.db"), sample::families());
    let log = SqliteLog::open(&options).expect("opens");
    let mut writer = Writer::new(stream(0, 1));
    let history = [
        (TYPE, 1, r#"{"label":"first"}"#),
        ("vault.test_noted", 1, r#"{"note":"nobody needs this any more"}"#),
        (TYPE, 2, r#"{"name":"second"}"#),
        (TYPE, 3, r#"{"name":"third","tier":"cold"}"#),
        ("vault.renamed", 1, r#"{"name":"today"}"#),
    ];
    for old in history {
        write_old(&log, &mut writer, old).await;
    }
    drop(log);

    let log = SqliteLog::open(&options).expect("reopens");
    let stored = log.read_stream(writer.stream, 0, 100).await.expect("readable");
    assert_eq!(stored.len(), history.len(), "upcasting changes no stored event");
    for (event, (event_type, version, bytes)) in stored.iter().zip(history) {
        event.verify().expect("still the bytes that were hashed");
        assert_eq!(
            (event.envelope.event_type.as_str(), event.envelope.version),
            (event_type, version)
        );
        assert_eq!(event.payload, bytes.as_bytes());
    }

    let chain = chain();
    let today: Vec<Event> = stored
        .iter()
        .flat_map(|event| Event::read_with(&chain, event).expect("known to the chain"))
        .collect();
    let created = |tier| {
        VaultEvent::from(VaultCreated {
            name: "unnamed".into(),
            tier,
        })
        .into()
    };
    let renamed = |name: &str| VaultEvent::from(VaultRenamed { name: name.into() }).into();
    let expected: Vec<Event> = vec![
        created(Tier::Hot),
        renamed("first"),
        created(Tier::Hot),
        renamed("second"),
        created(Tier::Cold),
        renamed("third"),
        renamed("today"),
    ];
    assert_eq!(today, expected);

    let unknown =
        Event::read(&stored[0]).expect_err("a build without these upcasters waits, it never guesses");
    assert!(matches!(unknown, UpcastError::Unknown { version: 1, .. }));
}
