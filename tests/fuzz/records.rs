//! Records, envelopes and payloads: what an importer, the bus and an older build hand over.

use vaultstream_event_schemas::envelope::{Envelope, GENESIS, event_hash};
use vaultstream_event_schemas::upcast::released;
use vaultstream_event_schemas::{Hlc, StoredEvent, canonical};
use vaultstream_event_schemas::{audit, execution, organization, platform, record, transfer, vault};

use crate::harness::{Target, Verdict, holds};

/// The golden transfer's first event, as it is stored.
pub fn event() -> StoredEvent {
    let golden = |name: &str| {
        let file = format!("{}/../event-schemas/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(file).expect("a golden file")
    };
    let (envelope, payload) = (golden("envelope.json"), golden("transfer.requested.v1.json"));
    StoredEvent {
        position: 42,
        hlc: Hlc(1_795_000_000_000_004),
        hash: event_hash(&envelope, &payload, &GENESIS),
        previous: GENESIS,
        envelope: serde_json::from_slice(&envelope).expect("the golden envelope"),
        payload,
    }
}

#[test]
fn records_should_be_read_or_refused() {
    let event = event();
    let envelope = canonical::to_bytes(&event.envelope).expect("the golden envelope");
    let record = record::encode(&event).expect("the golden event");
    Target::new("records").with(vec![envelope, record]).fuzz(|bytes| {
        if let Ok(event) = record::decode(bytes) {
            let written = record::encode(&event).map_err(|e| format!("it cannot be written: {e}"))?;
            let again = record::decode(&written).map_err(|e| format!("it cannot be read back: {e}"))?;
            holds!(again == event, "it is written as another: {again:?}");
        }
        if let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) {
            let written = canonical::to_bytes(&envelope).map_err(|e| format!("no canonical form: {e}"))?;
            let again: Envelope =
                serde_json::from_slice(&written).map_err(|e| format!("not read back: {e}"))?;
            holds!(again == envelope, "it is written as another: {again:?}");
        }
        Ok(())
    });
}

type Rewritten = Option<Result<Vec<u8>, serde_json::Error>>;

/// A payload as its own type reads and writes it.
fn rewritten(event_type: &str, payload: &[u8]) -> Rewritten {
    [
        organization::v1::rewrite,
        vault::v1::rewrite,
        transfer::v1::rewrite,
        execution::v1::rewrite,
        platform::v1::rewrite,
        audit::v1::rewrite,
    ]
    .iter()
    .find_map(|rewrite| rewrite(event_type, payload))
}

/// The golden files of every released type, each behind a line with its name.
fn golden() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../event-schemas/golden");
    let mut seeds = Vec::new();
    for file in std::fs::read_dir(folder).expect("golden files") {
        let file = file.expect("a file").path();
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let Some(event_type) = name.strip_suffix(".v1") else {
            continue;
        };
        let payload = std::fs::read(&file).expect("a golden file");
        seeds.push([event_type.as_bytes(), b"\n", &payload].concat());
    }
    seeds.sort();
    assert!(seeds.len() > 40, "the golden files are there");
    seeds
}

fn payload(event_type: &str, payload: &[u8]) -> Verdict {
    // A shape that is not its version's is refused; versions that never were are unknown.
    let _ = released().upcast(event_type, 1, payload);
    let _ = released().upcast(event_type, u16::MAX, payload);
    let Some(Ok(written)) = rewritten(event_type, payload) else {
        return Ok(());
    };
    let again = rewritten(event_type, &written).and_then(Result::ok);
    holds!(
        again.as_ref() == Some(&written),
        "it is written differently the second time"
    );
    Ok(())
}

#[test]
fn payloads_should_be_read_or_refused() {
    Target::new("payloads").with(golden()).fuzz(|bytes| {
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        let event_type = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        payload(&event_type, parts.next().unwrap_or_default())
    });
}
