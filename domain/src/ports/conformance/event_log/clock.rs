//! The shard's clock follows the given time and never goes back.

use vaultstream_event_schemas::{Hlc, ShardNumber};

use super::super::sample::{START_US, Writer, at, stream};
use super::committed;
use crate::ports::EventLog;
use crate::ports::event_log::AppendOutcome;

async fn stamps(log: &impl EventLog, writer: &mut Writer, us: i64, count: usize) -> Vec<u64> {
    let batch = vec![writer.command("tick", count)];
    match &log.append(batch, Some(at(us))).await.expect("taken")[0] {
        AppendOutcome::Committed { hlcs, .. } => hlcs.iter().map(|h| h.0).collect(),
        other => panic!("not committed: {other:?}"),
    }
}

/// `hlc = max(last + 4, now)` for each event.
pub async fn hlc_should_follow_the_given_time(log: &impl EventLog) {
    let start = START_US.unsigned_abs();
    let mut writer = Writer::new(stream(0, 1));
    assert_eq!(
        stamps(log, &mut writer, 0, 3).await,
        vec![start, start + 4, start + 8]
    );
    assert_eq!(
        stamps(log, &mut writer, 9, 1).await,
        vec![start + 12],
        "time within the stride"
    );
    assert_eq!(
        stamps(log, &mut writer, -1_000, 1).await,
        vec![start + 16],
        "time that steps back"
    );
    assert_eq!(
        stamps(log, &mut writer, 500, 1).await,
        vec![start + 500],
        "time that moves on"
    );
    let stored = log.read_shard(ShardNumber(0), 5, 1).await.expect("readable");
    assert_eq!(stored[0].hlc, Hlc(start + 500));

    let mut other = Writer::new(stream(1, 1));
    assert_eq!(
        stamps(log, &mut other, 3, 1).await,
        vec![start + 3],
        "each shard has its own"
    );
}

/// A shard more than a minute ahead of the given time takes no events, and says so command by command.
pub async fn append_should_refuse_a_clock_that_runs_ahead(log: &impl EventLog) {
    const MINUTE_US: i64 = 60_000_000;
    let (mut a, mut b) = (Writer::new(stream(0, 1)), Writer::new(stream(1, 1)));
    let (mut late, first) = (a, a.command("from the future", 1));
    let outcomes = log
        .append(vec![first.clone()], Some(at(MINUTE_US)))
        .await
        .expect("taken");
    assert_eq!(committed(&outcomes[0]), (1, 1));

    late = Writer {
        version: 1,
        hash: a.hash,
        ..late
    };
    let unchanged = super::super::sample::command(vec![a.unchanged()]);
    let batch = vec![
        late.command("now", 1),
        b.command("elsewhere", 1),
        unchanged,
        first,
    ];
    let outcomes = log.append(batch, Some(at(-1))).await.expect("taken");
    assert_eq!(outcomes[0], AppendOutcome::ClockAhead);
    assert_eq!(committed(&outcomes[1]), (1, 1), "the other shard is not ahead");
    assert_eq!(committed(&outcomes[2]), (1, 1), "a condition needs no clock");
    assert_eq!(committed(&outcomes[3]), (1, 1), "a resend needs no clock");
    assert_eq!(log.heads().await.expect("readable")[&ShardNumber(0)].position, 1);

    assert_eq!(
        stamps(log, &mut a, 0, 1).await.len(),
        1,
        "a minute exactly is still taken"
    );
}
