//! The executor's task: fill, load, decide, send, settle.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesOrdered};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vaultstream_domain::error::Coded;
use vaultstream_domain::ports::event_log::{AppendOutcome, LogError};
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{Hlc, ShardNumber, StreamId, StreamKind, Timestamp};

use super::append::{Sent, send};
use super::batch::{Batch, Decision, Pending, Setting, Verdict, check, decide};
use super::snapshots::Milestone;
use super::states::Cache;
use super::{Committed, EventPlace, ExecuteError, Options, Ports, Request};
use crate::load::{LoadError, load_state};
use crate::observer::{Ended, Fact};
use crate::trace;
use crate::writable::Writable;

/// How often a command may be put off before a batch is made for it.
const PATIENCE: u32 = 4;
/// How old a random id may be for its stream to be taken as new when it is not in memory.
const FRESH_MS: u64 = 10_000;
/// Streams loaded at once.
const LOADS: usize = 16;

/// The executor's own state, owned by its task.
pub(super) struct Core {
    options: Options,
    ports: Ports,
    writable: Writable,
    cache: Cache,
    incarnations: HashMap<ShardNumber, u32>,
    /// Taken from the queue and not decided yet, or to be decided again; the oldest first.
    waiting: VecDeque<Request>,
    snapshots: mpsc::Sender<Milestone>,
}

impl Core {
    pub(super) fn new(
        options: Options,
        ports: Ports,
        writable: Writable,
        snapshots: mpsc::Sender<Milestone>,
    ) -> Self {
        Self {
            cache: Cache::new(options.states),
            incarnations: HashMap::new(),
            waiting: VecDeque::new(),
            options,
            ports,
            writable,
            snapshots,
        }
    }

