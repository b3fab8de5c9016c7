//! The stock `postgres_es::PostgresEventRepository` and `QueryReplay` on a log that `PgLog` wrote, over its read-only view of seven
//! columns: every stream of every kind, and the same as our own reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore, QueryReplay, SerializedEvent};
use cqrs_es::{Aggregate, EventEnvelope, EventStore, Query};
use postgres_es::PostgresEventRepository;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection, PgPool};
use vaultstream_domain::audit::AuditTrail;
use vaultstream_domain::decider::Decider;
use vaultstream_domain::execution::{Execution, Slots};
use vaultstream_domain::organization::{ApiKey, Claim, Organization, Session};
use vaultstream_domain::platform::{Rewind, ViewGeneration};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at};
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::transfer::{Transfer, TransferEvent};
use vaultstream_domain::vault::{Account, Vault};
use vaultstream_domain::{Event, aggregate};
use vaultstream_engines::Postgres;
use vaultstream_event_schemas::envelope::{Envelope, EventRef, GENESIS, HashedEvent, Owner};
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{
    AccountId, Actor, CommandId, OrganizationId, ShardNumber, StreamId, StreamKind, TransferId, VaultId, id,
};
use vaultstream_infra_cqrs::{LogRepository, Wrapped};
use vaultstream_infra_postgres::{DatabaseConfig, PgLog, PgLogOptions};
use vaultstream_infra_runtime::SystemClock;

/// What the stock repository is given as its table.
const EVENTS: &str = "vaultstream.stock_event";
const SHARD: ShardNumber = ShardNumber(3);

async fn database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = tokio::task::spawn_blocking(Postgres::shared)
        .await
        .expect("PostgreSQL starts")
        .url();
    let name = format!(
        "stock_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let mut connection = PgConnection::connect(&server).await.expect("connects");
    connection
        .execute(format!("CREATE DATABASE {name}").as_str())
        .await
        .expect("makes it");
    let (server, _) = server.rsplit_once('/').expect("a url names its database");
    format!("{server}/{name}")
}

async fn open(url: &str) -> Arc<PgLog> {
    let databases = vec![DatabaseConfig::new("main", url)];
    let options = PgLogOptions::new("test", databases, sample::families(), Arc::new(SystemClock));
    Arc::new(PgLog::open(&options).await.expect("opens"))
}

fn name(kind: StreamKind, n: u128) -> StreamId {
    let seed = n << 8 | u128::from(kind.code());
    StreamId {
        kind,
        id: id::with_shard(id::random(1, seed), SHARD),
    }
}

fn transfer(n: u128) -> StreamId {
    StreamId::from(TransferId::from_uuid(name(StreamKind::Transfer, n).id))
}

fn life() -> Vec<TransferEvent> {
    let placed = |n| id::with_shard(id::random(1, n), SHARD);
    let requested = v1::Requested {
        account: AccountId::from_uuid(placed(1)),
        amount: "1000".parse().expect("an amount"),
        asset: "eip155:31337/slip44:60".parse().expect("an asset"),
        destination: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
        expires_at: at(3_600_000_000),
        external_id: Some("“quoted” \\ and ünïcödé".into()),
        fee_max: None,
        memo: None,
        vault: VaultId::from_uuid(placed(2)),
    };
    let screened = v1::Screened {
        approvals_needed: 1,
        rule: "one approval".into(),
    };
    vec![
        requested.into(),
        screened.into(),
        v1::Approved { approvals: 1 }.into(),
        v1::Cancelled {
            reason: "changed our mind".into(),
        }
        .into(),
    ]
}

