//! One decision, turned into what the log is asked to append.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use vaultstream_domain::aggregate::{WriteError, initial};
use vaultstream_domain::ports::event_log::{AppendCommand, StreamAppend};
use vaultstream_domain::transact::{MAX_EVENTS, MAX_STREAMS};
use vaultstream_domain::{Change, State, States};
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, HashedEvent};
use vaultstream_event_schemas::{StreamId, Timestamp, Versions};

use super::snapshots::Milestone;
use super::states::{Cache, Known};
use super::{ExecuteError, Request};

/// Commands on their way to the log together.
#[derive(Default)]
pub(super) struct Batch {
    /// The time all of them were decided at.
    pub(super) now: Timestamp,
    /// The event versions that could be written then; none for no bound.
    pub(super) allowed: Option<Arc<Versions>>,
    pub(super) pending: Vec<Pending>,
    /// In the order of `pending`.
    pub(super) commands: Vec<AppendCommand>,
    pub(super) bytes: usize,
}

impl Batch {
    /// The requests that caused it.
    pub(super) fn traces(&self) -> impl Iterator<Item = Option<&str>> {
        self.pending.iter().map(|p| p.request.context.trace.as_deref())
    }
}

/// A decided command that waits for the log.
pub(super) struct Pending {
    pub(super) request: Request,
    /// What it will be told when the log agrees.
    pub(super) verdict: Verdict,
    /// What it changes, by stream: how many events, and the version they lead to.
    pub(super) written: Vec<(StreamId, u64, u64)>,
    pub(super) milestones: Vec<Milestone>,
    pub(super) incarnation: u32,
}

/// What was decided.
pub(super) enum Verdict {
    /// Events, or nothing to do; the states after it.
    Done(States),
    /// A refusal.
    Refused(ExecuteError),
}

/// A decision and the append that makes it true.
pub(super) struct Decided {
    pub(super) verdict: Verdict,
    pub(super) append: AppendCommand,
    pub(super) milestones: Vec<Milestone>,
}

/// How a decision ended.
pub(super) enum Decision {
    /// It can be sent.
    Ready(Decided),
    /// It rests on a state that is not durable yet, with nothing that would notice when that is lost.
    Deferred,
    /// It cannot be sent at all.
    Failed(ExecuteError),
}

/// What decisions of one batch have in common.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) now: Timestamp,
    pub(super) allowed: Option<&'a Versions>,
    pub(super) incarnation: u32,
    pub(super) snapshot_every: u64,
}

/// Checks what can be checked of a use case before it is asked.
pub(super) fn check(request: &Request) -> Result<(), ExecuteError> {
    let shard = request.use_case.shard();
    let fault = |fault: String| ExecuteError::Faulty {
        use_case: request.use_case.name(),
        fault,
    };
    let count = request.reads.len() + request.creates.len();
    if count == 0 || count > MAX_STREAMS {
        return Err(fault(format!(
            "it names {count} streams; 1 to {MAX_STREAMS} are allowed"
        )));
    }
    let named = || request.reads.iter().chain(&request.creates);
    for (i, stream) in named().enumerate() {
        if stream.shard() != shard {
            return Err(fault(format!("{stream} is not in its shard {shard}")));
        }
        if named().take(i).any(|earlier| earlier == stream) {
            return Err(fault(format!("it names {stream} twice")));
        }
    }
    Ok(())
}

/// A stream that a decision rests on.
struct Ground {
    stream: StreamId,
    known: Known,
}

/// Decides on the states in memory, which must hold all that the use case reads; moves them on by what was decided.
pub(super) fn decide(request: &Request, cache: &mut Cache, setting: Setting<'_>) -> Decision {
    let named = request.reads.iter().chain(&request.creates);
    let grounds: Vec<Ground> = named.map(|stream| ground(cache, *stream)).collect();
    let states = states(&grounds);
    let decided = catch_unwind(AssertUnwindSafe(|| request.use_case.decide(&states, setting.now)));
    let changes = match decided {
        Err(_) => return Decision::Failed(ExecuteError::Panicked(request.use_case.name())),
        Ok(Err(refusal)) => return conclude(request, &grounds, cache, Verdict::Refused(refusal.into())),
        Ok(Ok(changes)) => changes
            .into_iter()
            .filter(|c| !c.events.is_empty())
            .collect::<Vec<_>>(),
    };
    if changes.is_empty() {
        return conclude(request, &grounds, cache, Verdict::Done(states));
    }
    drop(states);
    match write(request, &changes, grounds, cache, setting) {
        Ok(decision) => decision,
        Err(error) => Decision::Failed(error),
    }
}

/// What is known of a stream; a stream that is not in memory is taken to be new, and the log will say if it is not.
fn ground(cache: &mut Cache, stream: StreamId) -> Ground {
    let known = cache.get(stream).cloned().unwrap_or_else(|| Known {
        state: Arc::new(initial(stream)),
        version: 0,
        hash: GENESIS,
    });
    Ground { stream, known }
}

fn states(grounds: &[Ground]) -> States {
    let mut states = States::default();
    for Ground { stream, known } in grounds {
        states.insert(*stream, Arc::clone(&known.state), known.version);
    }
    states
}

impl Ground {
    /// The condition that the stream has not moved.
    const fn unchanged(&self) -> StreamAppend {
        StreamAppend {
            stream: self.stream,
            expected: self.known.version,
            events: Vec::new(),
        }
    }
}

/// A decision without events: a condition on every stream it rests on.
fn conclude(request: &Request, grounds: &[Ground], cache: &Cache, verdict: Verdict) -> Decision {
    if grounds.iter().any(|ground| cache.is_dirty(ground.stream)) {
        return Decision::Deferred;
    }
    let streams = grounds.iter().map(Ground::unchanged).collect();
    let append = AppendCommand {
        shard: request.use_case.shard(),
        streams,
    };
    Decision::Ready(Decided {
        verdict,
        append,
        milestones: Vec::new(),
    })
}

