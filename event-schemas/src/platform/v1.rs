//! Version 1 of the platform context: generations of views, and releases of a log that was behind its mark.

use crate::payloads;

payloads! { 1;
    /// An operator asks for a new generation of a view.
    RebuildRequested = "view_generation.requested" {
        /// The family whose store of the view is rebuilt: `core` or a chain's slug.
        family: String,
        /// Why.
        reason: String,
        /// The view's name.
        view: String,
    }
    /// An operator asks that what is parked be folded again, in order.
    RetryRequested = "view_generation.retry_requested" {
        /// The family whose parked streams are meant: `core` or a chain's slug.
        family: String,
        /// Why.
        reason: String,
        /// The view's name.
        view: String,
    }
    /// What was parked was tried again.
    ParkedRetried = "view_generation.parked_retried" {
        /// The generation it was tried in.
        generation: u32,
        /// Streams that are folded again.
        healed: u64,
        /// Streams that are still parked.
        parked: u64,
        /// The view's name.
        view: String,
    }
    /// A new generation of a view is being built beside the one that is read.
    GenerationStarted = "view_generation.started" {
        /// The generation's number, from 1.
        generation: u32,
        /// Why it is built.
        reason: String,
        /// The view's name.
        view: String,
    }
    /// A generation caught up and is read from now on.
    GenerationSwitched = "view_generation.switched" {
        /// SHA-256 of the canonical dump at the switch, lower-case hex.
        digest: String,
        /// The generation that is read now.
        generation: u32,
        /// The view's name.
        view: String,
    }
    /// A generation was given up before it was read.
    GenerationAbandoned = "view_generation.abandoned" {
        /// The generation's number.
        generation: u32,
        /// Why.
        reason: String,
        /// The view's name.
        view: String,
    }
    /// Operators released a log that was behind its mark.
    RewindReleased = "rewind.released" {
        /// How many bound slot values the log had forgotten.
        lost: u64,
        /// The mark that the log was behind, its number and hash; `none` when it was missing.
        mark: String,
        /// The names of the keys that signed, in order.
        operators: Vec<String>,
        /// SHA-256 of the statement that they signed, lower-case hex.
        statement: String,
    }
}
