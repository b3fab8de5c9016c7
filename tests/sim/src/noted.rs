//! What the kernel tells of itself, as facts of the run: a fault that never bit is no test.

use vaultstream_kernel::observer::{Fact, Observer};

use crate::sched::Sim;

/// Notes some facts.
pub struct Noted(pub Sim);

impl Observer for Noted {
    fn observe(&self, fact: &Fact<'_>) {
        match fact {
            Fact::Conflicted { use_case, .. } => self.0.note("conflict", format_args!("{use_case}")),
            Fact::AppendRepeated { attempt, .. } => {
                self.0.note("append-again", format_args!("after try {attempt}"));
            }
            Fact::Overloaded { use_case } => self.0.note("overload", format_args!("{use_case}")),
            Fact::Refilled { shard, from, events } => {
                self.0
                    .note("refill", format_args!("{events} of shard {shard} from {from}"));
            }
            Fact::Fetched { duplicate, .. } if *duplicate > 0 => {
                self.0.note("duplicate", format_args!("{duplicate}"));
            }
            Fact::Marked { number, binds, .. } => {
                self.0.note("marked", format_args!("{number} with {binds} binds"));
            }
            Fact::MarkUnwritten { why } => self.0.note("mark-unwritten", format_args!("{why}")),
            Fact::MarkUnread { why } => self.0.note("mark-unread", format_args!("{why}")),
            Fact::Rewound { why: Some(why) } => self.0.note("quarantine", format_args!("{why}")),
            Fact::Rewound { why: None } => self.0.note("open", format_args!("the log holds its mark")),
            Fact::Panicked { use_case } => self.0.note("use-case-panic", format_args!("{use_case}")),
            _ => {}
        }
    }
}
