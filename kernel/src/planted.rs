//! Bugs planted for the simulator to find, each the kind that a hurried change could bring.
//!
//! Invariants: this code is compiled only with the feature `planted`, which no shipped build selects, and even then
//! nothing happens until a thread asks for one bug by name; production code never does.

use std::cell::Cell;

use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, LogError};
use vaultstream_event_schemas::Hlc;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An append without a clear answer is taken for a yes: commands are acknowledged that are perhaps not durable.
    UnclearIsYes,
    /// A projector writes its watermark before its rows.
    MarkBeforeRows,
    /// A broadcast without a clear answer is drawn up and signed anew, with another slot value.
    SendAnew,
    /// A signature is asked for before a mark has the bind.
    SignUnmarked,
    /// A release tells no account what it has forgotten.
    ForgetLost,
}

thread_local! {
    static ON: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in this thread, in place of the one before, until the guard is dropped.
#[must_use]
pub fn plant(bug: Bug) -> Planted {
    ON.set(Some(bug));
    Planted(())
}

/// While this lives a bug is planted in the thread.
#[derive(Debug)]
pub struct Planted(());

impl Drop for Planted {
    fn drop(&mut self) {
        ON.set(None);
    }
}

/// Whether this bug is planted in this thread.
pub fn is_on(bug: Bug) -> bool {
    ON.get() == Some(bug)
}

/// [`Bug::UnclearIsYes`].
pub(crate) fn unclear_is_yes(
    answer: Result<Vec<AppendOutcome>, LogError>,
    commands: &[AppendCommand],
) -> Result<Vec<AppendOutcome>, LogError> {
    if !is_on(Bug::UnclearIsYes) || !matches!(answer, Err(LogError::Engine { .. })) {
        return answer;
    }
    let yes = |command: &AppendCommand| {
        let events: usize = command.streams.iter().map(|part| part.events.len()).sum();
        AppendOutcome::Committed {
            first: 1,
            last: events as u64,
            hlcs: vec![Hlc(1); events],
        }
    };
    Ok(commands.iter().map(yes).collect())
}
