//! Marks on real embedded logs and real files: nothing is covered that is not kept, one mark covers many, and a log that
//! does not hold its mark signs nothing until it was released.

mod release;
mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::event_log::Leaf;
use vaultstream_domain::ports::note_list::{KeptNote, NoteKind, NoteListError};
use vaultstream_domain::ports::{EventLog, NoteList};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_kernel::mark::{MarkError, Standing, Why};
use vaultstream_kernel::{Sealer, SealerOptions, SealerPorts, TracingObserver};

use rig::{CHAIN_SHARD, Rig, bound};

fn why(standing: &Standing) -> Vec<Why> {
    match standing {
        Standing::Quarantined(rewound) => rewound.why.clone(),
        other => panic!("not in quarantine: {other:?}"),
    }
}

#[tokio::test]
async fn first_start_should_write_a_mark_and_a_bind_be_covered_by_the_next() {
    let rig = Rig::new();
    let node = rig.open();
    let marking = node.marking().await;
    assert!(marking.standing().is_open());
    assert_eq!(node.marks().await.len(), 1, "the first mark covers an empty log");
    node.bind(&bound(1, 0)).await;
    marking.cover(bound(1, 0)).await.expect("covered");
    marking.cover(bound(1, 0)).await.expect("known");
    let marks = node.marks().await;
    assert_eq!(marks.len(), 2, "an execution that asks again needs no other mark");
    let mark = &marks[1];
    assert_eq!(mark.binds, [bound(1, 0)]);
    let leaves: Vec<Leaf> = node
        .log
        .read_leaves(ShardNumber(CHAIN_SHARD), 0, 10)
        .await
        .expect("readable");
    let shard = mark.shards.iter().find(|s| s.shard.0 == CHAIN_SHARD);
    let shard = shard.expect("every shard is marked");
    let last = leaves.last().expect("a bind");
    assert_eq!((shard.position, shard.hash), (last.position, last.hash));
    let name = marking.standing().get().mark.expect("a mark");
    assert_eq!((name.number, mark.previous.is_some()), (2, true));
}

/// Marks that take a while, or fail.
struct Troubled {
    marks: Arc<dyn NoteList>,
    fails: AtomicBool,
    appends: AtomicUsize,
}

#[async_trait]
impl NoteList for Troubled {
    async fn append(&self, mark: &KeptNote) -> Result<(), NoteListError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        if self.fails.load(Ordering::SeqCst) {
            let full = std::io::Error::other("the disk is full");
            return Err(NoteListError::store(NoteKind::Mark, "kept")(full));
        }
        self.marks.append(mark).await
    }
    async fn newest(&self) -> Result<Option<KeptNote>, NoteListError> {
        self.marks.newest().await
    }
    async fn read(&self, after: u64, limit: usize) -> Result<Vec<KeptNote>, NoteListError> {
        self.marks.read(after, limit).await
    }
}

#[tokio::test]
async fn one_mark_should_cover_what_waits() {
    let rig = Rig::new();
    let mut node = rig.open();
    let slow = Arc::new(Troubled {
        marks: node.marks.clone(),
        fails: AtomicBool::new(false),
        appends: AtomicUsize::new(0),
    });
    node.marks = slow.clone();
    let marking = node.marking().await;
    let waiting = (0..300).map(|n| marking.cover(bound(n, u64::try_from(n).expect("small"))));
    for covered in futures::future::join_all(waiting).await {
        covered.expect("covered");
    }
    let binds: usize = node.marks().await.iter().map(|mark| mark.binds.len()).sum();
    assert_eq!(binds, 300);
    let marks = slow.appends.load(Ordering::SeqCst);
    assert!(marks <= 10, "{marks} marks for 300 binds");
}

#[tokio::test]
async fn mark_that_cannot_be_kept_should_stop_signing_and_nothing_else() {
    let rig = Rig::new();
    let mut node = rig.open();
    let full = Arc::new(Troubled {
        marks: node.marks.clone(),
        fails: AtomicBool::new(false),
        appends: AtomicUsize::new(0),
    });
    node.marks = full.clone();
    let marking = node.marking().await;
    full.fails.store(true, Ordering::SeqCst);
    node.bind(&bound(1, 0)).await;
    let refused = marking.cover(bound(1, 0)).await;
    assert!(matches!(refused, Err(MarkError::Marks(_))), "{refused:?}");
    let seen = marking.standing().get();
    assert!(seen.unwritten.is_some_and(|why| why.contains("the disk is full")));
    node.bind(&bound(2, 1)).await;
    full.fails.store(false, Ordering::SeqCst);
    marking.cover(bound(1, 0)).await.expect("covered now");
    assert_eq!(marking.standing().get().unwritten, None);
}

