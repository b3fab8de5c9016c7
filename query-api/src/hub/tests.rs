//! The hub over a real log: what each test guards is in its name.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use vaultstream_domain::ports::EventLog;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::payload::encode;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::transfer::v1::Approved;
use vaultstream_event_schemas::vault::v1::VaultRenamed;
use vaultstream_event_schemas::{ErrorCode, OrganizationId, ShardNumber, TransferId, VaultId};

use super::{Changes, Hub, Item, Key, Reader, Topic, VAULT_RING};
use crate::rig::{Gate, History, Tasks, hub_parts};

const SOON: Duration = Duration::from_secs(20);

async fn hub(history: &History, gate: Arc<Gate>) -> Hub {
    Hub::init(hub_parts(history, gate), &Tasks).await.expect("starts")
}

const fn whole(organization: OrganizationId) -> Topic {
    Topic {
        organization,
        vault: None,
    }
}

async fn next(reader: &mut Reader) -> (ShardNumber, u64) {
    let delivery = timeout(SOON, reader.next())
        .await
        .expect("in time")
        .expect("delivered");
    (delivery.item.shard, delivery.item.place.position)
}

async fn approve(history: &History, of: (OrganizationId, VaultId), transfer: TransferId, times: u32) {
    let events = (0..times)
        .map(|n| encode(&Approved { approvals: n }).expect("canonical"))
        .collect();
    history.append(transfer, of.0, Owner::Vault(of.1), events).await;
}

async fn rename(history: &History, organization: OrganizationId, vault: VaultId, name: &str) {
    history
        .put(
            vault,
            organization,
            Owner::Itself,
            &VaultRenamed { name: name.into() },
        )
        .await;
}

