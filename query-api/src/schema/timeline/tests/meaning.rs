//! What an event of another version shows.

use serde_json::json;
use vaultstream_event_schemas::Hlc;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS};
use vaultstream_event_schemas::upcast::Versioned;

use super::super::*;

fn versioned(event_type: &'static str, payload: Value) -> Versioned {
    Versioned {
        event_type: Cow::Borrowed(event_type),
        version: 1,
        payload,
    }
}

/// An event of a type that older builds wrote.
fn stored(event_type: &str) -> StoredEvent {
    let golden = include_bytes!("../../../../../event-schemas/golden/envelope.json");
    let mut envelope: Envelope = serde_json::from_slice(golden).expect("the golden envelope");
    envelope.event_type = event_type.to_owned();
    StoredEvent {
        position: 7,
        hlc: Hlc(9),
        envelope,
        payload: b"{}".to_vec(),
        previous: GENESIS,
        hash: GENESIS,
    }
}

#[test]
fn event_of_an_older_version_should_show_all_that_it_means_today() {
    let chain = Chain::new(&[("transfer.approved", 1), ("transfer.denied", 1)])
        .with("test.decided", 1, |_| {
            Ok(vec![
                versioned("transfer.approved", json!({ "approvals": 1 })),
                versioned("transfer.denied", json!({ "reason": "late" })),
            ])
        })
        .with("test.dropped", 1, |_| Ok(vec![]));
    let shown = |event_type: &str| -> Vec<(String, Option<Value>)> {
        let event = stored(event_type);
        let shown = meanings(&chain, &event);
        shown
            .iter()
            .map(|e| (e.envelope.event_type.clone(), to_public(e).map(|e| e.data)))
            .collect()
    };
    assert_eq!(
        shown("test.decided"),
        [
            ("transfer.approved".to_owned(), Some(json!({ "approvals": 1 }))),
            ("transfer.denied".to_owned(), Some(json!({ "reason": "late" }))),
        ]
    );
    for alone in ["test.dropped", "test.unknown"] {
        assert_eq!(shown(alone), [(alone.to_owned(), None)], "it is in the log");
    }
}
