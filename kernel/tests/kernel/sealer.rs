//! The sealer on real embedded logs and real files of checkpoints: it goes on where it was, and refuses a log that is not
//! the one it sealed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ed25519_dalek::Signer as _;
use tempfile::TempDir;
use vaultstream_domain::ports::conformance::sample::{self, Writer};
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, Head, Leaf, LogError, Snapshot};
use vaultstream_domain::ports::note_list::{KeptNote, NoteListError};
use vaultstream_domain::ports::seal::SealError;
use vaultstream_domain::ports::{EventLog, NoteList, Progress, SealText};
use vaultstream_event_schemas::checkpoint::{Checkpoint, Loss};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::note::keys::{Algorithm, Keys, VerifierKey};
use vaultstream_event_schemas::note::{Note, NoteSignature};
use vaultstream_event_schemas::{Registry, ShardNumber, StreamId, Timestamp};
use vaultstream_infra_runtime::{FileNoteList, SystemClock};
use vaultstream_infra_sqlite::{Options, SqliteLog, SqliteProgress};
use vaultstream_kernel::sealer::SealerError;
use vaultstream_kernel::{Sealer, SealerOptions, SealerPorts, TracingObserver};

/// Signs with Ed25519 alone; the keystore's own tests sign with both.
pub struct Signing(pub u8);

#[async_trait]
impl SealText for Signing {
    fn origin(&self) -> &str {
        "vaultstream/test/log"
    }
    async fn public_keys(&self) -> Result<Keys, SealError> {
        let public = ed25519_dalek::SigningKey::from_bytes(&[self.0; 32]).verifying_key();
        let key = VerifierKey::try_new(self.origin(), Algorithm::Ed25519, public.as_bytes());
        Ok(Keys::new(vec![key.map_err(|error| SealError(error.into()))?]))
    }
    async fn seal(&self, text: String) -> Result<String, SealError> {
        let keys = self.public_keys().await?;
        let signing = ed25519_dalek::SigningKey::from_bytes(&[self.0; 32]);
        let signature = NoteSignature {
            name: self.origin().to_owned(),
            id: keys.all()[0].id(),
            bytes: signing.sign(text.as_bytes()).to_bytes().to_vec(),
        };
        let note = Note::try_new(text, vec![signature]).map_err(|error| SealError(error.into()))?;
        Ok(note.to_string())
    }
}

struct Rig {
    log: Arc<SqliteLog>,
    checkpoints: Arc<FileNoteList>,
    progress: Arc<SqliteProgress>,
    dir: TempDir,
}

fn log_at(path: &Path) -> Arc<SqliteLog> {
    Arc::new(SqliteLog::open(&Options::new(path, sample::families())).expect("opens"))
}

impl Rig {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        Self {
            log: log_at(&dir.path().join("log.db")),
            checkpoints: Arc::new(FileNoteList::checkpoints(&dir.path().join("list")).expect("opens")),
            progress: Arc::new(SqliteProgress::open(&dir.path().join("progress.db")).expect("opens")),
            dir,
        }
    }

    fn sealer_on(&self, log: Arc<dyn EventLog>, progress: Arc<dyn Progress>) -> Sealer {
        let ports = SealerPorts {
            log,
            checkpoints: self.checkpoints.clone(),
            seal: Arc::new(Signing(1)),
            progress,
            clock: Arc::new(SystemClock),
            observer: Arc::new(TracingObserver),
        };
        let options = SealerOptions {
            page: 7,
            recheck_pause_ms: 1,
            ..SealerOptions::default()
        };
        Sealer::new(ports, options)
    }

    fn sealer(&self) -> Sealer {
        self.sealer_on(self.log.clone(), self.progress.clone())
    }

    /// A progress that knows nothing.
    fn blank(&self) -> Arc<SqliteProgress> {
        let file = tempfile::NamedTempFile::new_in(self.dir.path()).expect("a file");
        let path = file.path().with_extension("blank.db");
        Arc::new(SqliteProgress::open(&path).expect("opens"))
    }

    async fn list(&self) -> Vec<Checkpoint> {
        let kept = self.checkpoints.read(0, 100).await.expect("readable");
        kept.iter()
            .map(|kept| {
                Note::parse(&kept.note)
                    .expect("a note")
                    .text()
                    .parse()
                    .expect("a checkpoint")
            })
            .collect()
    }
}