fn write(
    request: &Request,
    changes: &[Change],
    mut grounds: Vec<Ground>,
    cache: &mut Cache,
    setting: Setting<'_>,
) -> Result<Decision, ExecuteError> {
    check_changes(request, changes)?;
    let changed = |stream: StreamId| changes.iter().any(|change| change.stream == stream);
    if grounds
        .iter()
        .any(|g| !changed(g.stream) && cache.is_dirty(g.stream))
    {
        return Ok(Decision::Deferred);
    }
    let exists =
        |g: &&Ground| changed(g.stream) && g.known.version > 0 && request.creates.contains(&g.stream);
    if let Some(ground) = grounds.iter().find(exists) {
        let refusal = Verdict::Refused(ExecuteError::Exists(ground.stream));
        return Ok(conclude(request, &grounds, cache, refusal));
    }
    let mut streams = Vec::with_capacity(grounds.len());
    for change in changes {
        let ground = grounds.iter().find(|g| g.stream == change.stream);
        let known = &ground
            .expect("a change was checked to be of a named stream")
            .known;
        streams.push(encode(request, change, known, setting)?);
    }
    streams.extend(
        grounds
            .iter()
            .filter(|g| !changed(g.stream))
            .map(Ground::unchanged),
    );
    let mut milestones = Vec::new();
    for (change, part) in changes.iter().zip(&streams) {
        let ground = grounds.iter_mut().find(|g| g.stream == change.stream);
        let ground = ground.expect("a change was checked to be of a named stream");
        milestones.extend(evolve(
            request,
            change,
            part,
            ground,
            cache,
            setting.snapshot_every,
        )?);
    }
    let verdict = Verdict::Done(states(&grounds));
    let append = AppendCommand {
        shard: request.use_case.shard(),
        streams,
    };
    Ok(Decision::Ready(Decided {
        verdict,
        append,
        milestones,
    }))
}

fn check_changes(request: &Request, changes: &[Change]) -> Result<(), ExecuteError> {
    let fault = |fault: String| ExecuteError::Faulty {
        use_case: request.use_case.name(),
        fault,
    };
    let events: usize = changes.iter().map(|change| change.events.len()).sum();
    if events > MAX_EVENTS {
        return Err(fault(format!(
            "it decided on {events} events; at most {MAX_EVENTS} are allowed"
        )));
    }
    for (i, change) in changes.iter().enumerate() {
        let stream = change.stream;
        if !request.reads.contains(&stream) && !request.creates.contains(&stream) {
            return Err(fault(format!("it changes {stream} without having named it")));
        }
        if changes[..i].iter().any(|earlier| earlier.stream == stream) {
            return Err(fault(format!("it changes {stream} twice")));
        }
    }
    Ok(())
}

/// The events of one change, hashed onto what is known of their stream.
fn encode(
    request: &Request,
    change: &Change,
    known: &Known,
    setting: Setting<'_>,
) -> Result<StreamAppend, ExecuteError> {
    let context = &request.context;
    let mut hash = known.hash;
    let mut events = Vec::with_capacity(change.events.len());
    for (event, sequence) in change.events.iter().zip(known.version + 1..) {
        let unwritten = |error: &dyn std::fmt::Display| ExecuteError::Faulty {
            use_case: request.use_case.name(),
            fault: format!("an event of {} cannot be written: {error}", change.stream),
        };
        let encoded = event
            .encode_within(setting.allowed)
            .map_err(|error| match error {
                WriteError::NotYet(not_yet) => ExecuteError::NotYet(not_yet),
                WriteError::Canonical(error) => unwritten(&error),
            })?;
        let envelope = Envelope {
            actor: context.actor.clone(),
            causation: context.causation,
            command: context.command,
            incarnation: setting.incarnation,
            occurred_at: setting.now,
            organization: change.organization,
            owner: change.owner,
            sequence,
            shard: change.stream.shard(),
            stream: change.stream,
            trace: context.trace.clone(),
            event_type: encoded.event_type.to_owned(),
            version: encoded.version,
        };
        let hashed = HashedEvent::try_new(envelope, encoded, hash).map_err(|error| unwritten(&error))?;
        hash = hashed.hash;
        events.push(hashed);
    }
    Ok(StreamAppend {
        stream: change.stream,
        expected: known.version,
        events,
    })
}

/// Moves a state in memory on by a change. The state is taken out meanwhile: a fold that panics leaves none behind,
/// and one that nobody else holds is changed in place.
fn evolve(
    request: &Request,
    change: &Change,
    part: &StreamAppend,
    ground: &mut Ground,
    cache: &mut Cache,
    snapshot_every: u64,
) -> Result<Option<Milestone>, ExecuteError> {
    cache.take(change.stream);
    let known = &mut ground.known;
    let folded = catch_unwind(AssertUnwindSafe(|| {
        let state: &mut State = Arc::make_mut(&mut known.state);
        change.events.iter().for_each(|event| state.evolve(event));
    }));
    let (Ok(()), Some(last)) = (folded, part.events.last()) else {
        return Err(ExecuteError::Panicked(request.use_case.name()));
    };
    (known.version, known.hash) = (last.envelope.sequence, last.hash);
    cache.put(change.stream, known.clone());
    let every = snapshot_every.max(1);
    let passed = known.version / every > part.expected / every;
    Ok(passed.then(|| Milestone {
        stream: change.stream,
        version: known.version,
        hash: known.hash,
        state: Arc::clone(&known.state),
    }))
}
