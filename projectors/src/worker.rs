//! One shard's worker: follows the shard once and feeds every lane of it.
//!
//! Events are read and decoded once for all views. A flush waits a few milliseconds for company, never for more events.
//! Whatever fails, the worker throws its lanes away, pauses, and begins again at their watermarks.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::ports::view_store::ViewRef;
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_event_schemas::token::Place;
use vaultstream_event_schemas::{ShardNumber, Timestamp};
use vaultstream_kernel::tailer::{Batch, Follower, Mark, TailError, Tailer};
use vaultstream_kernel::trace;

use crate::lane::{Decoded, Lane, LaneError, LaneParts, Retried};
use crate::observer::{Fact, Observer};
use crate::projector::ProjectorOptions;

/// What a worker can be asked for.
pub(crate) enum Control {
    /// Keep another generation; answered when it has caught up.
    Add(LaneParts, oneshot::Sender<Result<(), LaneError>>),
    /// Try what a generation has parked again; answered with what became of it.
    Retry(ViewRef, oneshot::Sender<Retried>),
    /// Keep a generation no longer.
    Remove(ViewRef, oneshot::Sender<()>),
    /// Flush, answer where every lane stands, and stand still until the second channel closes.
    Hold(oneshot::Sender<Place>, oneshot::Receiver<()>),
}

/// Why a session ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    #[error(transparent)]
    Lane(#[from] LaneError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Tail(#[from] TailError),
}

/// The worker.
pub(crate) struct Worker {
    pub(crate) shard: ShardNumber,
    pub(crate) tailer: Tailer,
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) options: ProjectorOptions,
    /// What it keeps, across sessions.
    pub(crate) kept: Vec<LaneParts>,
    pub(crate) control: mpsc::Receiver<Control>,
}

/// A follower with what it gave; it travels with its own future, so that waiting for it can be given up at any time.
type Fetched = (Follower, Result<Option<Batch>, TailError>);

/// The lanes of one session.
struct Session {
    lanes: Vec<Lane>,
    /// Everything up to here was given to the lanes.
    place: Place,
    flushed_at: Timestamp,
    flush_took_us: u64,
    /// How many rows the last flush wrote.
    flushed_rows: usize,
    /// The last batch was a full one, so more events wait: writes are gathered for longer.
    is_behind: bool,
}

/// How much longer writes are gathered while events wait.
const BEHIND: u64 = 20;
/// How much longer they are gathered while many come: rows that change twice in a moment are then written once.
const BUSY: u64 = 4;

async fn fetch(mut follower: Follower) -> Fetched {
    let batch = follower.next().await;
    (follower, batch)
}