/// Appends `count` events to a stream of a shard, in the commands of its writer.
async fn append(log: &SqliteLog, writer: &mut Writer, count: usize) {
    for _ in 0..count {
        let outcomes = log
            .append(vec![writer.command("sealed", 1)], None)
            .await
            .expect("taken");
        assert!(
            matches!(outcomes[0], AppendOutcome::Committed { .. }),
            "{outcomes:?}"
        );
    }
}

fn sizes(checkpoint: &Checkpoint) -> Vec<u64> {
    checkpoint.shards.iter().map(|root| root.size).collect()
}

#[tokio::test]
async fn rounds_should_seal_what_is_new_and_link_to_what_was_before() {
    let rig = Rig::new();
    let (mut a, mut b) = (
        Writer::new(sample::stream(0, 1)),
        Writer::new(sample::stream(3, 1)),
    );
    let sealer = rig.sealer();
    let mut sealing = sealer.resume().await.expect("nothing to resume");
    assert_eq!(sealing.round().await.expect("nothing to seal"), None);
    append(&rig.log, &mut a, 20).await;
    let first = sealing.round().await.expect("sealed").expect("something");
    assert_eq!(sealing.round().await.expect("nothing new"), None);
    append(&rig.log, &mut b, 9).await;
    append(&rig.log, &mut a, 1).await;
    let second = sealing.round().await.expect("sealed").expect("something");
    let list = rig.list().await;
    assert_eq!((first.number, second.number, list.len()), (1, 2, 2));
    assert_eq!(sizes(&list[0]), [20, 0, 0, 0, 0]);
    assert_eq!(sizes(&list[1]), [21, 0, 0, 9, 0]);
    assert_eq!(list[1].previous, Some(first.hash));
    sealer.recheck_once().await.expect("all is as it was sealed");
}

#[tokio::test]
async fn restart_should_go_on_with_and_without_its_notes() {
    let rig = Rig::new();
    let mut writer = Writer::new(sample::stream(1, 1));
    append(&rig.log, &mut writer, 33).await;
    let sealer = rig.sealer();
    sealer.resume().await.expect("new").round().await.expect("sealed");
    for progress in [rig.progress.clone(), rig.blank()] {
        append(&rig.log, &mut writer, 3).await;
        let sealer = rig.sealer_on(rig.log.clone(), progress);
        let mut sealing = sealer.resume().await.expect("the same log");
        sealing.round().await.expect("sealed").expect("something");
    }
    let list = rig.list().await;
    assert_eq!(list.iter().map(|c| c.events()).collect::<Vec<_>>(), [33, 36, 39]);
    // A tree that is carried on has the root of one that is read from the beginning.
    let fresh = Rig::new();
    let sealer = fresh.sealer_on(rig.log.clone(), fresh.progress.clone());
    sealer.resume().await.expect("new").round().await.expect("sealed");
    assert_eq!(fresh.list().await[0].shards, list[2].shards);
}

#[tokio::test]
async fn restart_should_go_on_from_an_older_note_and_past_a_false_one() {
    let rig = Rig::new();
    let mut writer = Writer::new(sample::stream(1, 1));
    append(&rig.log, &mut writer, 10).await;
    rig.sealer()
        .resume()
        .await
        .expect("new")
        .round()
        .await
        .expect("sealed");
    let older = rig
        .progress
        .load("sealer/1")
        .await
        .expect("readable")
        .expect("a note");
    append(&rig.log, &mut writer, 6).await;
    rig.sealer()
        .resume()
        .await
        .expect("stands")
        .round()
        .await
        .expect("sealed");
    // The process was killed after the checkpoint was kept and before the note was.
    rig.progress.save("sealer/1", &older).await.expect("kept");
    rig.sealer().resume().await.expect("the note is a part of it");
    let mut false_note = older;
    false_note[50] ^= 1;
    rig.progress.save("sealer/1", &false_note).await.expect("kept");
    rig.sealer()
        .resume()
        .await
        .expect("the shard was read from its beginning");
}

