//! The contract of the bus as code, for any bus that is fed from an event log.

use std::time::Duration;

use vaultstream_event_schemas::ShardNumber;

use super::sample::{Writer, at, stream};
use crate::ports::{Bus, EventLog};

/// Appends to the log and expects the bus to carry it: in order, from any position, without ever hanging.
pub async fn suite(log: &impl EventLog, bus: &impl Bus) {
    let shard = ShardNumber(0);
    let idle = tokio::time::timeout(Duration::from_secs(5), bus.fetch(shard, 0, 10)).await;
    assert!(
        idle.expect("an idle fetch ends by itself")
            .expect("fetched")
            .is_empty()
    );

    let mut writer = Writer::new(stream(0, 1));
    let batch = (0..25).map(|n| writer.command(&n.to_string(), 1)).collect();
    log.append(batch, Some(at(0))).await.expect("taken");
    let mut last = 0;
    while last < 25 {
        let records = bus.fetch(shard, last, 10).await.expect("fetched");
        assert!(records.len() <= 10, "at most the limit");
        for record in &records {
            if record.position <= last {
                continue;
            }
            assert_eq!(record.position, last + 1, "in order");
            assert_eq!(record.envelope.sequence, record.position);
            record.verify().expect("as it was written");
            last = record.position;
        }
    }
    let again = bus.fetch(shard, 20, 10).await.expect("fetched");
    assert!(
        again.iter().any(|record| record.position == 21),
        "any position can be asked for again"
    );
}
