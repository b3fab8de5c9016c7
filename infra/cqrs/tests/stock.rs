//! Stock cqrs-es on our deciders and our log: its test framework, its event store, its replay.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore, QueryReplay};
use cqrs_es::test::TestFramework;
use cqrs_es::{Aggregate, EventEnvelope, EventStore, Query};
use serde_json::json;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, at};
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::transfer::{Transfer, TransferCommand, TransferError, TransferEvent};
use vaultstream_domain::{Event, aggregate};
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, HashedEvent, Owner};
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::upcast::released;
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, AssetId, CommandId, OrganizationId, ShardNumber, StreamId, TransferId,
    TransferStatus, VaultId, id,
};
use vaultstream_infra_cqrs::{LogRepository, StockError, StockEvent, Wrapped};
use vaultstream_infra_sqlite::{Options, SqliteLog};

type StockTransfer = Wrapped<Transfer>;

fn requested() -> v1::Requested {
    let placed = |n| id::with_shard(id::random(1, n), ShardNumber(3));
    v1::Requested {
        account: AccountId::from_uuid(placed(1)),
        amount: "1000".parse::<Amount>().expect("an amount"),
        asset: "eip155:31337/slip44:60".parse::<AssetId>().expect("an asset"),
        destination: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
        expires_at: at(3_600_000_000),
        external_id: None,
        fee_max: None,
        memo: None,
        vault: VaultId::from_uuid(placed(2)),
    }
}

fn screened() -> v1::Screened {
    v1::Screened {
        approvals_needed: 1,
        rule: "one approval".into(),
    }
}

fn stock(event: impl Into<TransferEvent>) -> StockEvent {
    StockEvent::of(&event.into()).expect("canonical")
}

fn framework() -> TestFramework<StockTransfer> {
    TestFramework::with(())
}

#[test]
fn stock_test_framework_should_run_the_transfer_decider() {
    framework()
        .given_no_previous_events()
        .when(TransferCommand::Request(requested()))
        .then_expect_events(vec![stock(requested())]);
    framework()
        .given(vec![stock(requested()), stock(screened())])
        .when(TransferCommand::Approve { now: at(0) })
        .then_expect_events(vec![stock(v1::Approved { approvals: 1 })]);
    framework()
        .given(vec![
            stock(requested()),
            stock(screened()),
            stock(v1::Approved { approvals: 1 }),
        ])
        .when(TransferCommand::Deny {
            reason: "too late".into(),
        })
        .then_expect_error(StockError::Refused(TransferError::WrongStatus(
            TransferStatus::Approved,
        )));
    framework()
        .given(vec![
            stock(requested()),
            stock(screened()),
            stock(v1::Denied { reason: "no".into() }),
        ])
        .when(TransferCommand::Deny {
            reason: "again".into(),
        })
        .then_expect_events(vec![]);
}

#[test]
fn history_that_cannot_be_read_should_refuse_every_decision() {
    let future = StockEvent {
        version: 9,
        ..stock(screened())
    };
    let stranger = StockEvent {
        event_type: "vault.renamed".into(),
        version: 1,
        data: json!({"name": "x"}),
    };
    let broken = StockEvent {
        data: json!({"approvals": "many"}),
        ..stock(v1::Approved { approvals: 1 })
    };
    for bad in [future, stranger, broken] {
        let result = framework()
            .given(vec![stock(requested()), bad.clone()])
            .when(TransferCommand::Cancel {
                reason: "why not".into(),
            })
            .inspect_result();
        match result {
            Err(StockError::Unreadable(why)) => assert!(why.contains(&bad.event_type), "{why}"),
            other => panic!("decided on {bad:?}: {other:?}"),
        }
    }
}

/// Appends a transfer's life to a real log, beside another transfer and a stream of another kind.
async fn written(log: &SqliteLog) -> (StreamId, Vec<TransferEvent>) {
    let name = |n| {
        StreamId::from(TransferId::from_uuid(id::with_shard(
            id::random(1, n),
            ShardNumber(3),
        )))
    };
    let life: Vec<TransferEvent> = vec![
        requested().into(),
        screened().into(),
        v1::Approved { approvals: 1 }.into(),
        v1::Cancelled {
            reason: "changed our mind".into(),
        }
        .into(),
    ];
    append(log, name(11), &[requested().into()]).await;
    append(log, name(10), &life).await;
    let mut vault = sample::Writer::new(sample::stream(3, 1));
    log.append(vec![vault.command("not a transfer", 2)], None)
        .await
        .expect("taken");
    (name(10), life)
}

