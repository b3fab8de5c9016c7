//! What an append does: numbers, atomicity, conflicts, repetition.

use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::GENESIS;

use super::super::sample::{Writer, at, command, stream};
use super::{append, committed};
use crate::ports::EventLog;
use crate::ports::event_log::AppendOutcome;

/// Positions are dense from 1 in each shard, in the order of the batch, and reads give back what was written.
pub async fn append_should_number_densely_and_in_order(log: &impl EventLog) {
    let mut writers: Vec<Writer> = (0..3).map(|n| Writer::new(stream(0, n))).collect();
    let mut other = Writer::new(stream(1, 0));
    let mut written = Vec::new();
    let mut next = 1;
    for round in 0..4 {
        let mut batch = Vec::new();
        for (n, writer) in writers.iter_mut().enumerate() {
            batch.push(writer.command(&format!("{round}/{n}"), n + 1));
        }
        batch.push(other.command("elsewhere", 1));
        written.extend(batch.iter().take(3).flat_map(|c| c.streams[0].events.clone()));
        let outcomes = append(log, batch).await;
        for (n, outcome) in outcomes.iter().take(3).enumerate() {
            assert_eq!(
                committed(outcome),
                (next, next + n as u64),
                "round {round}, command {n}"
            );
            next += n as u64 + 1;
        }
        assert_eq!(
            committed(&outcomes[3]),
            (round + 1, round + 1),
            "shards are numbered apart"
        );
    }
    let read = log.read_shard(ShardNumber(0), 0, 1000).await.expect("readable");
    assert_eq!(read.len(), written.len());
    let mut hlc = None;
    for ((stored, event), position) in read.iter().zip(&written).zip(1..) {
        assert_eq!(stored.position, position);
        assert_eq!(
            (&stored.envelope, &stored.payload),
            (&event.envelope, &event.payload)
        );
        assert_eq!((stored.previous, stored.hash), (event.previous, event.hash));
        assert!(
            hlc.is_none_or(|last| stored.hlc.0 >= last + 4),
            "the clock advances with every event"
        );
        hlc = Some(stored.hlc.0);
    }
    let head = log.heads().await.expect("readable")[&ShardNumber(0)];
    assert_eq!((head.position, Some(head.hlc.0)), (next - 1, hlc));
}

/// Every stream reads back in sequence, and each event stands on the hash of the one before it.
pub async fn streams_should_be_chained_by_hash(log: &impl EventLog) {
    let mut writers: Vec<Writer> = (0..5).map(|n| Writer::new(stream(3, n))).collect();
    for round in 0..6 {
        let batch = writers
            .iter_mut()
            .map(|w| w.command(&format!("round {round}"), 2))
            .collect();
        append(log, batch).await;
    }
    for writer in &writers {
        let events = log.read_stream(writer.stream, 0, 100).await.expect("readable");
        assert_eq!(events.len(), 12);
        let mut previous = GENESIS;
        for (event, sequence) in events.iter().zip(1..) {
            assert_eq!(
                (event.envelope.stream, event.envelope.sequence),
                (writer.stream, sequence)
            );
            assert_eq!(event.previous, previous);
            event.verify().expect("the bytes give the hash");
            previous = event.hash;
        }
        assert_eq!(previous, writer.hash);
    }
}

/// Commands of one batch may build on each other.
pub async fn streams_should_take_several_commands_of_a_batch(log: &impl EventLog) {
    let mut writer = Writer::new(stream(0, 1));
    let batch = (0..10).map(|n| writer.command(&n.to_string(), 1)).collect();
    let outcomes = append(log, batch).await;
    let places: Vec<_> = outcomes.iter().map(committed).collect();
    assert_eq!(places, (1..=10).map(|n| (n, n)).collect::<Vec<_>>());
}

/// The streams of one command are written together or not at all.
pub async fn command_should_be_atomic_over_its_streams(log: &impl EventLog) {
    let (mut a, mut b) = (Writer::new(stream(0, 1)), Writer::new(stream(0, 2)));
    append(log, vec![b.command("first", 1)]).await;
    let mut stale = Writer::new(b.stream);
    let refused = append(log, vec![command(vec![a.append("a", 2), stale.append("b", 1)])]).await;
    assert_eq!(
        refused,
        vec![AppendOutcome::Conflict {
            stream: b.stream,
            actual: 1
        }]
    );
    assert!(
        log.read_stream(a.stream, 0, 10)
            .await
            .expect("readable")
            .is_empty()
    );
    assert_eq!(log.heads().await.expect("readable")[&ShardNumber(0)].position, 1);

    let mut a = Writer::new(a.stream);
    let taken = append(log, vec![command(vec![a.append("a", 2), b.append("b", 1)])]).await;
    assert_eq!(committed(&taken[0]), (2, 4));
    let events = log.read_shard(ShardNumber(0), 1, 10).await.expect("readable");
    let streams: Vec<_> = events.iter().map(|e| e.envelope.stream).collect();
    assert_eq!(
        streams,
        vec![a.stream, a.stream, b.stream],
        "in the order of the command"
    );
}

