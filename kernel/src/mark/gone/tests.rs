//! The report, from made-up pages: what is counted, what is named, and where it stops.

use vaultstream_event_schemas::envelope::{Envelope, Owner};
use vaultstream_event_schemas::{Actor, CommandId, id};

use super::*;

const SHARD: ShardNumber = ShardNumber(3);

fn stream(kind: StreamKind, n: u128) -> StreamId {
    let id = id::with_shard(id::random(1, n), SHARD);
    StreamId { kind, id }
}

/// An event of a life at a position; its hash is the position.
fn event(stream: StreamId, sequence: u64, (life, position): (u32, u64), event_type: &str) -> StoredEvent {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&position.to_be_bytes());
    StoredEvent {
        position,
        hlc: Hlc(position),
        envelope: Envelope {
            actor: Actor::system("test"),
            causation: None,
            command: CommandId::from_uuid(id::random(1, 1)),
            incarnation: life,
            occurred_at: Timestamp::from_micros(7),
            organization: OrganizationId::from_uuid(id::random(1, 2)),
            owner: Owner::Itself,
            sequence,
            shard: SHARD,
            stream,
            trace: None,
            event_type: event_type.to_owned(),
            version: 1,
        },
        payload: b"{}".to_vec(),
        previous: [0; 32],
        hash,
    }
}

/// A transfer that was kept, and what came behind position 3: it was approved, another one was asked for and paid.
fn story() -> Vec<StoredEvent> {
    let [kept, lost] = [10, 11].map(|n| stream(StreamKind::Transfer, n));
    let execution = stream(StreamKind::Execution, 12);
    let slots = stream(StreamKind::Slots, 13);
    vec![
        event(kept, 1, (1, 3), "transfer.requested"),
        event(kept, 2, (1, 4), "transfer.approved"),
        event(lost, 1, (1, 5), "transfer.requested"),
        event(lost, 2, (1, 6), "transfer.execution_started"),
        event(execution, 1, (1, 7), "execution.queued"),
        event(slots, 1, (1, 8), "slots.bound"),
        event(execution, 2, (1, 9), "execution.bound"),
        event(lost, 3, (1, 10), "transfer.memo_erased"),
    ]
}

/// A log that kept three events of the first life, and lives its second.
fn lives() -> Lives {
    Lives::made(vec![(1, 3)], 2)
}

fn report(limits: GoneLimits, pages: Vec<Vec<StoredEvent>>) -> Report {
    let mut report = Report::new(limits);
    report.begin(SHARD);
    for events in pages {
        if report.goes_on() {
            report.take(&lives(), EchoPage { events, damaged: 0 });
        }
    }
    report
}

#[test]
fn lost_requests_should_be_named_with_how_far_they_came() {
    let found = report(GoneLimits::default(), vec![story()]);
    let range = &found.ranges[&(SHARD, 1)];
    assert_eq!((range.events, range.first, range.last), (7, 4, 10));
    assert_eq!(range.types["transfer.requested"], 1);
    assert_eq!((found.stated.events, found.stated.requests), (7, 2));
    let named: Vec<_> = found.requests.values().collect();
    let [transfer, execution] = named[..] else {
        panic!("{named:?}");
    };
    assert_eq!(transfer.stream, stream(StreamKind::Transfer, 11));
    assert_eq!(transfer.event_type, "transfer.requested");
    assert_eq!(transfer.last_type, "transfer.memo_erased");
    assert_eq!(transfer.reached, Some(Reached::Approved));
    assert_eq!(execution.reached, Some(Reached::Bound));
    assert!(!found.stated.is_cut);
}

#[test]
fn repeats_and_what_the_log_has_should_change_nothing() {
    let once = report(GoneLimits::default(), vec![story()]);
    let (early, late) = (story()[..5].to_vec(), story()[2..].to_vec());
    let again = report(GoneLimits::default(), vec![early, late, story()]);
    assert_eq!(again.ranges, once.ranges);
    assert_eq!(again.requests, once.requests);
    assert_eq!(again.hash.finalize(), once.hash.finalize());
}

#[test]
fn hash_should_tell_lost_events_apart() {
    let whole = report(GoneLimits::default(), vec![story()]);
    let mut other = story();
    other[4].hash = [9; 32];
    let other = report(GoneLimits::default(), vec![other]);
    assert_ne!(other.hash.finalize(), whole.hash.finalize());
}

#[test]
fn bounds_should_stop_the_report_and_be_said() {
    let limits = GoneLimits {
        events: 3,
        ..GoneLimits::default()
    };
    let mut few = report(limits, vec![story(), story()]);
    assert_eq!((few.stated.events, few.goes_on()), (3, false));
    assert!(few.stated.is_cut);
    let limits = GoneLimits {
        read: 8,
        ..GoneLimits::default()
    };
    let mut short = report(limits, vec![story(), story()]);
    assert!(short.stated.is_cut, "the shard was not read to its end");
    short.begin(ShardNumber(4));
    assert!(short.goes_on(), "the next shard is read");
    let limits = GoneLimits {
        requests: 1,
        ..GoneLimits::default()
    };
    let few = report(limits, vec![story()]);
    assert_eq!((few.requests.len(), few.stated.requests), (1, 2));
    assert!(!few.stated.is_cut, "all of them are counted");
}

#[test]
fn every_step_of_a_transfer_and_an_execution_should_have_its_word() {
    for (event_type, reached) in [
        ("transfer.screened", Some(Reached::Requested)),
        ("execution.planned", Some(Reached::Approved)),
        ("execution.stuck", Some(Reached::Bound)),
        ("transfer.completed", Some(Reached::Completed)),
        ("execution.finalized", Some(Reached::Completed)),
        ("execution.reversed", Some(Reached::Ended)),
        ("transfer.memo_erased", None),
        ("vault.created", None),
        ("nonsense", None),
    ] {
        assert_eq!(Reached::by(event_type), reached, "{event_type}");
    }
}