async fn append(log: &SqliteLog, stream: StreamId, events: &[TransferEvent]) {
    let mut hash = GENESIS;
    let mut hashed = Vec::new();
    for (event, sequence) in events.iter().zip(1..) {
        let encoded = Event::from(event.clone()).encode().expect("canonical");
        let envelope = Envelope {
            actor: Actor::system("test"),
            causation: None,
            command: CommandId::from_uuid(id::random(1, 4)),
            incarnation: sample::INCARNATION,
            occurred_at: at(0),
            organization: OrganizationId::from_uuid(id::random(1, 5)),
            owner: Owner::Itself,
            sequence,
            shard: ShardNumber(3),
            stream,
            trace: None,
            event_type: encoded.event_type.to_owned(),
            version: encoded.version,
        };
        let event = HashedEvent::try_new(envelope, encoded, hash).expect("canonical");
        hash = event.hash;
        hashed.push(event);
    }
    let part = StreamAppend {
        stream,
        expected: 0,
        events: hashed,
    };
    let command = AppendCommand {
        shard: ShardNumber(3),
        streams: vec![part],
    };
    log.append(vec![command], None).await.expect("taken");
}

/// Folds what a replay dispatches, by aggregate.
#[derive(Clone, Default)]
struct Folding(Arc<Mutex<std::collections::BTreeMap<String, (StockTransfer, usize)>>>);

#[async_trait]
impl Query<StockTransfer> for Folding {
    async fn dispatch(&self, aggregate_id: &str, events: &[EventEnvelope<StockTransfer>]) {
        let mut folded = self.0.lock().expect("no test panics while it holds this");
        let (aggregate, last) = folded.entry(aggregate_id.to_owned()).or_default();
        for event in events {
            assert_eq!(event.sequence, *last + 1, "in order");
            assert_eq!(event.metadata["actor"], "system:test");
            aggregate.apply(event.payload.clone());
            *last = event.sequence;
        }
    }
}

#[tokio::test]
async fn stock_replay_of_our_log_should_give_our_state() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = Options::new(dir.path().join("log.db"), sample::families());
    let log = Arc::new(SqliteLog::open(&options).expect("opens"));
    let (stream, life) = written(&log).await;
    let stored = log.read_stream(stream, 0, 100).await.expect("readable");
    let ours = aggregate::fold(aggregate::initial(stream), &stored).expect("readable");
    let vaultstream_domain::State::Transfer(ours) = ours else {
        panic!("not a transfer")
    };
    assert_eq!(ours.status, Some(TransferStatus::Cancelled));

    let repository = LogRepository::new(log.clone());
    for all in [false, true] {
        let folding = Folding::default();
        let mut replay = QueryReplay::new(repository.clone(), folding.clone());
        replay.use_error_handler(Box::new(|error| panic!("{error}")));
        if all {
            replay.replay_all().await
        } else {
            replay.replay(&stream.to_string()).await
        }
        .expect("replayed");
        let folded = folding.0.lock().expect("no test panics while it holds this");
        assert_eq!(folded.len(), if all { 2 } else { 1 }, "transfers only");
        let (aggregate, last) = &folded[&stream.to_string()];
        assert_eq!((aggregate.unreadable(), *last), (None, life.len()));
        assert_eq!(aggregate.state(), &ours);
    }

    let store = PersistedEventStore::<_, StockTransfer>::new_event_store(repository.clone());
    let context = store.load_aggregate(&stream.to_string()).await.expect("loaded");
    assert_eq!((context.aggregate.state(), context.current_sequence), (&ours, 4));
    let last = repository
        .get_last_events::<StockTransfer>(&stream.to_string(), 2)
        .await
        .expect("readable");
    assert_eq!(last.iter().map(|e| e.sequence).collect::<Vec<_>>(), vec![3, 4]);
    assert_eq!(last[0].payload["type"], "transfer.approved");

    let refused = repository
        .persist::<StockTransfer>(&[], None)
        .await
        .expect_err("read-only");
    assert!(refused.to_string().contains("only reads"), "{refused}");
    repository
        .get_events::<StockTransfer>("vlt_00000000000000000000000000")
        .await
        .expect_err("another kind");
}

#[test]
fn upcasters_should_run_inside_apply() {
    let chain = released()
        .with("transfer.note_added", 1, |_| Ok(vec![]))
        .with("transfer.okayed", 1, |_| {
            let approved = vaultstream_event_schemas::upcast::Versioned {
                event_type: "transfer.approved".into(),
                version: 1,
                payload: json!({"approvals": 1}),
            };
            Ok(vec![approved])
        });
    let old = |event_type: &str| StockEvent {
        event_type: event_type.into(),
        version: 1,
        data: json!({}),
    };
    let mut aggregate = StockTransfer::default();
    for event in [
        stock(requested()),
        stock(screened()),
        old("transfer.note_added"),
        old("transfer.okayed"),
    ] {
        aggregate.fold(&chain, &event);
    }
    assert_eq!(aggregate.unreadable(), None);
    assert_eq!(aggregate.state().status, Some(TransferStatus::Approved));
}
