//! Version 1 of the audit context: who looked at what.

use crate::clock::Timestamp;
use crate::id::OrganizationId;
use crate::payloads;

payloads! { 1;
    /// An auditor read events of all organizations, or of one that is not their own. One entry may stand for several
    /// reads that asked the same; who read is the envelope's actor.
    EventsRead = "audit.events_read" {
        /// How many events were given.
        events: u64,
        /// When the first of them was given, or asked for.
        first_at: Timestamp,
        /// Only events from this moment on were asked for.
        from: Option<Timestamp>,
        /// When the last of them was given.
        last_at: Timestamp,
        /// The shard's clock at the newest event that was given.
        newest: Option<Timestamp>,
        /// The shard's clock at the oldest event that was given.
        oldest: Option<Timestamp>,
        /// The organization whose events were asked for; those of all when none is named.
        organization: Option<OrganizationId>,
        /// How many reads began; none when one that is on record goes on.
        reads: u32,
        /// The stream that was asked for; all when none is named.
        stream: Option<String>,
        /// The public types that were asked for, sorted; all when none is named.
        types: Vec<String>,
        /// Only events until this moment were asked for.
        until: Option<Timestamp>,
    }
}