    /// Works until nobody can ask any more and everything is answered.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>, shutdown: CancellationToken) {
        let mut in_flight: FuturesOrdered<BoxFuture<'static, Sent>> = FuturesOrdered::new();
        let (mut open, mut closing, mut blocked) = (true, false, false);
        let most = self.options.batch_commands.max(1);
        loop {
            while open && self.waiting.len() < most {
                match queue.try_recv() {
                    Ok(request) => self.waiting.push_back(request),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => open = false,
                }
            }
            // Whoever was put off too often gets a batch on durable states only.
            let drains =
                self.waiting.front().is_some_and(|r| r.deferrals >= PATIENCE) && !in_flight.is_empty();
            let room = in_flight.len() < self.options.in_flight.max(1);
            if room && !drains && !blocked && !self.waiting.is_empty() {
                let batch = self.prepare().await;
                if !batch.commands.is_empty() {
                    let span = trace::linked("log.append", batch.traces());
                    let sent = send(batch, self.ports.clone(), self.options).instrument(span);
                    in_flight.push_back(Box::pin(sent));
                    continue;
                }
                // Nothing can be decided before something in flight is answered.
                blocked = !self.waiting.is_empty() && !in_flight.is_empty();
            }
            if !open && self.waiting.is_empty() && in_flight.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                Some(sent) = in_flight.next(), if !in_flight.is_empty() => {
                    self.settle(sent);
                    blocked = false;
                }
                () = shutdown.cancelled(), if !closing => {
                    queue.close();
                    closing = true;
                }
                received = queue.recv(), if open && !blocked && self.waiting.len() < most => match received {
                    Some(request) => self.waiting.push_back(request),
                    None => open = false,
                },
            }
        }
    }

    /// Decides as much of what waits as fits one batch.
    async fn prepare(&mut self) -> Batch {
        let mut batch = Batch {
            now: self.ports.clock.now(),
            allowed: self.writable.now(),
            ..Batch::default()
        };
        let mut requests: VecDeque<Request> = std::mem::take(&mut self.waiting);
        let failures = match self.know_incarnations().await {
            Ok(()) => self.load(&requests, batch.now).await,
            Err(error) => {
                let error = Arc::new(LoadError::Log(error));
                for request in requests {
                    self.answer(request, Err(ExecuteError::Load(Arc::clone(&error))));
                }
                return batch;
            }
        };
        let mut deferred = Vec::new();
        while batch.commands.len() < self.options.batch_commands.max(1)
            && batch.bytes < self.options.batch_bytes
        {
            let Some(request) = requests.pop_front() else {
                break;
            };
            match self.decide(&request, &failures, &batch) {
                Decision::Ready(decided) => self.enqueue(&mut batch, request, decided),
                Decision::Deferred => {
                    let deferrals = request.deferrals + 1;
                    deferred.push(Request { deferrals, ..request });
                }
                Decision::Failed(error) => self.answer(request, Err(error)),
            }
        }
        self.waiting = deferred.into_iter().chain(requests).collect();
        batch
    }

    fn decide(
        &mut self,
        request: &Request,
        failures: &HashMap<StreamId, Arc<LoadError>>,
        batch: &Batch,
    ) -> Decision {
        if let Err(error) = check(request) {
            return Decision::Failed(error);
        }
        let mut streams = request.reads.iter().chain(&request.creates);
        if let Some(error) = streams.find_map(|stream| failures.get(stream)) {
            return Decision::Failed(ExecuteError::Load(Arc::clone(error)));
        }
        let shard = request.use_case.shard();
        let Some(incarnation) = self.incarnations.get(&shard).copied() else {
            let fault = format!("shard {shard} is not in the registry");
            return Decision::Failed(ExecuteError::Faulty {
                use_case: request.use_case.name(),
                fault,
            });
        };
        let setting = Setting {
            now: batch.now,
            allowed: batch.allowed.as_deref(),
            incarnation,
            snapshot_every: self.options.snapshot_every,
        };
        decide(request, &mut self.cache, setting)
    }

    fn enqueue(&mut self, batch: &mut Batch, mut request: Request, decided: super::batch::Decided) {
        request.attempts += 1;
        let written = decided
            .append
            .streams
            .iter()
            .filter(|part| !part.events.is_empty());
        let written: Vec<_> = written
            .map(|part| {
                (
                    part.stream,
                    part.events.len() as u64,
                    part.expected + part.events.len() as u64,
                )
            })
            .collect();
        for (stream, ..) in &written {
            self.cache.sent(*stream);
        }
        let events = decided.append.streams.iter().flat_map(|part| &part.events);
        batch.bytes += events
            .map(|e| e.envelope_bytes.len() + e.payload.len())
            .sum::<usize>();
        let shard = decided.append.shard;
        batch.pending.push(Pending {
            request,
            verdict: decided.verdict,
            written,
            milestones: decided.milestones,
            incarnation: self.incarnations.get(&shard).copied().unwrap_or(0),
        });
        batch.commands.push(decided.append);
    }

    async fn know_incarnations(&mut self) -> Result<(), LogError> {
        if self.incarnations.is_empty() {
            let heads = self.ports.log.heads().await?;
            self.incarnations = heads
                .into_iter()
                .map(|(shard, head)| (shard, head.incarnation))
                .collect();
        }
        Ok(())
    }

    /// Loads what the next decisions need and memory does not have. Streams that are to be created, and those that are
    /// presumably new, are loaded only when a conflict has shown that they exist: the log is the judge either way.
    async fn load(
        &mut self,
        requests: &VecDeque<Request>,
        now: Timestamp,
    ) -> HashMap<StreamId, Arc<LoadError>> {
        // In order, so that the same requests load in the same way in every run.
        let mut missing = BTreeSet::new();
        for request in requests.iter().take(self.options.batch_commands.max(1)) {
            let again = request.attempts > 0;
            let created = if again { request.creates.as_slice() } else { &[] };
            let wanted = request
                .reads
                .iter()
                .chain(created)
                .filter(|s| again || !is_presumably_new(**s, now));
            missing.extend(wanted.filter(|stream| !self.cache.contains(**stream)).copied());
        }
        let mut failures = HashMap::new();
        if missing.is_empty() {
            return failures;
        }
        let log = &*self.ports.log;
        let mut loads = stream::iter(missing)
            .map(|stream| async move { (stream, load_state(log, stream).await) })
            .buffer_unordered(LOADS);
        while let Some((stream, loaded)) = loads.next().await {
            match loaded {
                Ok(loaded) => self.cache.put(stream, loaded.into()),
                Err(error) => {
                    failures.insert(stream, Arc::new(error));
                }
            }
        }
        failures
    }

    fn settle(&mut self, sent: Sent) {
        let Sent {
            batch,
            result,
            reborn,
        } = sent;
        if reborn {
            self.cache.forget_all();
            self.incarnations.clear();
        }
        for (stream, ..) in batch.pending.iter().flat_map(|pending| &pending.written) {
            self.cache.settled(*stream);
        }
        match result {
            Ok(outcomes) => {
                let mut again = Vec::new();
                for (pending, outcome) in batch.pending.into_iter().zip(outcomes) {
                    again.extend(self.conclude(pending, outcome));
                }
                // Before whatever came later, in their own order.
                again
                    .into_iter()
                    .rev()
                    .for_each(|request| self.waiting.push_front(request));
            }
            Err(error) => {
                // Some of it may be durable: nothing in memory can be trusted.
                self.cache.forget_all();
                let error: Arc<dyn std::error::Error + Send + Sync> = Arc::new(error);
                for pending in batch.pending {
                    self.answer(pending.request, Err(ExecuteError::Log(Arc::clone(&error))));
                }
            }
        }
    }

    /// Answers a command that the log has answered for, or gives it back to be decided again.
    fn conclude(&mut self, pending: Pending, outcome: AppendOutcome) -> Option<Request> {
        match outcome {
            AppendOutcome::Committed { first, last, hlcs } => {
                for milestone in pending.milestones {
                    // A full queue only means that this snapshot is not kept.
                    let _ = self.snapshots.try_send(milestone);
                }
                let result = match pending.verdict {
                    Verdict::Refused(error) => Err(error),
                    Verdict::Done(states) => {
                        let place = Place {
                            incarnation: pending.incarnation,
                            position: last,
                        };
                        let positions = Positions::one(pending.request.use_case.shard(), place);
                        Ok(Committed {
                            positions,
                            events: places(&pending.written, first, &hlcs),
                            states,
                        })
                    }
                };
                self.answer(pending.request, result);
                None
            }
            AppendOutcome::Conflict { stream, .. } => {
                let (use_case, attempt) = (pending.request.use_case.name(), pending.request.attempts);
                self.ports.observer.observe(&Fact::Conflicted {
                    use_case,
                    stream,
                    attempt,
                });
                self.forget(&pending.request);
                self.again(pending.request)
            }
            AppendOutcome::ClockAhead => {
                self.forget(&pending.request);
                self.answer(pending.request, Err(ExecuteError::ClockAhead));
                None
            }
        }
    }

    fn forget(&mut self, request: &Request) {
        for stream in request.reads.iter().chain(&request.creates) {
            self.cache.take(*stream);
        }
    }

    fn again(&self, request: Request) -> Option<Request> {
        if request.attempts < self.options.attempts {
            return Some(request);
        }
        let attempts = request.attempts;
        self.answer(request, Err(ExecuteError::Contention(attempts)));
        None
    }

    fn answer(&self, request: Request, result: Result<Committed, ExecuteError>) {
        let use_case = request.use_case.name();
        if matches!(result, Err(ExecuteError::Panicked(_))) {
            self.ports.observer.observe(&Fact::Panicked { use_case });
        }
        let ended = match &result {
            Ok(committed) if committed.is_unchanged() => Ended::Unchanged,
            Ok(_) => Ended::Committed,
            Err(error) => Ended::Failed(error.code()),
        };
        let micros = self.ports.clock.now().as_micros() - request.received.as_micros();
        let micros = u64::try_from(micros).unwrap_or(0);
        self.ports.observer.observe(&Fact::Executed {
            use_case,
            ended,
            micros,
        });
        // A caller that went away has no use for the answer.
        let _ = request.answer.send(result);
    }
}

/// Whether a stream that is not in memory is taken to be new at first: a claim, which is met a second time only on a
/// retry, or a random id that was made just now.
fn is_presumably_new(stream: StreamId, now: Timestamp) -> bool {
    let is_fresh = || {
        let made_ms = u64::try_from(stream.id.as_u128() >> 80).unwrap_or(u64::MAX);
        stream.id.get_version_num() == 7 && now.unix_ms().abs_diff(made_ms) < FRESH_MS
    };
    stream.kind == StreamKind::Claim || is_fresh()
}

/// Where the events of a command stand: dense from `first`, stream by stream.
fn places(written: &[(StreamId, u64, u64)], first: u64, hlcs: &[Hlc]) -> Vec<EventPlace> {
    let sequences = written.iter().flat_map(|(stream, events, version)| {
        (version + 1 - events..=*version).map(|sequence| (*stream, sequence))
    });
    sequences
        .zip(first..)
        .zip(hlcs)
        .map(|(((stream, sequence), position), hlc)| EventPlace {
            stream,
            sequence,
            position,
            hlc: *hlc,
        })
        .collect()
}