impl Worker {
    /// Works until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.session(&shutdown).await {
                Ok(()) => return,
                Err(error) => {
                    report(self.shard, &error);
                    tokio::select! {
                        biased;
                        () = shutdown.cancelled() => return,
                        () = self.clock.sleep_ms(self.options.pause_ms) => {}
                    }
                }
            }
        }
    }

    async fn session(&mut self, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        let heads = self.log.heads().await?;
        let incarnation = heads.get(&self.shard).map_or(1, |head| head.incarnation);
        let mut lanes = Vec::with_capacity(self.kept.len());
        for parts in &self.kept {
            lanes.push(Lane::open(parts.clone(), incarnation).await?);
        }
        let end = heads.get(&self.shard).map_or(0, |head| head.position);
        let start = lanes.iter().map(Lane::place).min().unwrap_or(Place {
            incarnation,
            position: end,
        });
        let mut session = Session {
            lanes,
            place: start,
            flushed_at: Timestamp::default(),
            flush_took_us: 0,
            flushed_rows: 0,
            is_behind: false,
        };
        let follower = self.tailer.follow(Mark::at(self.shard, start)).await?;
        let mut next = Box::pin(fetch(follower));
        loop {
            let pending = session.lanes.iter().map(Lane::pending).sum::<usize>();
            let dirty = pending > 0 || session.lanes.iter().any(|lane| !lane.is_flushed());
            let due = self.flush_due_ms(&session, pending);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(self.flush(&mut session).await?),
                Some(control) = self.control.recv() => self.obey(&mut session, control).await?,
                () = self.clock.sleep_ms(due), if dirty => self.flush(&mut session).await?,
                (follower, batch) = &mut next => {
                    next = Box::pin(fetch(follower));
                    let batch = batch?;
                    session.is_behind = batch.as_ref().is_some_and(|b| b.events.len() >= self.options.flush_rows);
                    if let Some(batch) = batch {
                        let traces = batch.events.iter().map(|e| e.envelope.trace.as_deref());
                        let span = trace::linked("projector.apply", traces);
                        let events = batch.events.len();
                        session.apply(batch).instrument(span).await?;
                        let shard = self.shard;
                        self.observer.observe(&Fact::Folded { shard, events });
                    }
                }
            }
        }
    }

    async fn flush(&self, session: &mut Session) -> Result<(), LaneError> {
        let rows = session.flush(self.clock.as_ref()).await?;
        let micros = session.flush_took_us;
        self.observer.observe(&Fact::Flushed { rows, micros });
        Ok(())
    }

    /// How long a flush may still wait for company, in milliseconds: twice as long as the last one took, so that a store
    /// that is slow is written to less often, and one that is fast is fresh.
    fn flush_due_ms(&self, session: &Session, pending: usize) -> u64 {
        let patience = match session {
            Session { is_behind: true, .. } => BEHIND,
            Session { flushed_rows, .. } if *flushed_rows * 2 > self.options.flush_rows => BUSY,
            Session { .. } => 1,
        };
        let enough = self
            .options
            .flush_rows
            .saturating_mul(usize::try_from(patience).unwrap_or(1));
        if pending >= enough {
            return 0;
        }
        let company = (session.flush_took_us / 500).clamp(1, self.options.flush_ms);
        let since = self
            .clock
            .now()
            .as_micros()
            .saturating_sub(session.flushed_at.as_micros());
        let waited = u64::try_from(since / 1_000).unwrap_or(0);
        (company * patience).saturating_sub(waited)
    }

    async fn obey(&mut self, session: &mut Session, control: Control) -> Result<(), WorkerError> {
        match control {
            Control::Add(parts, done) => {
                let caught_up = self.catch_up(session, &parts).await;
                if let Ok(lane) = caught_up {
                    session.lanes.push(lane);
                    self.kept.push(parts);
                    let _ = done.send(Ok(()));
                } else if let Err(error) = caught_up {
                    let _ = done.send(Err(error));
                }
            }
            Control::Retry(at, done) => {
                let lane = session.lanes.iter_mut().find(|lane| lane.at() == &at);
                // A generation that is not kept here any more has nothing parked.
                let retried = match lane {
                    Some(lane) => lane.retry_all().await?,
                    None => Retried::default(),
                };
                let _ = done.send(retried);
            }
            Control::Remove(at, done) => {
                session.lanes.retain(|lane| lane.at() != &at);
                self.kept.retain(|parts| parts.at != at);
                let _ = done.send(());
            }
            Control::Hold(reached, release) => {
                self.align(session).await?;
                self.flush(session).await?;
                if reached.send(session.place).is_ok() {
                    // Released, or whoever held it is gone: both let it go on.
                    let _ = release.await;
                }
            }
        }
        Ok(())
    }

    /// Opens a generation and folds what the others are ahead.
    async fn catch_up(&self, session: &Session, parts: &LaneParts) -> Result<Lane, LaneError> {
        let mut lane = Lane::open(parts.clone(), session.place.incarnation).await?;
        self.advance(&mut lane, session.place).await?;
        Ok(lane)
    }

    /// Brings every lane to the place of the foremost: one that was filled from the log may be ahead of what is followed.
    async fn align(&self, session: &mut Session) -> Result<(), LaneError> {
        let foremost = session
            .lanes
            .iter()
            .map(Lane::place)
            .max()
            .unwrap_or(session.place);
        for lane in &mut session.lanes {
            self.advance(lane, foremost).await?;
        }
        session.place = session.place.max(foremost);
        Ok(())
    }

    async fn advance(&self, lane: &mut Lane, target: Place) -> Result<(), LaneError> {
        while lane.place() < target {
            let missing = target.position.saturating_sub(lane.place().position);
            let limit = usize::try_from(missing)
                .unwrap_or(usize::MAX)
                .min(self.options.read);
            let read = self
                .log
                .read_shard(self.shard, lane.place().position, limit)
                .await?;
            if read.is_empty() {
                break;
            }
            let batch: Vec<_> = read
                .into_iter()
                .map(|stored| {
                    let wanted = lane.wants(&stored);
                    Decoded::new(stored, wanted)
                })
                .collect();
            lane.apply(&batch).await?;
            lane.flush().await?;
        }
        Ok(())
    }
}

fn report(shard: ShardNumber, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(
        shard = shard.0,
        error,
        "a projector begins again at its watermarks"
    );
}

impl Session {
    async fn apply(&mut self, batch: Batch) -> Result<(), LaneError> {
        let place = batch.mark.place();
        let decoded: Vec<_> = batch
            .events
            .into_iter()
            .map(|stored| {
                let wanted = self.lanes.iter().any(|lane| lane.wants(&stored));
                Decoded::new(stored, wanted)
            })
            .collect();
        for lane in &mut self.lanes {
            lane.apply(&decoded).await?;
        }
        self.place = self.place.max(place);
        Ok(())
    }

    /// Flushes every lane at the same time, because the store makes one transaction of what arrives together; says how
    /// many rows that were.
    async fn flush(&mut self, clock: &dyn Clock) -> Result<usize, LaneError> {
        let begun = clock.now().as_micros();
        let flushes = self
            .lanes
            .iter_mut()
            .filter(|lane| !lane.is_flushed() || lane.pending() > 0)
            .map(Lane::flush);
        let rows = futures::future::try_join_all(flushes).await?;
        self.flushed_at = clock.now();
        let took = self.flushed_at.as_micros().saturating_sub(begun);
        self.flush_took_us = u64::try_from(took).unwrap_or(0);
        self.flushed_rows = rows.iter().sum();
        Ok(self.flushed_rows)
    }
}
