//! Reads: bounds, emptiness, snapshots.

use vaultstream_event_schemas::{Registry, ShardNumber};

use super::super::sample::{INCARNATION, Writer, families, stream};
use super::append;
use crate::ports::EventLog;
use crate::ports::event_log::{Leaf, Snapshot};

/// A new log has its registry, stands at zero everywhere and reads as empty.
pub async fn empty_log_should_stand_at_zero(log: &impl EventLog) {
    let expected = Registry::try_new(&families()).expect("valid");
    assert_eq!(*log.registry(), expected);
    let heads = log.heads().await.expect("readable");
    assert_eq!(heads.len(), expected.entries().len());
    for (shard, head) in heads {
        assert_eq!(
            (head.incarnation, head.position, head.hlc.0),
            (INCARNATION, 0, 0),
            "shard {shard}"
        );
        assert!(log.read_shard(shard, 0, 10).await.expect("readable").is_empty());
    }
    assert!(
        log.read_stream(stream(0, 1), 0, 10)
            .await
            .expect("readable")
            .is_empty()
    );
    assert_eq!(log.append(vec![], None).await.expect("taken"), vec![]);
}

/// `after` is exclusive, `limit` is kept, and what lies beyond the end is empty.
pub async fn reads_should_be_bounded(log: &impl EventLog) {
    let mut writer = Writer::new(stream(1, 1));
    append(log, (0..20).map(|n| writer.command(&n.to_string(), 1)).collect()).await;
    let shard = ShardNumber(1);
    for (after, limit, expected) in [
        (0, 5, 1..6),
        (5, 5, 6..11),
        (18, 5, 19..21),
        (20, 5, 21..21),
        (u64::MAX, 5, 0..0),
        (0, 0, 0..0),
    ] {
        let positions = log.read_shard(shard, after, limit).await.expect("readable");
        let positions: Vec<_> = positions.iter().map(|e| e.position).collect();
        assert_eq!(
            positions,
            expected.clone().collect::<Vec<u64>>(),
            "shard after {after}, at most {limit}"
        );
        let sequences = log
            .read_stream(writer.stream, after, limit)
            .await
            .expect("readable");
        let sequences: Vec<_> = sequences.iter().map(|e| e.envelope.sequence).collect();
        assert_eq!(
            sequences,
            expected.collect::<Vec<u64>>(),
            "stream after {after}, at most {limit}"
        );
    }
    let neighbours = log.read_shard(ShardNumber(0), 0, 100).await.expect("readable");
    assert!(neighbours.is_empty(), "a scan stays in its shard");
}

/// A snapshot is kept for its stream and fold version and replaced whole.
pub async fn snapshots_should_be_kept_by_fold(log: &impl EventLog) {
    let (a, b) = (stream(0, 1), stream(0, 2));
    assert_eq!(log.load_snapshot(a, 1).await.expect("readable"), None);
    let first = Snapshot {
        sequence: 200,
        hash: [1; 32],
        state: b"first".to_vec(),
    };
    let second = Snapshot {
        sequence: 400,
        hash: [2; 32],
        state: vec![0; 100_000],
    };
    log.save_snapshot(a, 1, first.clone()).await.expect("kept");
    assert_eq!(
        log.load_snapshot(a, 1).await.expect("readable"),
        Some(first.clone())
    );
    assert_eq!(
        log.load_snapshot(a, 2).await.expect("readable"),
        None,
        "another fold"
    );
    assert_eq!(
        log.load_snapshot(b, 1).await.expect("readable"),
        None,
        "another stream"
    );
    log.save_snapshot(a, 2, first.clone()).await.expect("kept");
    log.save_snapshot(a, 1, second.clone()).await.expect("kept");
    assert_eq!(log.load_snapshot(a, 1).await.expect("readable"), Some(second));
    assert_eq!(log.load_snapshot(a, 2).await.expect("readable"), Some(first));
}

/// Leaves are those of the events, page by page, however old they are.
pub async fn leaves_should_be_those_of_the_events(log: &impl EventLog) {
    let mut writer = Writer::new(stream(1, 1));
    append(log, (0..40).map(|n| writer.command(&n.to_string(), 1)).collect()).await;
    let shard = ShardNumber(1);
    for (after, limit) in [(0, 7), (7, 100), (39, 1), (40, 5), (0, 0), (u64::MAX, 5)] {
        let events = log.read_shard(shard, after, limit).await.expect("readable");
        let leaves = log.read_leaves(shard, after, limit).await.expect("readable");
        let expected: Vec<Leaf> = events.iter().map(Leaf::from).collect();
        assert_eq!(leaves, expected, "after {after}, at most {limit}");
    }
}
