//! What the log refuses as a whole, without writing anything of the batch.

use vaultstream_event_schemas::ShardNumber;

use super::super::sample::{INCARNATION, Writer, at, command, stream};
use crate::ports::EventLog;
use crate::ports::event_log::{AppendCommand, LogError, MAX_BATCH_COMMANDS};

/// Bad forms: each is refused, with its good neighbour.
pub async fn malformed_batches_should_be_refused_whole(log: &impl EventLog) {
    let writer = Writer::new(stream(0, 1));
    let good = || Writer::new(stream(0, 9)).command("good", 1);
    let gap = {
        let mut w = writer;
        let mut part = w.append("gap", 3);
        part.events.remove(1);
        command(vec![part])
    };
    let broken = {
        let mut w = writer;
        let mut part = w.append("broken chain", 2);
        part.events[1].previous = [3; 32];
        command(vec![part])
    };
    let other_stream = {
        let mut part = Writer::new(stream(0, 2)).append("not mine", 1);
        part.stream = writer.stream;
        command(vec![part])
    };
    let twice = command(vec![writer.unchanged(), writer.unchanged()]);
    let elsewhere = AppendCommand {
        shard: ShardNumber(1),
        ..Writer::new(stream(0, 1)).command("x", 1)
    };
    let unknown = Writer::new(stream(77, 1)).command("no such shard", 1);
    let nothing = AppendCommand {
        shard: ShardNumber(0),
        streams: vec![],
    };
    let endless = command(vec![
        Writer {
            version: u64::MAX,
            ..writer
        }
        .unchanged(),
    ]);
    for (name, bad) in [
        ("gap", gap),
        ("broken", broken),
        ("other stream", other_stream),
        ("twice", twice),
        ("elsewhere", elsewhere),
        ("unknown shard", unknown),
        ("nothing", nothing),
        ("endless", endless),
    ] {
        let refused = log.append(vec![good(), bad], Some(at(0))).await;
        assert!(
            matches!(refused, Err(LogError::Malformed(_))),
            "{name}: {refused:?}"
        );
    }
    let many = vec![command(vec![writer.unchanged()]); MAX_BATCH_COMMANDS + 1];
    assert!(
        matches!(log.append(many, Some(at(0))).await, Err(LogError::Malformed(_))),
        "too many commands"
    );
    assert_eq!(
        log.heads().await.expect("readable")[&ShardNumber(0)].position,
        0,
        "nothing was written"
    );
}

/// Events made for another life of the shard are refused, so that nobody decides on a past that is gone.
pub async fn foreign_incarnation_should_be_refused_whole(log: &impl EventLog) {
    let mut good = Writer::new(stream(0, 1));
    let mut foreign = Writer {
        incarnation: INCARNATION + 1,
        ..Writer::new(stream(0, 2))
    };
    let batch = vec![good.command("good", 1), foreign.command("from elsewhere", 1)];
    match log.append(batch, Some(at(0))).await {
        Err(LogError::Incarnation { shard, actual, given }) => {
            assert_eq!(
                (shard, actual, given),
                (ShardNumber(0), INCARNATION, INCARNATION + 1)
            );
        }
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(
        log.heads().await.expect("readable")[&ShardNumber(0)].position,
        0,
        "nothing was written"
    );
}