#[track_caller]
fn contradiction(result: Result<impl Sized, SealerError>) -> (u64, &'static str) {
    match result.map(drop) {
        Err(SealerError::Contradiction { position, what, .. }) => (position, what),
        other => panic!("no contradiction: {other:?}"),
    }
}

/// Another log, of `count` events whose payloads are the same up to `same`.
async fn other_log(rig: &Rig, count: usize, same: usize) -> Arc<SqliteLog> {
    let log = log_at(&rig.dir.path().join(format!("other-{count}-{same}.db")));
    let mut writer = Writer::new(sample::stream(1, 1));
    // The clock is part of what is sealed: it is given, so that both logs can be equal.
    for n in 0..count {
        let name = if n < same { "sealed" } else { "another" };
        let now = sample::at(i64::try_from(n).expect("small") * 10);
        log.append(vec![writer.command(name, 1)], Some(now))
            .await
            .expect("taken");
    }
    log
}

#[tokio::test]
async fn log_that_is_cut_or_rewritten_should_be_refused_with_its_place() {
    let mut rig = Rig::new();
    rig.log = other_log(&rig, 30, 30).await;
    let sealer = rig.sealer();
    sealer.resume().await.expect("new").round().await.expect("sealed");
    let on = |log: Arc<SqliteLog>, progress: Arc<SqliteProgress>| rig.sealer_on(log, progress);

    let same = other_log(&rig, 31, 31).await;
    on(same, rig.progress.clone())
        .resume()
        .await
        .expect("the same log and one event more");
    let cut = other_log(&rig, 25, 25).await;
    let found = contradiction(on(cut, rig.progress.clone()).resume().await);
    assert_eq!(found, (26, "the log ends before it"));
    let last = other_log(&rig, 30, 29).await;
    let found = contradiction(on(last.clone(), rig.progress.clone()).resume().await);
    assert_eq!(found, (30, "it has another event there"));
    // Without its notes it reads the shard whole.
    let found = contradiction(on(last, rig.blank()).resume().await);
    assert_eq!(found.0, 30);
    assert_eq!(rig.list().await.len(), 1, "nothing more was signed");
}

#[tokio::test]
async fn rewritten_middle_should_be_found_by_reading_again() {
    let mut rig = Rig::new();
    rig.log = other_log(&rig, 30, 30).await;
    let sealer = rig.sealer();
    sealer.resume().await.expect("new").round().await.expect("sealed");
    // The other log differs from position 11 on; the notes and the checkpoint are those of the first.
    let rewritten = other_log(&rig, 30, 10).await;
    let sealer = rig.sealer_on(rewritten, rig.progress.clone());
    assert_eq!(contradiction(sealer.recheck_once().await).0, 30);
}