/// One bad command fails alone, and takes no position.
pub async fn conflict_should_not_touch_its_neighbours(log: &impl EventLog) {
    let (mut a, mut b) = (Writer::new(stream(0, 1)), Writer::new(stream(0, 2)));
    let mut ghost = Writer {
        version: 5,
        ..Writer::new(stream(0, 3))
    };
    let batch = vec![
        a.command("a", 1),
        ghost.command("too late", 1),
        b.command("b", 1),
        a.command("a", 1),
    ];
    let outcomes = append(log, batch).await;
    assert_eq!(committed(&outcomes[0]), (1, 1));
    assert_eq!(
        outcomes[1],
        AppendOutcome::Conflict {
            stream: ghost.stream,
            actual: 0
        }
    );
    assert_eq!(committed(&outcomes[2]), (2, 2));
    assert_eq!(committed(&outcomes[3]), (3, 3));

    let mut fork = Writer {
        version: 1,
        hash: [9; 32],
        ..Writer::new(b.stream)
    };
    let outcomes = append(log, vec![fork.command("another past", 1)]).await;
    assert_eq!(
        outcomes,
        vec![AppendOutcome::Conflict {
            stream: b.stream,
            actual: 1
        }],
        "the right version on another history is a conflict"
    );
    let mut second = Writer::new(a.stream);
    let outcomes = append(log, vec![second.command("born twice", 1)]).await;
    assert_eq!(
        outcomes,
        vec![AppendOutcome::Conflict {
            stream: a.stream,
            actual: 2
        }]
    );
}

/// A stream without events is a condition: it guards the command and is not written.
pub async fn preconditions_should_guard_without_writing(log: &impl EventLog) {
    let (mut a, mut b) = (Writer::new(stream(4, 1)), Writer::new(stream(4, 2)));
    let absent = Writer::new(stream(4, 3));
    let old = a;
    let taken = append(log, vec![command(vec![a.append("a", 1), absent.unchanged()])]).await;
    assert_eq!(committed(&taken[0]), (1, 1));

    let mut b_refused = b;
    let batch = vec![
        command(vec![old.unchanged(), b_refused.append("b", 1)]),
        command(vec![a.unchanged(), b.append("b", 1)]),
        command(vec![a.unchanged(), absent.unchanged()]),
        command(vec![old.unchanged()]),
    ];
    let outcomes = append(log, batch).await;
    let stale = AppendOutcome::Conflict {
        stream: a.stream,
        actual: 1,
    };
    assert_eq!(outcomes[0], stale);
    assert_eq!(committed(&outcomes[1]), (2, 2));
    assert_eq!(
        outcomes[2],
        AppendOutcome::Committed {
            first: 2,
            last: 2,
            hlcs: vec![]
        },
        "the head, unmoved"
    );
    assert_eq!(outcomes[3], stale);
    assert_eq!(log.heads().await.expect("readable")[&ShardNumber(4)].position, 2);
}

/// Sending again gives the first answer, whatever was committed since, and writes nothing.
pub async fn resend_should_give_the_first_outcome(log: &impl EventLog) {
    let (mut a, mut b) = (Writer::new(stream(0, 1)), Writer::new(stream(0, 2)));
    let guard = Writer::new(stream(0, 3));
    let batch = vec![
        command(vec![a.append("a", 2), b.append("b", 1), guard.unchanged()]),
        a.command("more", 1),
    ];
    let first = append(log, batch.clone()).await;
    assert_eq!(
        log.append(batch.clone(), Some(at(5_000_000)))
            .await
            .expect("taken"),
        first,
        "at once"
    );

    let (mut c, mut guard) = (Writer::new(stream(0, 4)), guard);
    append(log, vec![a.command("later", 3), guard.command("now there", 1)]).await;
    let mixed = vec![batch[0].clone(), c.command("new", 1), batch[1].clone()];
    let outcomes = append(log, mixed).await;
    assert_eq!(
        (&outcomes[0], &outcomes[2]),
        (&first[0], &first[1]),
        "after others moved the streams on"
    );
    assert_eq!(committed(&outcomes[1]), (9, 9));

    let mut d = Writer::new(stream(0, 5));
    let once = d.command("twice in a batch", 1);
    let outcomes = append(log, vec![once.clone(), once]).await;
    assert_eq!(committed(&outcomes[0]), (10, 10));
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(
        log.read_shard(ShardNumber(0), 0, 100)
            .await
            .expect("readable")
            .len(),
        10
    );
}
