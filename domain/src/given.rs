//! Tests of decisions read as stories: given events, when a command, then events or a refusal.

use std::fmt::Debug;

use crate::decider::Decider;

/// A history.
pub struct Given<D: Decider>(D::State);

/// A history and what was decided on it.
pub struct Outcome<D: Decider>(Result<Vec<D::Event>, D::Error>);

/// Folds a history.
pub fn given<D: Decider>(events: &[D::Event]) -> Given<D> {
    let mut state = D::State::default();
    for event in events {
        D::evolve(&mut state, event);
    }
    Given(state)
}

impl<D: Decider> Given<D> {
    /// Decides on a command.
    pub fn when(&self, command: &D::Command) -> Outcome<D> {
        Outcome(D::decide(&self.0, command))
    }

    /// Looks at the folded state.
    pub fn state(&self) -> &D::State {
        &self.0
    }
}

impl<D: Decider> Outcome<D>
where
    D::Event: Debug + PartialEq,
    D::Error: Debug + PartialEq,
{
    /// The command led to these events.
    pub fn then(&self, events: &[D::Event]) {
        match &self.0 {
            Ok(actual) => assert_eq!(actual, events),
            Err(e) => panic!("refused: {e}"),
        }
    }

    /// The command was refused so.
    pub fn refuses(&self, error: &D::Error) {
        match &self.0 {
            Ok(events) => panic!("not refused: {events:?}"),
            Err(actual) => assert_eq!(actual, error),
        }
    }
}