/// All events of an organization in the log, by shard and position.
async fn truth(history: &History, organization: OrganizationId) -> Vec<(ShardNumber, u64)> {
    let mut all = Vec::new();
    for shard in 0..4u16 {
        let events = history
            .log
            .read_shard(ShardNumber(shard), 0, 10_000)
            .await
            .expect("reads");
        let own = events.iter().filter(|e| e.envelope.organization == organization);
        all.extend(own.map(|e| (ShardNumber(shard), e.position)));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_should_resume_without_gap_or_repetition_while_events_arrive() {
    let history = Arc::new(History::new());
    let (me, other) = (history.organization(), history.organization());
    let hub = hub(&history, Gate::open()).await;
    let start = hub.read(whole(me), None).expect("reads").cursor().clone();
    let writer = Arc::clone(&history);
    let writing = tokio::spawn(async move {
        let (mine, theirs) = ((me, writer.vault()), (other, writer.vault()));
        let transfers = [writer.transfer(2), writer.transfer(3), writer.transfer(2)];
        for round in 0..120u32 {
            approve(&writer, mine, transfers[round as usize % 3], 1 + round % 7).await;
            approve(&writer, theirs, writer.transfer(2), 2).await;
            rename(&writer, me, mine.1, "again").await;
        }
    });
    let mut seen = Vec::new();
    let mut cursor = start;
    let mut life = 0;
    while !writing.is_finished() || seen.len() < truth(&history, me).await.len() {
        // each life of the connection reads a few items and is cut
        life += 1;
        let mut reader = hub.read(whole(me), Some(cursor.clone())).expect("resumes");
        for _ in 0..1 + life % 17 {
            match timeout(Duration::from_millis(20), reader.next()).await {
                Ok(delivery) => {
                    let delivery = delivery.expect("delivered");
                    seen.push((delivery.item.shard, delivery.item.place.position));
                    cursor = delivery.cursor;
                }
                Err(_) => break,
            }
        }
    }
    writing.await.expect("written");
    for shard in [0, 2, 3].map(ShardNumber) {
        let of = |all: &[(ShardNumber, u64)]| -> Vec<u64> {
            all.iter().filter(|(s, _)| *s == shard).map(|(_, p)| *p).collect()
        };
        assert_eq!(
            of(&seen),
            of(&truth(&history, me).await),
            "shard {shard}: in order, complete, once"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_that_fell_out_of_its_ring_should_still_get_everything() {
    let history = History::new();
    let me = (history.organization(), history.vault());
    let hub = hub(&history, Gate::open()).await;
    let topic = Topic {
        organization: me.0,
        vault: Some(me.1),
    };
    let mut reader = hub.read(topic, None).expect("reads");
    let transfer = history.transfer(2);
    for _ in 0..10 {
        approve(&history, me, transfer, u32::try_from(VAULT_RING).expect("small")).await;
    }
    let mut seen = Vec::new();
    for _ in 0..10 * VAULT_RING {
        seen.push(next(&mut reader).await);
    }
    assert_eq!(seen, truth(&history, me.0).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_that_stays_too_slow_should_be_closed_with_a_cursor_that_loses_nothing() {
    let history = History::new();
    let me = (history.organization(), history.vault());
    let hub = hub(&history, Gate::open()).await;
    let topic = Topic {
        organization: me.0,
        vault: Some(me.1),
    };
    let mut reader = hub.read(topic, None).expect("reads");
    let transfer = history.transfer(2);
    let mut seen = Vec::new();
    let refusal = loop {
        // a quarter more than what is read arrives, so it never catches up and falls out again and again
        approve(
            &history,
            me,
            transfer,
            5 * u32::try_from(VAULT_RING).expect("small") / 4,
        )
        .await;
        let mut closed = None;
        for _ in 0..VAULT_RING {
            match timeout(SOON, reader.next()).await.expect("in time") {
                Ok(delivery) => seen.push((delivery.item.shard, delivery.item.place.position)),
                Err(refusal) => {
                    closed = Some(refusal);
                    break;
                }
            }
        }
        if let Some(refusal) = closed {
            break refusal;
        }
        assert!(seen.len() < 8_000, "never closed");
    };
    assert_eq!(refusal.code, ErrorCode::Overloaded);
    let mut again = hub.read(topic, Some(reader.cursor().clone())).expect("resumes");
    let all = truth(&history, me.0).await;
    while seen.len() < all.len() {
        seen.push(next(&mut again).await);
    }
    assert_eq!(seen, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_other_vaults_should_see_nothing() {
    let history = History::new();
    let (me, stranger) = (history.organization(), history.organization());
    let (mine, second) = (history.vault(), history.vault());
    let hub = hub(&history, Gate::open()).await;
    let mut foreign = hub.read(whole(stranger), None).expect("reads");
    let mut of_second = hub
        .read(
            Topic {
                organization: me,
                vault: Some(second),
            },
            None,
        )
        .expect("reads");
    // a vault's id under another tenant names nothing, live or from the log
    let begin = Positions::default();
    let mut stolen = hub
        .read(
            Topic {
                organization: stranger,
                vault: Some(mine),
            },
            Some(begin.clone()),
        )
        .expect("reads");
    approve(&history, (me, mine), history.transfer(2), 5).await;
    rename(&history, me, mine, "one").await;
    let mut own = hub.read(whole(me), Some(begin)).expect("reads");
    for _ in 0..6 {
        next(&mut own).await;
    }
    rename(&history, me, second, "two").await;
    assert_eq!(next(&mut of_second).await.0, ShardNumber(0));
    for reader in [&mut foreign, &mut stolen, &mut of_second] {
        assert!(timeout(Duration::from_millis(100), reader.next()).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn item_should_wait_for_the_views() {
    let history = History::new();
    let me = (history.organization(), history.vault());
    let gate = Gate::at(0);
    let hub = hub(&history, Arc::clone(&gate)).await;
    let mut reader = hub.read(whole(me.0), None).expect("reads");
    approve(&history, me, history.transfer(2), 3).await;
    assert!(
        timeout(Duration::from_millis(100), reader.next()).await.is_err(),
        "nothing is folded"
    );
    gate.0.send_replace(2);
    assert_eq!(next(&mut reader).await.1, 1);
    assert_eq!(next(&mut reader).await.1, 2);
    assert!(
        timeout(Duration::from_millis(100), reader.next()).await.is_err(),
        "the third is not folded"
    );
    gate.0.send_replace(3);
    assert_eq!(next(&mut reader).await.1, 3);
}

fn transfers(item: &Item) -> Vec<Key> {
    item.transfers.iter().copied().map(Key::Transfer).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_should_be_conflated_by_key_however_far_behind() {
    let history = History::new();
    let me = (history.organization(), history.vault());
    let hub = hub(&history, Gate::open()).await;
    let topic = Topic {
        organization: me.0,
        vault: Some(me.1),
    };
    let mut changes = Changes::new(hub.read(topic, None).expect("reads"), transfers);
    let busy = history.transfer(2);
    let quiet = history.transfer(2);
    let mut last = 0;
    for round in 0..40 {
        approve(&history, me, busy, 50).await;
        if round == 7 {
            approve(&history, me, quiet, 1).await;
        }
        last = history.log.heads().await.expect("heads")[&ShardNumber(2)].position;
    }
    while hub.published().0[&ShardNumber(2)].position < last {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (key, positions) = timeout(SOON, changes.next())
            .await
            .expect("in time")
            .expect("changes");
        assert_eq!(
            positions.0[&ShardNumber(2)].position,
            last,
            "the row includes all that happened"
        );
        keys.push(key);
    }
    assert_eq!(keys, [Key::Transfer(busy), Key::Transfer(quiet)]);
    assert!(
        timeout(Duration::from_millis(100), changes.next()).await.is_err(),
        "each key once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_key_should_begin_at_once_and_hear_of_no_other() {
    let history = History::new();
    let me = (history.organization(), history.vault());
    let hub = hub(&history, Gate::open()).await;
    let (mine, other) = (history.transfer(2), history.transfer(2));
    let mut changes = Changes::new(hub.read(whole(me.0), None).expect("reads"), transfers);
    changes.only(Key::Transfer(mine));
    assert_eq!(
        changes.next().await.expect("the present state").0,
        Key::Transfer(mine)
    );
    approve(&history, me, other, 3).await;
    assert!(timeout(Duration::from_millis(100), changes.next()).await.is_err());
    approve(&history, me, mine, 1).await;
    let (key, _) = timeout(SOON, changes.next())
        .await
        .expect("in time")
        .expect("changes");
    assert_eq!(key, Key::Transfer(mine));
}

#[tokio::test]
async fn cursor_of_another_life_should_be_refused() {
    let history = History::new();
    let me = history.organization();
    let hub = hub(&history, Gate::open()).await;
    let mut after = hub.published();
    for place in after.0.values_mut() {
        *place = Place {
            incarnation: place.incarnation + 1,
            position: 0,
        };
    }
    let refusal = hub.read(whole(me), Some(after)).err().expect("refused");
    assert_eq!(
        (refusal.code, refusal.field.as_deref()),
        (ErrorCode::CursorInvalid, Some("after"))
    );
    let unknown = Positions::one(
        ShardNumber(99),
        Place {
            incarnation: 1,
            position: 1,
        },
    );
    assert!(hub.read(whole(me), Some(unknown)).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_should_vanish_with_their_readers() {
    let history = History::new();
    let me = (history.organization(), history.vault());
    let hub = hub(&history, Gate::open()).await;
    let kept = hub.read(whole(me.0), None).expect("reads");
    drop(
        hub.read(
            Topic {
                organization: me.0,
                vault: Some(me.1),
            },
            None,
        )
        .expect("reads"),
    );
    assert_eq!(hub.readers().1, 2);
    approve(&history, me, history.transfer(2), 1).await;
    while hub.published().0[&ShardNumber(2)].position < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(hub.readers().1, 1, "the first event for nobody removes the topic");
    drop(kept);
}
