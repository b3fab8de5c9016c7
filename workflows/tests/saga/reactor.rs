//! The reactor on the real tailer and real notes: where it begins, what it repeats, what it never skips.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::Event;
use vaultstream_domain::error::Causes;
use vaultstream_domain::organization::OrganizationError;
use vaultstream_domain::ports::bus::BusError;
use vaultstream_domain::ports::{Bus, EventLog, Progress};
use vaultstream_domain::vault::{ChangeVault, VaultCommand};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::token::Place;
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{Mark, Tailer, TracingObserver};
use vaultstream_workflows::{CommandError, React, ReactError, Reactor, Services};

use crate::net::Net;
use crate::script::Script;
use crate::world::World;

/// The only `core` shard of these worlds.
const SHARD: ShardNumber = ShardNumber(0);

/// Notes the positions it is given; its first answers for one position are failures or a refusal.
#[derive(Default)]
struct Noting {
    seen: Mutex<Vec<u64>>,
    failing: u64,
    failures: AtomicUsize,
    refusing: u64,
}

impl Noting {
    fn seen(&self) -> Vec<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        seen.sort_unstable();
        seen
    }
}

#[async_trait]
impl React for Noting {
    fn name(&self) -> &'static str {
        "noting"
    }
    fn wants(&self, event_type: &str) -> bool {
        event_type.starts_with("vault.") || event_type.starts_with("organization.")
    }
    async fn react(&self, stored: &StoredEvent, _: &Event) -> Result<(), ReactError> {
        let position = stored.position;
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(position);
        let left = |n: usize| n.checked_sub(1);
        if position == self.failing
            && self
                .failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
                .is_ok()
        {
            return Err(ReactError::service("the disk is full"));
        }
        if position == self.refusing {
            let refusal = OrganizationError::Unknown;
            return Err(CommandError::Refused(refusal.into()).into());
        }
        Ok(())
    }
}

/// A reactor on its way.
struct Running(CancellationToken, JoinHandle<()>);