#[tokio::test]
async fn log_that_was_put_back_should_be_in_quarantine() {
    let rig = Rig::new();
    let node = rig.open();
    let marking = node.marking().await;
    node.bind(&bound(1, 0)).await;
    marking.cover(bound(1, 0)).await.expect("covered");
    node.close(marking).await;
    let copy = rig.copy();
    let node = rig.open();
    let marking = node.marking().await;
    assert!(marking.standing().is_open(), "a restart forgets nothing");
    node.bind(&bound(2, 1)).await;
    marking.cover(bound(2, 1)).await.expect("covered");
    node.close(marking).await;

    rig.put_back(&copy);
    let node = rig.open();
    let marking = node.marking().await;
    let (shard, marked, position) = (ShardNumber(CHAIN_SHARD), 2, 1);
    let short = Why::Short {
        shard,
        marked,
        position,
    };
    assert_eq!(why(&marking.standing().get().standing), [short]);
    let refused = marking.cover(bound(3, 2)).await;
    assert!(matches!(refused, Err(MarkError::Quarantined(_))), "{refused:?}");
    // It goes on, and is as long as was marked: but it is another history.
    node.bind(&bound(3, 1)).await;
    node.close(marking).await;
    let node = rig.open();
    let marking = node.marking().await;
    let differs = Why::Differs { shard, marked };
    assert_eq!(why(&marking.standing().get().standing), [differs]);
}

#[tokio::test]
async fn rewind_under_a_running_process_should_end_signing() {
    let rig = Rig::new();
    let node = rig.open();
    let marking = node.marking().await;
    node.bind(&bound(1, 0)).await;
    marking.cover(bound(1, 0)).await.expect("covered");
    // Another log takes the place of the one that was marked.
    let other = Rig::new();
    let mut stranger = other.open();
    stranger.marks = node.marks.clone();
    let marking = stranger.marking().await;
    assert!(!marking.standing().is_open());
}

#[tokio::test]
async fn missing_mark_should_be_a_quarantine_once_something_was_bound() {
    let rig = Rig::new();
    let node = rig.open();
    node.bind(&bound(1, 0)).await;
    let marking = node.marking().await;
    assert_eq!(why(&marking.standing().get().standing), [Why::Missing]);
    assert!(node.marks().await.is_empty(), "nothing is begun over it");
    let begun = node.marking_that_begins().await;
    assert!(begun.standing().is_open(), "where no money is real it may begin");
    assert_eq!(node.marks().await.len(), 1);
}

#[tokio::test]
async fn marks_of_another_installation_should_be_no_ground_to_sign_on() {
    let rig = Rig::new();
    let mut node = rig.open();
    node.bind(&bound(1, 0)).await;
    let begun = node.marking_that_begins().await;
    assert!(begun.standing().is_open());
    node.key = 2;
    let marking = node.marking().await;
    let why = why(&marking.standing().get().standing);
    assert!(matches!(why[..], [Why::Foreign(_)]), "{why:?}");
}

#[tokio::test]
async fn checkpoint_beyond_the_log_should_be_a_quarantine_too() {
    let rig = Rig::new();
    let node = rig.open();
    let marking = node.marking().await;
    node.close(marking).await;
    let copy = rig.copy();
    let node = rig.open();
    node.bind(&bound(1, 0)).await;
    let ports = SealerPorts {
        log: node.log.clone(),
        checkpoints: node.checkpoints.clone(),
        seal: node.seal(),
        progress: rig.progress(),
        clock: Arc::new(vaultstream_infra_runtime::SystemClock),
        observer: Arc::new(TracingObserver),
    };
    let sealer = Sealer::new(ports, SealerOptions::default());
    let mut sealing = sealer.resume().await.expect("nothing to resume");
    sealing.round().await.expect("sealed").expect("something");
    drop(sealing);
    drop(sealer);
    node.close_quietly().await;

    rig.put_back(&copy);
    let node = rig.open();
    let marking = node.marking().await;
    let unsealed = Why::Unsealed {
        shard: ShardNumber(CHAIN_SHARD),
        checkpoint: 1,
        sealed: 1,
        position: 0,
    };
    assert_eq!(why(&marking.standing().get().standing), [unsealed]);
}
