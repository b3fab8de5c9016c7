//! The rehearsal of an upgrade: a process that reads and writes as the next build would, in which `transfer.requested`
//! has a version 2.
//!
//! Only in builds with debug assertions, and only when the process was told so before it read anything: the product
//! knows no such version. Version 2 names the sender's origin, which version 1 cannot; everything after
//! [`newer`] is what a real next build runs: the older form it declares, the gate, the reading of both.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::payload::Encoded;
use crate::upcast::{Chain, Versioned};
use crate::{canonical, transfer};

/// The type that has one more version.
pub const TYPE: &str = "transfer.requested";
/// That version.
pub const VERSION: u16 = 2;

static ON: OnceLock<()> = OnceLock::new();

/// From now on this process is one of the next build.
pub fn begin() {
    ON.get_or_init(|| ());
}

/// The chain of the next build; the one given, when nothing is rehearsed.
pub(crate) fn chain(released: Chain) -> Chain {
    debug_assert!(transfer::v1::TYPES.contains(&TYPE), "the type is released");
    if ON.get().is_some() {
        next(released)
    } else {
        released
    }
}

/// What the next build encodes, in the place of its payload struct.
pub fn newer(encoded: Encoded) -> Encoded {
    if ON.get().is_none() || (encoded.event_type, encoded.version) != (TYPE, 1) {
        return encoded;
    }
    lift(encoded)
}

fn lift(encoded: Encoded) -> Encoded {
    let Ok(mut payload) = serde_json::from_slice::<Value>(&encoded.payload) else {
        return encoded;
    };
    payload["origin"] = json!("api");
    match canonical::canonicalize(&payload) {
        Ok(payload) => Encoded {
            version: VERSION,
            payload,
            ..encoded
        },
        Err(_) => encoded,
    }
}

/// The next build: it reads version 2 and can still write version 1.
fn next(released: Chain) -> Chain {
    released
        .with(TYPE, VERSION, |payload| {
            Ok(vec![Versioned {
                event_type: TYPE.into(),
                version: 1,
                payload: without_origin(payload),
            }])
        })
        .with_older(TYPE, VERSION, |payload| Some(without_origin(payload)))
}

fn without_origin(mut payload: Value) -> Value {
    if let Some(fields) = payload.as_object_mut() {
        fields.remove("origin");
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upcast::released;
    use crate::versions::Versions;

    #[test]
    fn rehearsed_event_should_be_written_in_both_versions_and_mean_the_same() {
        let golden = include_bytes!("../golden/transfer.requested.v1.json");
        let today = Encoded {
            event_type: TYPE,
            version: 1,
            payload: golden.to_vec(),
        };
        assert_eq!(
            newer(today.clone()),
            today,
            "nothing is rehearsed unless it was told so"
        );
        assert_eq!(released().reads().of(TYPE), 1);
        let chain = next(released());
        assert_eq!(chain.reads().of(TYPE), VERSION);
        let lifted = lift(today.clone());
        assert_ne!(lifted.payload, today.payload);
        for (allowed, expected) in [(1, &today), (2, &lifted)] {
            let allowed: Versions = [(TYPE, allowed)].into_iter().collect();
            let written = chain
                .within(lifted.clone(), &allowed)
                .expect("both can be written");
            assert_eq!(&written, expected);
            let read = chain
                .upcast(TYPE, written.version, &written.payload)
                .expect("both can be read");
            let meant = chain.upcast(TYPE, 1, golden).expect("read");
            assert_eq!(read, meant);
        }
    }
}
