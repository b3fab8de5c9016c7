//! Loading streams: snapshots are used when they are right and ignored when they are not; time travel; damage.

use std::sync::Arc;
use std::time::Duration;

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, at, stream};
use vaultstream_domain::ports::event_log::Snapshot;
use vaultstream_domain::{State, Transact};
use vaultstream_kernel::load::snapshot;
use vaultstream_kernel::{LoadError, Loaded, load_state, load_state_as_of};

use crate::node::{Case, Disk, change, context, executor, increment, renamed, vault};

async fn long_stream(log: &dyn EventLog, events: usize) -> Writer {
    let mut writer = Writer::new(vault(1));
    for n in 0..events {
        log.append(vec![writer.command(&n.to_string(), 1)], Some(at(0)))
            .await
            .expect("taken");
    }
    writer
}

fn name(loaded: &Loaded) -> &str {
    let State::Vault(vault) = &loaded.state else {
        panic!("not a vault")
    };
    &vault.name
}

#[tokio::test]
async fn executor_should_keep_snapshots_of_long_streams() {
    let disk = Disk::new();
    let log = disk.log();
    let executor = executor(log.clone());
    let fold = State::fold_version(vault(1).kind);
    for round in 0..45u32 {
        let ten = Case::reading(vec![vault(1)], move |_, _| {
            Ok(vec![change(
                vault(1),
                (0..10).map(|n| renamed(round * 10 + n)).collect(),
            )])
        });
        let use_case: Arc<dyn Transact> = Arc::new(ten);
        executor.execute(context(), use_case).await.expect("committed");
    }
    let kept = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match log.load_snapshot(vault(1), fold).await.expect("readable") {
                Some(snapshot) if snapshot.sequence == 400 => break snapshot,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    let kept = kept.await.expect("the snapshot at 400 replaces the one at 200");
    let at_400 = log.read_stream(vault(1), 399, 1).await.expect("readable");
    assert_eq!(kept.hash, at_400[0].hash);
    let loaded = load_state(&*log, vault(1)).await.expect("readable");
    assert_eq!((loaded.version, name(&loaded)), (450, "449"));
    executor
        .execute(context(), Arc::new(increment(vault(1))))
        .await
        .expect("goes on from there");
}

#[tokio::test]
async fn snapshots_should_be_believed_only_when_the_log_agrees() {
    let disk = Disk::new();
    let log = disk.log();
    long_stream(&*log, 150).await;
    let fold = State::fold_version(vault(1).kind);
    let full = load_state(&*log, vault(1)).await.expect("readable");
    assert_eq!((full.version, name(&full)), (150, "149"));

    let at_100 = log.read_stream(vault(1), 99, 1).await.expect("readable")[0].hash;
    // A mark that only this snapshot has shows whether it was used.
    let State::Vault(mut marked) = full.state.clone() else {
        panic!("not a vault")
    };
    marked.status = Some(vaultstream_event_schemas::status::VaultStatus::Archived);
    let marked = State::Vault(marked);
    let right = snapshot(&marked, 100, at_100).expect("has a JSON form");
    log.save_snapshot(vault(1), fold, right.clone())
        .await
        .expect("kept");
    let loaded = load_state(&*log, vault(1)).await.expect("readable");
    assert_eq!(
        (loaded.version, loaded.hash, name(&loaded)),
        (150, full.hash, "149")
    );
    assert_ne!(loaded.state, full.state, "the snapshot was used");

    let other = stream(0, 2);
    for (why, wrong) in [
        (
            "another hash",
            Snapshot {
                hash: [1; 32],
                ..right.clone()
            },
        ),
        (
            "another sequence",
            Snapshot {
                sequence: 99,
                ..right.clone()
            },
        ),
        (
            "beyond the end",
            Snapshot {
                sequence: 151,
                ..right.clone()
            },
        ),
        (
            "before the beginning",
            Snapshot {
                sequence: 0,
                ..right.clone()
            },
        ),
        (
            "no state",
            Snapshot {
                state: b"{".to_vec(),
                ..right.clone()
            },
        ),
        (
            "a state of another kind",
            snapshot(
                &State::initial(vaultstream_event_schemas::StreamKind::Claim),
                100,
                at_100,
            )
            .expect("JSON"),
        ),
    ] {
        log.save_snapshot(vault(1), fold, wrong).await.expect("kept");
        assert_eq!(
            load_state(&*log, vault(1)).await.expect("readable"),
            full,
            "{why}"
        );
    }
    assert_eq!(
        load_state(&*log, other).await.expect("readable"),
        Loaded::initial(other)
    );
}

#[tokio::test]
async fn past_states_should_be_those_of_their_position() {
    let disk = Disk::new();
    let log = disk.log();
    let (mut a, mut b) = (Writer::new(vault(1)), Writer::new(vault(2)));
    for n in 0..10 {
        let batch = vec![a.command(&n.to_string(), 1), b.command("between", 1)];
        log.append(batch, Some(at(0))).await.expect("taken");
    }
    for (position, version, expected) in [(0, 0, ""), (1, 1, "0"), (2, 1, "0"), (3, 2, "1"), (999, 10, "9")] {
        let past = load_state_as_of(&*log, vault(1), position)
            .await
            .expect("readable");
        assert_eq!(
            (past.version, name(&past)),
            (version, expected),
            "as of position {position}"
        );
    }
}

#[tokio::test]
async fn unreadable_events_should_name_themselves() {
    let disk = Disk::new();
    let log = disk.log();
    let mut writer = Writer::new(vault(1));
    let mut future = writer.command("from a newer build", 1);
    let event = &mut future.streams[0].events[0];
    let mut envelope = event.envelope.clone();
    envelope.version = 9;
    let encoded = vaultstream_event_schemas::Encoded {
        event_type: "vault.renamed",
        version: 9,
        payload: event.payload.clone(),
    };
    *event = vaultstream_event_schemas::envelope::HashedEvent::try_new(envelope, encoded, event.previous)
        .expect("canonical");
    log.append(vec![future], Some(at(0)))
        .await
        .expect("the log stores what it does not understand");
    match load_state(&*log, vault(1)).await {
        Err(LoadError::Unreadable { event, .. }) => assert_eq!((event.stream, event.sequence), (vault(1), 1)),
        other => panic!("read all the same: {other:?}"),
    }
    let refused = executor(log.clone())
        .execute(context(), Arc::new(increment(vault(1))))
        .await;
    let code = vaultstream_domain::error::Coded::code(&refused.expect_err("cannot be decided"));
    assert_eq!(code, vaultstream_event_schemas::ErrorCode::EventUnreadable);
}
