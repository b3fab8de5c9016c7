//! Whether processes say the truth of the log and its mark, all the time.

use std::sync::Arc;

use crate::sched::NATURE;
use crate::world::World;

/// How often is looked, in microseconds.
const LOOK_US: u64 = 200_000;
/// How long a process may go on to say that a log is in quarantine that holds its mark, in looks: it looks every two
/// seconds, may be stopped for six, and may get no answer.
const LATE: u32 = 150;

/// Watches what processes say for ever.
pub fn watch(world: &Arc<World>) {
    let world = world.clone();
    let sim = world.sim.clone();
    let watch = async move {
        let mut late = 0;
        loop {
            world.sim.sleep_us(LOOK_US).await;
            let is_behind = world.is_behind();
            let doors = world.doors();
            if is_behind && doors.iter().any(|door| door.marks.is_open()) {
                let what = "a process would sign, and the log is behind its mark";
                world.rewound.wrong(what.to_owned());
            }
            let is_closed = doors.iter().any(|door| door.marks.quarantine().is_some());
            late = if is_closed && !is_behind { late + 1 } else { 0 };
            if late == LATE {
                let what = "a process says that the log is in quarantine, and it holds its mark";
                world.rewound.wrong(what.to_owned());
            }
        }
    };
    sim.spawn(NATURE, "standing", Box::pin(watch));
}