#[tokio::test]
async fn list_of_another_installation_should_be_refused() {
    let rig = Rig::new();
    append(&rig.log, &mut Writer::new(sample::stream(1, 1)), 3).await;
    let sealer = rig.sealer();
    sealer.resume().await.expect("new").round().await.expect("sealed");
    let ports = SealerPorts {
        log: rig.log.clone(),
        checkpoints: rig.checkpoints.clone(),
        seal: Arc::new(Signing(2)),
        progress: rig.progress.clone(),
        clock: Arc::new(SystemClock),
        observer: Arc::new(TracingObserver),
    };
    let foreign = Sealer::new(ports, SealerOptions::default());
    let refused = foreign.resume().await.map(drop);
    assert!(
        matches!(refused, Err(SealerError::Foreign { number: 1, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn of_two_sealers_one_should_be_refused_and_go_on_from_the_other() {
    let rig = Rig::new();
    let mut writer = Writer::new(sample::stream(1, 1));
    append(&rig.log, &mut writer, 3).await;
    let (a, b) = (rig.sealer(), rig.sealer());
    let (mut first, mut second) = (a.resume().await.expect("new"), b.resume().await.expect("new"));
    first.round().await.expect("sealed");
    append(&rig.log, &mut writer, 1).await;
    let refused = second.round().await;
    assert!(
        matches!(
            refused,
            Err(SealerError::Checkpoints(NoteListError::Number { newest: 1, .. }))
        ),
        "{refused:?}"
    );
    b.resume()
        .await
        .expect("the other's")
        .round()
        .await
        .expect("sealed")
        .expect("something");
    assert_eq!(rig.list().await.len(), 2);
}

/// A log of which a shard was restored: what is behind `kept` is another log's, in the next life.
struct Restored {
    log: Arc<SqliteLog>,
    shard: ShardNumber,
    kept: u64,
    lives: Mutex<u32>,
}

#[async_trait]
impl EventLog for Restored {
    fn registry(&self) -> Arc<Registry> {
        self.log.registry()
    }
    async fn append(
        &self,
        batch: Vec<AppendCommand>,
        now: Option<Timestamp>,
    ) -> Result<Vec<AppendOutcome>, LogError> {
        self.log.append(batch, now).await
    }
    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        self.log.read_stream(stream, after, limit).await
    }
    async fn read_shard(
        &self,
        shard: ShardNumber,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let mut events = self.log.read_shard(shard, after, limit).await?;
        let life = *self.lives.lock().expect("no test panics here");
        for event in &mut events {
            if shard == self.shard && event.position > self.kept {
                event.envelope.incarnation = life;
            }
        }
        Ok(events)
    }
    async fn heads(&self) -> Result<BTreeMap<ShardNumber, Head>, LogError> {
        let mut heads = self.log.heads().await?;
        if let Some(head) = heads.get_mut(&self.shard) {
            head.incarnation = *self.lives.lock().expect("no test panics here");
        }
        Ok(heads)
    }
    async fn read_leaves(&self, shard: ShardNumber, after: u64, limit: usize) -> Result<Vec<Leaf>, LogError> {
        let events = self.read_shard(shard, after, limit).await?;
        Ok(events.iter().map(Leaf::from).collect())
    }
    async fn wait_beyond(&self, shard: ShardNumber, position: u64) -> Result<(), LogError> {
        self.log.wait_beyond(shard, position).await
    }
    async fn load_snapshot(&self, stream: StreamId, fold: u32) -> Result<Option<Snapshot>, LogError> {
        self.log.load_snapshot(stream, fold).await
    }
    async fn save_snapshot(&self, stream: StreamId, fold: u32, snapshot: Snapshot) -> Result<(), LogError> {
        self.log.save_snapshot(stream, fold, snapshot).await
    }
}

#[tokio::test]
async fn restored_shard_should_be_sealed_on_and_its_loss_declared_once() {
    let mut rig = Rig::new();
    rig.log = other_log(&rig, 10, 10).await;
    let sealer = rig.sealer();
    let mut sealing = sealer.resume().await.expect("new");
    sealing.round().await.expect("sealed");
    // Two more checkpoints, at 20 and 30; then back to 24, and 4 events of another life.
    for count in [20, 30] {
        let log = other_log(&rig, count, count).await;
        let sealer = rig.sealer_on(log, rig.blank());
        sealer
            .resume()
            .await
            .expect("the same log")
            .round()
            .await
            .expect("sealed")
            .expect("more");
    }
    let restored = Arc::new(Restored {
        log: other_log(&rig, 28, 24).await,
        shard: ShardNumber(1),
        kept: 24,
        lives: Mutex::new(2),
    });
    let sealer = rig.sealer_on(restored.clone(), rig.progress.clone());
    let mut sealing = sealer.resume().await.expect("a declared restore");
    let number = sealing.round().await.expect("sealed").expect("the loss").number;
    assert_eq!(number, 4);
    let list = rig.list().await;
    let loss = Loss {
        shard: ShardNumber(1),
        incarnation: 1,
        kept: 24,
    };
    assert_eq!((list[3].losses.as_slice(), list[3].events()), (&[loss][..], 28));
    assert_eq!(list[3].shards[1].incarnation, 2);
    // It is declared once, and the next start finds nothing to say.
    let sealer = rig.sealer_on(restored.clone(), rig.blank());
    assert_eq!(
        sealer
            .resume()
            .await
            .expect("stands")
            .round()
            .await
            .expect("nothing new"),
        None
    );
    // A restore that kept other events than were sealed is none.
    let lying = Restored {
        log: other_log(&rig, 28, 5).await,
        shard: ShardNumber(1),
        kept: 24,
        lives: Mutex::new(3),
    };
    let found = contradiction(rig.sealer_on(Arc::new(lying), rig.blank()).resume().await);
    assert_eq!(
        found.1,
        "the events that the restore kept are not those that were sealed"
    );
}

#[tokio::test]
async fn life_that_ends_under_way_should_end_the_rounds() {
    let rig = Rig::new();
    let mut writer = Writer::new(sample::stream(1, 1));
    append(&rig.log, &mut writer, 5).await;
    let log = Arc::new(Restored {
        log: rig.log.clone(),
        shard: ShardNumber(1),
        kept: 5,
        lives: Mutex::new(1),
    });
    let sealer = rig.sealer_on(log.clone(), rig.progress.clone());
    let mut sealing = sealer.resume().await.expect("new");
    sealing.round().await.expect("sealed");
    *log.lives.lock().expect("no test panics here") = 2;
    append(&rig.log, &mut writer, 2).await;
    let ended = sealing.round().await;
    assert!(
        matches!(ended, Err(SealerError::Reborn(ShardNumber(1)))),
        "{ended:?}"
    );
    let mut sealing = sealer.resume().await.expect("goes on");
    sealing.round().await.expect("sealed").expect("something");
    let list = rig.list().await;
    assert_eq!(
        list[1].losses,
        [Loss {
            shard: ShardNumber(1),
            incarnation: 1,
            kept: 5
        }]
    );
}

#[tokio::test]
async fn what_was_followed_should_be_sealed_by_the_next_round_once() {
    let rig = Rig::new();
    let mut writer = Writer::new(sample::stream(2, 1));
    let sealer = rig.sealer();
    let mut sealing = sealer.resume().await.expect("nothing to resume");
    for appended in [20, 3] {
        append(&rig.log, &mut writer, appended).await;
        let events = sealing.follow().await.expect("read");
        assert_eq!(events, appended as u64);
    }
    assert_eq!(sealing.follow().await.expect("read"), 0);
    assert_eq!(rig.list().await, [], "what was read is not sealed yet");
    sealing.round().await.expect("sealed").expect("something");
    assert_eq!(sealing.round().await.expect("nothing new"), None);
    let list = rig.list().await;
    assert_eq!((list.len(), sizes(&list[0])), (1, vec![0, 0, 23, 0, 0]));
    // A restart knows nothing of what was followed and not sealed.
    append(&rig.log, &mut writer, 1).await;
    sealing.follow().await.expect("read");
    let mut sealing = sealer.resume().await.expect("as it was sealed");
    assert_eq!(sealing.follow().await.expect("read"), 1);
    sealing.round().await.expect("sealed").expect("something");
    assert_eq!(sizes(&rig.list().await[1]), [0, 0, 24, 0, 0]);
}

/// What is kept is what was sealed, whatever the numbers say.
#[tokio::test]
async fn kept_note_should_be_the_sealed_one() {
    let rig = Rig::new();
    append(&rig.log, &mut Writer::new(sample::stream(1, 1)), 1).await;
    let sealer = rig.sealer();
    let name = sealer
        .resume()
        .await
        .expect("new")
        .round()
        .await
        .expect("sealed")
        .expect("one");
    let kept: KeptNote = rig.checkpoints.newest().await.expect("readable").expect("one");
    let note = Note::parse(&kept.note).expect("a note");
    assert_eq!((name.number, name.hash), (kept.number, note.hash()));
    Signing(1)
        .public_keys()
        .await
        .expect("keys")
        .believe(&note)
        .expect("ours");
}