impl Running {
    fn start(reactor: Reactor) -> Self {
        let stop = CancellationToken::new();
        Self(stop.clone(), tokio::spawn(reactor.run(stop)))
    }
    async fn end(self) {
        self.0.cancel();
        self.1.await.expect("it ends in order");
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not in time: {what}");
}

fn services(world: &World<'_>) -> Services {
    world.services(&Arc::new(Script::calm()), &CancellationToken::new())
}

async fn rename(world: &World<'_>, name: &str) {
    let rename = ChangeVault {
        vault: world.vault,
        organization: world.organization,
        expected: None,
        command: VaultCommand::Rename {
            name: name.to_owned(),
        },
    };
    world.run(rename).await.expect("renamed");
}

async fn head(world: &World<'_>) -> u64 {
    world.log.heads().await.expect("heads")[&SHARD].position
}

/// Runs a reactor until its note stands at the head, then stops it.
async fn to_the_head(world: &World<'_>, reaction: &Arc<Noting>) {
    let running = Running::start(Reactor::new(services(world), reaction.clone(), SHARD));
    let end = head(world).await;
    until("the note is at the head", async || {
        let note = world.progress.load("reactor/noting/0").await.expect("readable");
        let mark = note.and_then(|n| serde_json::from_slice::<Mark>(&n).ok());
        mark.is_some_and(|m| m.position == end)
    })
    .await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactor_should_go_on_where_it_was_and_repeat_when_the_note_is_lost() {
    let net = Net::start().await;
    let world = World::new(&net, Approval::None).await;
    let all: Vec<u64> = (1..=head(&world).await).collect();
    let first = Arc::new(Noting::default());
    to_the_head(&world, &first).await;
    assert_eq!(first.seen(), all);

    rename(&world, "Another").await;
    let second = Arc::new(Noting::default());
    to_the_head(&world, &second).await;
    assert_eq!(second.seen(), [head(&world).await], "only what is new");

    for note in [b"no JSON".as_slice(), b"", &[0; 8]] {
        world
            .progress
            .save("reactor/noting/0", note)
            .await
            .expect("saved");
        let third = Arc::new(Noting::default());
        to_the_head(&world, &third).await;
        assert_eq!(third.seen().len() as u64, head(&world).await, "{note:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_history_should_be_reacted_to_from_its_beginning() {
    let net = Net::start().await;
    let world = World::new(&net, Approval::None).await;
    let end = head(&world).await;
    let at = |incarnation, position, hash| Mark {
        shard: SHARD,
        incarnation,
        position,
        hash,
    };
    for (why, mark) in [
        ("another life", at(7, 2, None)),
        ("beyond the head", at(1, end + 5, None)),
        ("another hash", at(1, 2, Some([9; 32]))),
    ] {
        let note = serde_json::to_vec(&mark).expect("JSON");
        world
            .progress
            .save("reactor/noting/0", &note)
            .await
            .expect("saved");
        let reaction = Arc::new(Noting::default());
        to_the_head(&world, &reaction).await;
        assert_eq!(reaction.seen().len() as u64, end, "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactor_behind_a_place_should_begin_there_at_every_start() {
    let net = Net::start().await;
    let world = World::new(&net, Approval::None).await;
    let end = head(&world).await;
    let place = |position| Place {
        incarnation: 1,
        position,
    };
    for (from, expected) in [(None, 1..=end), (Some(place(end - 1)), end..=end)] {
        for _ in 0..2 {
            let reaction = Arc::new(Noting::default());
            let running = Running::start(Reactor::after(services(&world), reaction.clone(), SHARD, from));
            let expected: Vec<u64> = expected.clone().collect();
            until("what lies behind the place", async || reaction.seen() == expected).await;
            running.end().await;
        }
    }
    assert_eq!(
        world.progress.load("reactor/noting/0").await.expect("readable"),
        None,
        "it keeps no note"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_should_be_tried_again_and_a_refusal_taken() {
    let net = Net::start().await;
    let world = World::new(&net, Approval::None).await;
    let reaction = Arc::new(Noting {
        failing: 1,
        failures: AtomicUsize::new(3),
        refusing: 2,
        ..Noting::default()
    });
    to_the_head(&world, &reaction).await;
    let times = |position| reaction.seen().iter().filter(|p| **p == position).count();
    assert_eq!(times(1), 4, "three failures and a success");
    assert_eq!(times(2), 1, "a refusal is an answer");
    assert_eq!(times(3), 1, "the neighbour of a failing event is done once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_reactor_should_not_have_passed_what_it_did_not_do() {
    let net = Net::start().await;
    let world = World::new(&net, Approval::None).await;
    let failing = Arc::new(Noting {
        failing: 2,
        failures: AtomicUsize::new(usize::MAX),
        ..Noting::default()
    });
    let running = Running::start(Reactor::new(services(&world), failing.clone(), SHARD));
    until("it fails", async || failing.seen().contains(&2)).await;
    running.end().await;
    let well = Arc::new(Noting::default());
    to_the_head(&world, &well).await;
    assert!(well.seen().contains(&2), "the event was skipped");
}

/// A bus that repeats what it gave, leaves holes, and fails now and then.
struct Sloppy {
    log: Arc<dyn EventLog>,
    calls: AtomicUsize,
}

#[async_trait]
impl Bus for Sloppy {
    async fn fetch(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, BusError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) % 3 == 1 {
            return Err(BusError {
                doing: "answer",
                source: "scripted".into(),
            });
        }
        let from = after.saturating_sub(2);
        let events = self.log.read_shard(shard, from, limit).await;
        let mut events = events.map_err(|error| BusError {
            doing: "read",
            source: Box::new(error),
        })?;
        if events.len() > 2 {
            events.remove(1);
        }
        if events.iter().all(|e| e.position <= after) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(events)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_and_repetitions_of_the_bus_should_not_reach_the_reaction() {
    let net = Net::start().await;
    let world = World::new(&net, Approval::None).await;
    for n in 0..40 {
        rename(&world, &format!("Name {n}")).await;
    }
    let mut services = services(&world);
    let bus = Sloppy {
        log: world.log.clone(),
        calls: AtomicUsize::new(0),
    };
    let options = TailOptions {
        batch: 7,
        pause_ms: 1,
        ..TailOptions::default()
    };
    services.tailer = Tailer::new(
        Arc::new(bus),
        world.log.clone(),
        Arc::new(SystemClock),
        Arc::new(TracingObserver),
        options,
    );
    let reaction = Arc::new(Noting::default());
    let running = Running::start(Reactor::after(services, reaction.clone(), SHARD, None));
    let all: Vec<u64> = (1..=head(&world).await).collect();
    until("each event came", async || reaction.seen().len() >= all.len()).await;
    running.end().await;
    assert_eq!(reaction.seen(), all, "each event once");
}

#[test]
fn failures_should_name_every_cause() {
    let full = std::io::Error::other("the disk is full");
    let unavailable = CommandError::Unavailable(Box::new(BusError {
        doing: "write",
        source: Box::new(full),
    }));
    let text = Causes(&ReactError::from(unavailable)).to_string();
    for word in ["not taken", "write", "the disk is full"] {
        assert!(text.contains(word), "{text}");
    }
    let service = Causes(&ReactError::service("no keystore")).to_string();
    assert!(service.contains("no keystore"), "{service}");
}
