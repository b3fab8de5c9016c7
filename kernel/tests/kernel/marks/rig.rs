//! A directory with a log, marks and checkpoints, opened and closed as a process does, and put back to what it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::conformance::sample;
use vaultstream_domain::ports::{NoteList, Progress, SealText};
use vaultstream_domain::{Change, CommandContext, DomainError, States, Transact};
use vaultstream_event_schemas::chain::{EvmPlan, Plan};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::execution::v1::{self, SlotBound};
use vaultstream_event_schemas::mark::{Mark, MarkedBind};
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, CommandId, ExecutionId, OrganizationId, ShardNumber, StreamId, Timestamp,
    VaultId, id,
};
use vaultstream_infra_runtime::{FileNoteList, SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, SqliteProgress};
use vaultstream_kernel::mark::{MarkOptions, MarkPorts};
use vaultstream_kernel::{Executor, Marking, Options, Ports, TracingObserver};

use crate::sealer::Signing;

/// A shard of a chain.
pub const CHAIN_SHARD: u16 = 3;
/// The id of the key that marks are named after.
const KEY: u32 = 7;

/// The `n`th execution, bound to a slot of the one account.
pub fn bound(n: u128, slot: u64) -> MarkedBind {
    let shard = ShardNumber(CHAIN_SHARD);
    MarkedBind {
        execution: ExecutionId::from_uuid(id::with_shard(id::random(1, 1_000 + n), shard)),
        organization: OrganizationId::from_uuid(id::random(1, 1)),
        vault: VaultId::from_uuid(id::random(1, 2)),
        account: AccountId::from_uuid(id::with_shard(id::random(1, 3), shard)),
        digest: format!("0x{slot:x}"),
        plan: Plan::Evm(EvmPlan {
            chain_id: 31337,
            data: "0x".into(),
            from: "0xA".into(),
            gas_limit: 21_000,
            max_fee_per_gas: Amount::from_u128(2),
            max_priority_fee_per_gas: Amount::from_u128(1),
            nonce: slot,
            to: "0xB".into(),
            value: Amount::from_u128(n),
        }),
    }
}

/// Binds without asking whether there was a reservation: the log is what is looked at here.
struct BindIt(MarkedBind);

impl Transact for BindIt {
    fn name(&self) -> &'static str {
        "test.bind"
    }
    fn shard(&self) -> ShardNumber {
        self.0.account.shard()
    }
    fn reads(&self) -> Vec<StreamId> {
        vec![self.0.account.slots().into()]
    }
    fn decide(&self, _: &States, _: Timestamp) -> Result<Vec<Change>, DomainError> {
        let bind = &self.0;
        let owner = Owner::Vault(bind.vault);
        let event = SlotBound {
            digest: bind.digest.clone(),
            execution: bind.execution,
            slot: bind.slot(),
        };
        let events: Vec<vaultstream_domain::execution::SlotsEvent> = vec![event.into()];
        Ok(vec![Change::of(
            bind.account.slots(),
            bind.organization,
            owner,
            events,
        )])
    }
}

/// What the log forgot, as it is told.
pub fn forgotten(bind: &MarkedBind) -> v1::SlotLost {
    v1::SlotLost {
        digest: bind.digest.clone(),
        execution: bind.execution,
        plan: bind.plan.clone(),
    }
}

/// The directory.
pub struct Rig(TempDir);

/// A process on it.
pub struct Node {
    pub log: Arc<SqliteLog>,
    pub marks: Arc<dyn NoteList>,
    pub checkpoints: Arc<dyn NoteList>,
    pub key: u8,
    executor: Executor,
    stop: CancellationToken,
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("listed").path();
        let name = path.file_name().expect("a name");
        std::fs::copy(&path, to.join(name)).expect("copied");
    }
}

impl Rig {
    pub fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub fn open(&self) -> Node {
        std::fs::create_dir_all(self.data()).expect("made");
        let options = LogOptions::new(self.data().join("log.db"), sample::families());
        let log = Arc::new(SqliteLog::open(&options).expect("opens"));
        let stop = CancellationToken::new();
        let ports = Ports {
            log: log.clone(),
            clock: Arc::new(SystemClock),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            observer: Arc::new(TracingObserver),
        };
        Node {
            executor: Executor::start(Options::default(), ports, stop.clone()),
            marks: Arc::new(FileNoteList::marks(&self.0.path().join("marks"), KEY).expect("opens")),
            checkpoints: Arc::new(FileNoteList::checkpoints(&self.0.path().join("list")).expect("opens")),
            key: 1,
            log,
            stop,
        }
    }

    pub fn progress(&self) -> Arc<dyn Progress> {
        let path = self.0.path().join("progress.db");
        Arc::new(SqliteProgress::open(&path).expect("opens"))
    }

    /// The log as it lies; nobody has it open.
    pub fn copy(&self) -> PathBuf {
        let copy = self.0.path().join("copy");
        copy_files(&self.data(), &copy);
        copy
    }

    /// Makes the log what it was.
    pub fn put_back(&self, copy: &Path) {
        std::fs::remove_dir_all(self.data()).expect("removed");
        copy_files(copy, &self.data());
    }
}

impl Node {
    pub fn seal(&self) -> Arc<dyn SealText> {
        Arc::new(Signing(self.key))
    }

    pub fn ports(&self) -> MarkPorts {
        MarkPorts {
            log: self.log.clone(),
            marks: self.marks.clone(),
            checkpoints: self.checkpoints.clone(),
            seal: self.seal(),
            clock: Arc::new(SystemClock),
            observer: Arc::new(TracingObserver),
        }
    }

    async fn start(&self, options: MarkOptions) -> Marking {
        let spawn = TokioSpawn::new(Handle::current());
        Marking::start(self.ports(), options, &spawn, &self.stop).await
    }

    pub async fn marking(&self) -> Marking {
        self.start(MarkOptions::default()).await
    }

    pub async fn marking_that_begins(&self) -> Marking {
        let options = MarkOptions {
            begins: true,
            ..MarkOptions::default()
        };
        self.start(options).await
    }

    /// Makes a bind durable in the log.
    pub async fn bind(&self, bind: &MarkedBind) {
        self.run(BindIt(bind.clone())).await;
    }

    pub async fn run(&self, use_case: impl Transact + 'static) {
        let context = CommandContext {
            actor: Actor::system("test"),
            command: CommandId::from_uuid(id::random(1, 9)),
            causation: None,
            trace: None,
        };
        let done = self.executor.execute(context, Arc::new(use_case)).await;
        done.expect("durable");
    }

    /// All marks there are.
    pub async fn marks(&self) -> Vec<Mark> {
        let kept = self.marks.read(0, usize::MAX).await.expect("readable");
        let read = |note: &str| Note::parse(note).expect("a note").text().parse().expect("a mark");
        kept.iter().map(|kept| read(&kept.note)).collect()
    }

    /// Ends the process, so that its files can be opened again.
    pub async fn close(self, marking: Marking) {
        self.stop.cancel();
        drop(marking);
        self.close_quietly().await;
    }

    pub async fn close_quietly(self) {
        self.stop.cancel();
        let Self {
            log,
            marks,
            checkpoints,
            executor,
            ..
        } = self;
        drop((executor, marks, checkpoints));
        // The tasks that have the log let go of it when they have seen the stop.
        while Arc::strong_count(&log) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