/// Appends a transfer's whole life, with every optional field of an envelope in use.
async fn live(log: &PgLog, stream: StreamId) {
    let mut hash = GENESIS;
    let mut hashed = Vec::new();
    for (event, sequence) in life().into_iter().zip(1..) {
        let encoded = Event::from(event).encode().expect("canonical");
        let envelope = Envelope {
            actor: Actor::system("test"),
            causation: Some(EventRef { stream, sequence: 7 }),
            command: CommandId::from_uuid(id::random(1, 4)),
            incarnation: sample::INCARNATION,
            occurred_at: at(0),
            organization: OrganizationId::from_uuid(id::random(1, 5)),
            owner: Owner::Itself,
            sequence,
            shard: SHARD,
            stream,
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
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
    log.append(
        vec![AppendCommand {
            shard: SHARD,
            streams: vec![part],
        }],
        None,
    )
    .await
    .expect("taken");
}

fn same(stock: &[SerializedEvent], ours: &[SerializedEvent]) {
    let plain = |event: &SerializedEvent| {
        json!({
            "id": event.aggregate_id, "type": event.aggregate_type, "sequence": event.sequence,
            "event": [event.event_type, event.event_version], "payload": event.payload, "metadata": event.metadata,
        })
    };
    let plain = |events: &[SerializedEvent]| events.iter().map(plain).collect::<Vec<_>>();
    assert_eq!(plain(stock), plain(ours));
}

/// Every stream of one kind, by the stock repository and by ours.
async fn compare<D: Decider>(stock: &PostgresEventRepository, ours: &LogRepository, kind: StreamKind)
where
    Wrapped<D>: Aggregate,
{
    assert_eq!(<Wrapped<D> as Aggregate>::TYPE, kind.word());
    for n in 0..3 {
        let id = name(kind, n).to_string();
        let read = stock.get_events::<Wrapped<D>>(&id).await.expect("readable");
        assert!(!read.is_empty(), "{id}");
        same(
            &read,
            &ours.get_events::<Wrapped<D>>(&id).await.expect("readable"),
        );
        let tail = stock
            .get_last_events::<Wrapped<D>>(&id, 1)
            .await
            .expect("readable");
        same(&tail, &read[1..]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_repository_should_read_every_stream_as_we_do() {
    let url = database().await;
    let log = open(&url).await;
    for kind in StreamKind::ALL
        .iter()
        .filter(|kind| **kind != StreamKind::Transfer)
    {
        for n in 0..3 {
            let mut writer = Writer::new(name(*kind, n));
            for events in [1, 2] {
                log.append(vec![writer.command("any event will do", events)], None)
                    .await
                    .expect("taken");
            }
        }
    }
    for n in 0..3 {
        live(&log, transfer(n)).await;
    }
    let stock = PostgresEventRepository::new(PgPool::connect(&url).await.expect("connects"))
        .with_tables(EVENTS, "no_snapshots");
    let ours = LogRepository::new(log.clone());
    compare::<Organization>(&stock, &ours, StreamKind::Organization).await;
    compare::<ApiKey>(&stock, &ours, StreamKind::ApiKey).await;
    compare::<Session>(&stock, &ours, StreamKind::Session).await;
    compare::<Claim>(&stock, &ours, StreamKind::Claim).await;
    compare::<Vault>(&stock, &ours, StreamKind::Vault).await;
    compare::<Account>(&stock, &ours, StreamKind::Account).await;
    compare::<Slots>(&stock, &ours, StreamKind::Slots).await;
    compare::<Transfer>(&stock, &ours, StreamKind::Transfer).await;
    compare::<Execution>(&stock, &ours, StreamKind::Execution).await;
    compare::<ViewGeneration>(&stock, &ours, StreamKind::ViewGeneration).await;
    compare::<AuditTrail>(&stock, &ours, StreamKind::AuditTrail).await;
    compare::<Rewind>(&stock, &ours, StreamKind::Rewind).await;
    assert_eq!(StreamKind::ALL.len(), 12, "a new kind is to be compared too");
}

/// Folds what a replay dispatches, by aggregate.
#[derive(Clone, Default)]
struct Folding(Arc<Mutex<Folded>>);

/// The state of each aggregate and the sequence it ends at.
type Folded = BTreeMap<String, (Wrapped<Transfer>, usize)>;

#[async_trait]
impl Query<Wrapped<Transfer>> for Folding {
    async fn dispatch(&self, aggregate_id: &str, events: &[EventEnvelope<Wrapped<Transfer>>]) {
        let mut folded = self.0.lock().expect("no test panics while it holds this");
        let (aggregate, last) = folded.entry(aggregate_id.to_owned()).or_default();
        for event in events {
            assert_eq!(event.sequence, *last + 1, "in order");
            aggregate.apply(event.payload.clone());
            *last = event.sequence;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_replay_and_store_should_give_our_state() {
    let url = database().await;
    let log = open(&url).await;
    let mut vault = Writer::new(name(StreamKind::Vault, 0));
    log.append(vec![vault.command("not a transfer", 2)], None)
        .await
        .expect("taken");
    for n in 0..3 {
        live(&log, transfer(n)).await;
    }
    let stored = log.read_stream(transfer(1), 0, 100).await.expect("readable");
    let ours = aggregate::fold(aggregate::initial(transfer(1)), &stored).expect("readable");
    let vaultstream_domain::State::Transfer(ours) = ours else {
        panic!("not a transfer")
    };

    let pool = PgPool::connect(&url).await.expect("connects");
    let repository = || PostgresEventRepository::new(pool.clone()).with_tables(EVENTS, "no_snapshots");
    for all in [false, true] {
        let folding = Folding::default();
        let mut replay = QueryReplay::new(repository(), folding.clone());
        replay.use_error_handler(Box::new(|error| panic!("{error}")));
        if all {
            replay.replay_all().await
        } else {
            replay.replay(&transfer(1).to_string()).await
        }
        .expect("replayed");
        let folded = folding.0.lock().expect("no test panics while it holds this");
        assert_eq!(folded.len(), if all { 3 } else { 1 }, "transfers only");
        let (aggregate, last) = &folded[&transfer(1).to_string()];
        assert_eq!((aggregate.unreadable(), *last), (None, 4));
        assert_eq!(aggregate.state(), &ours);
    }
    let store = PersistedEventStore::<_, Wrapped<Transfer>>::new_event_store(repository());
    let context = store
        .load_aggregate(&transfer(1).to_string())
        .await
        .expect("loaded");
    assert_eq!((context.aggregate.state(), context.current_sequence), (&ours, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_repository_should_not_be_able_to_write() {
    let url = database().await;
    let log = open(&url).await;
    live(&log, transfer(0)).await;
    let stock = PostgresEventRepository::new(PgPool::connect(&url).await.expect("connects"))
        .with_tables(EVENTS, "no_snapshots");
    let mut event = stock
        .get_events::<Wrapped<Transfer>>(&transfer(0).to_string())
        .await
        .expect("readable")
        .remove(3);
    event.sequence = 5;
    stock
        .persist::<Wrapped<Transfer>>(&[event], None)
        .await
        .expect_err("a view of two tables takes no rows");
    assert_eq!(log.heads().await.expect("readable")[&SHARD].position, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_stream_should_be_found_by_index() {
    let url = database().await;
    let log = open(&url).await;
    live(&log, transfer(0)).await;
    let mut connection = PgConnection::connect(&url).await.expect("connects");
    connection.execute("SET enable_seqscan = off").await.expect("set");
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT * FROM vaultstream.stock_event WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY sequence",
    )
    .bind("transfer")
    .bind(transfer(0).to_string())
    .fetch_all(&mut connection)
    .await
    .expect("planned");
    let plan = plan.join("\n");
    assert!(plan.contains("Index Cond: (stream = "), "{plan}");
}
