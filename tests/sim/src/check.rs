//! The checker: what must hold at the end of every run, whatever went wrong.
//!
//! The log is the truth of what was decided, the chain of what was paid. The log is dense and chained; every
//! acknowledged command is in it exactly once, where its answer said; the views are the fold of the log from zero;
//! listeners heard every event once and in order; one intent has at most one debit, and exactly one when it is said to
//! be completed. All of that over every life of the log; and nothing happens in quarantine.

mod debits;
mod listeners;
mod log;
mod signatures;
mod views;

use crate::people::People;
use crate::world::World;

/// Everything that does not hold, in words.
pub fn violations(world: &World, people: &People) -> Vec<String> {
    let mut found = people.record.wrongs();
    found.extend(world.sim.panics());
    log::check(world, people, &mut found);
    debits::check(world, people, &mut found);
    signatures::check(world, people, &mut found);
    found.extend(world.rewound.wrongs());
    if world.plan.is_whole {
        views::check(world, &mut found);
        listeners::check(world, people, &mut found);
    }
    found
}

/// Whether everything that was asked for has come to its end and been told.
pub fn is_settled(world: &World, people: &People) -> bool {
    !world.rewound.is_under_way()
        && !signatures::is_quarantined(world)
        && debits::is_settled(world, people)
        && (!world.plan.is_whole || (views::is_caught_up(world) && listeners::is_caught_up(world, people)))
}
