//! Marks: before a signature is asked for, what was bound is written down where the log is not; and a log that does not
//! hold what its newest mark says is in quarantine.
//!
//! One task a process writes marks, each for all that wait: while one is being kept, the next gathers. Several processes
//! may mark one log; the list takes one of two that come at once, and the other marks again. Invariants: [`Marking::cover`]
//! answers only when a kept mark has the bind and a position of its shard at or behind it; nothing is covered while the log
//! is behind its mark, or while that is not known. A mark is a look at the log too: one that finds it shorter than the mark
//! before ends signing at once.
//!
//! The quarantine is no state of its own: it is what a look at the mark and the log says. It ends with a mark that the log
//! holds, which only operators write ([`release`]).

mod error;
pub mod gone;
mod lives;
mod look;
pub mod lost;
pub mod release;
mod write;

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{Clock, EventLog, NoteList, SealText, Spawn};
use vaultstream_event_schemas::ExecutionId;
use vaultstream_event_schemas::mark::{MarkRef, MarkedBind, MarkedShard};

use crate::observer::Observer;

pub use error::MarkError;
pub use look::{Looked, Rewound, Why, look};

/// Binds that may wait for a mark.
const QUEUE: usize = 1_024;
/// Binds whose marks are remembered: an execution that asks again needs no other.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// Bounds of marking.
#[derive(Debug, Clone, Copy)]
pub struct MarkOptions {
    /// The time between two looks at mark and log, in milliseconds.
    pub look_ms: u64,
    /// Whether a log that has binds and no mark may begin its marks now. Where money is real, operators say so.
    pub begins: bool,
}

impl Default for MarkOptions {
    fn default() -> Self {
        Self {
            look_ms: 2_000,
            begins: false,
        }
    }
}

/// What marking runs on.
#[derive(Clone)]
pub struct MarkPorts {
    /// What is marked.
    pub log: Arc<dyn EventLog>,
    /// Where marks are kept.
    pub marks: Arc<dyn NoteList>,
    /// Where checkpoints are kept: what was sealed is not forgotten either.
    pub checkpoints: Arc<dyn NoteList>,
    /// Signs marks.
    pub seal: Arc<dyn SealText>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
}

/// Whether signatures may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The mark or the log cannot be read, so nobody knows: nothing is signed until they can.
    Unknown(String),
    /// The log holds what its newest mark says.
    Holds,
    /// It does not: nothing is signed or sent until operators release it.
    Quarantined(Arc<Rewound>),
}

/// What was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whether signatures may be asked for.
    pub standing: Standing,
    /// The newest mark.
    pub mark: Option<MarkRef>,
    /// Why the last mark was not written, while none was written since.
    pub unwritten: Option<String>,
}

/// Where that is seen. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MarkStanding(watch::Receiver<Seen>);

impl MarkStanding {
    /// A log that holds its mark, and always will: for tests of who only asks.
    pub fn holds() -> Self {
        Self::of(Standing::Holds)
    }

    /// A standing that never changes: for tests of who only asks.
    pub fn of(standing: Standing) -> Self {
        let seen = Seen {
            standing,
            mark: None,
            unwritten: None,
        };
        Self(watch::channel(seen).1)
    }

    /// What was seen last.
    pub fn get(&self) -> Seen {
        self.0.borrow().clone()
    }

    /// Why nothing is signed, when the log is behind its mark.
    pub fn quarantine(&self) -> Option<Arc<Rewound>> {
        match &self.0.borrow().standing {
            Standing::Quarantined(rewound) => Some(Arc::clone(rewound)),
            Standing::Holds | Standing::Unknown(_) => None,
        }
    }

    /// Whether this process has never known yet whether the log holds its mark.
    pub fn is_unseen(&self) -> bool {
        let seen = self.0.borrow();
        seen.mark.is_none() && matches!(seen.standing, Standing::Unknown(_))
    }

    /// Whether signatures may be asked for.
    pub fn is_open(&self) -> bool {
        self.0.borrow().standing == Standing::Holds
    }
}

/// A bind that waits for a mark.
struct Request {
    bind: MarkedBind,
    answer: oneshot::Sender<Result<(), MarkError>>,
}

/// The newest mark as this process knows it.
#[derive(Debug, Clone)]
struct Newest {
    name: MarkRef,
    shards: Vec<MarkedShard>,
}

/// Marks a log.
struct Marker {
    ports: MarkPorts,
    options: MarkOptions,
    newest: Option<Newest>,
    checkpoint: Option<u64>,
    show: watch::Sender<Seen>,
    covered: LruCache<ExecutionId, String>,
}

/// The handle of the task that marks. Cheap to clone.
#[derive(Clone)]
pub struct Marking {
    requests: mpsc::Sender<Request>,
    standing: MarkStanding,
}

impl Marking {
    /// Looks at mark and log, and marks what asks for it until `stop`.
    pub async fn start(
        ports: MarkPorts,
        options: MarkOptions,
        spawn: &dyn Spawn,
        stop: &CancellationToken,
    ) -> Self {
        let mut marker = Marker::new(ports, options);
        let standing = MarkStanding(marker.show.subscribe());
        marker.look().await;
        let (requests, asked) = mpsc::channel(QUEUE);
        let stop = stop.clone();
        spawn.spawn("marks", Box::pin(async move { marker.run(asked, stop).await }));
        Self { requests, standing }
    }

    /// Where the standing is seen.
    pub fn standing(&self) -> MarkStanding {
        self.standing.clone()
    }

    /// Returns when a kept mark has the bind. The bind is durable in the log before this is called.
    pub async fn cover(&self, bind: MarkedBind) -> Result<(), MarkError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { bind, answer };
        let sent = self.requests.send(request).await;
        sent.map_err(|_| MarkError::Stopped)?;
        answered.await.unwrap_or(Err(MarkError::Stopped))
    }
}

impl Marker {
    fn new(ports: MarkPorts, options: MarkOptions) -> Self {
        let unseen = Seen {
            standing: Standing::Unknown("the mark was not looked at yet".to_owned()),
            mark: None,
            unwritten: None,
        };
        Self {
            ports,
            options,
            newest: None,
            checkpoint: None,
            show: watch::channel(unseen).0,
            covered: LruCache::new(REMEMBERED),
        }
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Request>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                request = asked.recv() => match request {
                    Some(first) => self.cover(first, &mut asked).await,
                    None => return,
                },
                () = self.ports.clock.sleep_ms(self.options.look_ms.max(1)) => self.look().await,
            }
        }
    }
}
