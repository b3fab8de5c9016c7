//! What a log has forgotten: the slot values that its marks list and it does not know.
//!
//! A log that holds a mark holds all that was marked before it, or was told of its loss by the release between them. So the
//! newest that it holds is looked for from the newest on, and what stands behind it is compared with the log, execution by
//! execution.

use std::collections::BTreeMap;

use vaultstream_domain::aggregate::OfState;
use vaultstream_domain::execution::Execution;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::note_list::{KeptNote, NoteKind};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::mark::{Mark, MarkRef, MarkedBind};
use vaultstream_event_schemas::note::Note;

use super::look::{behind, hash_at};
use super::{MarkError, MarkPorts};
use crate::load::{LoadError, load_state};

/// Marks that are read at once.
const PAGE: usize = NoteKind::Mark.page();

/// What is not in the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lost {
    /// The binds that the log does not know, in the order they were made.
    pub binds: Vec<MarkedBind>,
    /// Whether marks between the log and the oldest one that is kept are missing: more may be lost than is listed.
    pub is_cut: bool,
}

/// Why what is lost is not known.
#[derive(Debug, thiserror::Error)]
pub enum LostError {
    /// Mark or log do not answer.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// A stream of the log cannot be folded.
    #[error("a stream of the log cannot be read")]
    Load(#[from] LoadError),
    /// A mark is not what it was.
    #[error("mark {0} does not belong to the newest one; put the list of marks back as it was")]
    Broken(u64),
}

/// What the log has forgotten under its newest mark.
pub async fn lost(ports: &MarkPorts, newest: Option<&(MarkRef, Mark)>) -> Result<Lost, LostError> {
    let Some((name, mark)) = newest else {
        return Ok(Lost::default());
    };
    let oldest = ports.marks.read(0, 1).await.map_err(MarkError::from)?;
    let oldest = oldest.first().map_or(mark.number, |kept| kept.number);
    let held = held(ports, oldest, mark.number).await?;
    let mut found = Lost {
        binds: Vec::new(),
        // Nothing stands before the first mark; what stands before a later one is not known.
        is_cut: held.is_none() && oldest > 1,
    };
    // Each names the one before it, from the newest, which is signed, back to the one that the log holds.
    let mut previous = held.map(|held| held.hash);
    let mut after = held.map_or(oldest - 1, |held| held.number);
    while after < name.number {
        let page = ports.marks.read(after, PAGE).await;
        let page = page.map_err(MarkError::from)?;
        let Some(last) = page.last() else {
            return Err(LostError::Broken(after + 1));
        };
        after = last.number;
        for kept in page.iter().filter(|kept| kept.number <= name.number) {
            let (hash, mark) = read(kept)?;
            if previous.is_some_and(|before| mark.previous != Some(before)) {
                return Err(LostError::Broken(kept.number));
            }
            previous = Some(hash);
            for bind in mark.binds {
                if !is_known(ports, &bind).await? && !found.binds.contains(&bind) {
                    found.binds.push(bind);
                }
            }
        }
    }
    if previous.is_some_and(|last| last != name.hash) {
        return Err(LostError::Broken(name.number));
    }
    Ok(found)
}

fn read(kept: &KeptNote) -> Result<([u8; 32], Mark), LostError> {
    let broken = || LostError::Broken(kept.number);
    let note = Note::parse(&kept.note).map_err(|_| broken())?;
    let mark = note.text().parse::<Mark>().map_err(|_| broken())?;
    Ok((note.hash(), mark))
}

/// The newest of these marks that the log holds, and its hash.
async fn held(ports: &MarkPorts, oldest: u64, newest: u64) -> Result<Option<MarkRef>, LostError> {
    let heads = ports.log.heads().await.map_err(MarkError::from)?;
    let mut end = newest;
    while end >= oldest {
        let after = end.saturating_sub(PAGE as u64).max(oldest - 1);
        let limit = usize::try_from(end - after).unwrap_or(PAGE);
        let page = ports.marks.read(after, limit).await.map_err(MarkError::from)?;
        if page.last().is_none_or(|last| last.number != end) {
            return Err(LostError::Broken(end));
        }
        for kept in page.iter().rev() {
            let (hash, mark) = read(kept)?;
            if holds(ports, &heads, &mark).await? {
                let number = kept.number;
                return Ok(Some(MarkRef { number, hash }));
            }
        }
        end = after;
    }
    Ok(None)
}

async fn holds(
    ports: &MarkPorts,
    heads: &BTreeMap<ShardNumber, Head>,
    mark: &Mark,
) -> Result<bool, MarkError> {
    if !behind(heads, &mark.shards).is_empty() {
        return Ok(false);
    }
    for marked in &mark.shards {
        let hash = hash_at(ports.log.as_ref(), marked.shard, marked.position).await?;
        if hash != Some(marked.hash) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the log has bound the execution to this slot value. That it was told of the loss is no bind: a release that was
/// cut off finds the same loss again.
async fn is_known(ports: &MarkPorts, bind: &MarkedBind) -> Result<bool, LostError> {
    let log = ports.log.as_ref();
    if log.registry().entry(bind.execution.shard()).is_none() {
        return Ok(false);
    }
    let execution = load_state(log, bind.execution.into()).await?;
    let execution = Execution::of(&execution.state);
    Ok(execution.is_some_and(|execution| execution.digest.as_ref() == Some(&bind.digest)))
}
