//! A transfer's life as a line: what happened with its evidence, where it is, what comes next and what is still ahead.
//!
//! The line is folded from the log's own entries; reorgs and reversals stand in it as what they are. Attempts to send
//! are nested under the step they belong to.

mod next;
mod step;

pub use next::{ahead, next};

use crate::graphql::transfer::{Entry, TransferTransfer};
use crate::moment::Moment;
use crate::sentences::Tone;
use crate::words::Word;

/// One step of the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What happened.
    pub what: String,
    /// What it means.
    pub tone: Tone,
    /// When it happened; none for what is ahead.
    pub at: Option<Moment>,
    /// What shows that it did.
    pub proof: Vec<Proof>,
    /// What was tried within it.
    pub nested: Vec<String>,
    /// What happens next, at the present step only.
    pub next: Option<String>,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A sentence.
    Words(String),
    /// A named text that is worth copying, such as a hash.
    Text(Word, String),
}

/// The whole line, oldest first, with what is ahead at its end. `me` is who asks, `in_zone` writes a moment.
pub fn line(transfer: &TransferTransfer, me: &str, in_zone: &dyn Fn(Moment) -> String) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(transfer.timeline.nodes.len() + 4);
    let mut last: Option<&Entry> = None;
    for entry in &transfer.timeline.nodes {
        match (entry.type_.as_str(), steps.last_mut()) {
            ("execution.broadcast_tried", Some(step)) if last.is_some_and(sends) => {
                step.nested.push(step::tried(entry));
            }
            _ => steps.push(step::step(entry, transfer, me)),
        }
        last = Some(entry);
    }
    if transfer.terminal {
        return steps;
    }
    if let Some(step) = steps.last_mut() {
        step.next = Some(next(transfer, in_zone));
    }
    steps.extend(ahead(transfer).into_iter().map(|word| Step {
        what: crate::words::say(word).to_owned(),
        tone: Tone::Rest,
        at: None,
        proof: Vec::new(),
        nested: Vec::new(),
        next: None,
    }));
    steps
}

/// Whether the step before was about sending too, so that further attempts belong to it.
fn sends(entry: &Entry) -> bool {
    matches!(entry.type_.as_str(), "execution.broadcast_tried")
}

#[cfg(test)]
mod tests;
