//! What a run is: how many processes, which assembly, how much is asked. All of it from the seed.

use vaultstream_event_schemas::Family;

use crate::chain;
use crate::dice::Dice;
use crate::node::mischief::Mischief;
use crate::rewind::Rewind;
use crate::weather::Odds;

/// The planted bugs, and who plants them.
pub use vaultstream_kernel::planted::Bug;

/// The shape of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Processes; each keeps every role.
    pub processes: usize,
    /// Log and views live inside the one process, and there is no bus.
    pub is_embedded: bool,
    /// Shards of the chain's family.
    pub shards: u16,
    /// Accounts that pay.
    pub accounts: usize,
    /// Transfers that are asked for.
    pub transfers: u64,
    /// Whether transfers wait for an approval.
    pub is_approved_by_people: bool,
    /// The mean time between blocks, in microseconds.
    pub block_us: u64,
    /// How long the storm lasts, in microseconds.
    pub storm_us: i64,
    /// Whether views, relay and hub run, or only log, executor and workflow.
    pub is_whole: bool,
    /// What goes wrong.
    pub odds: Odds,
    /// What happens to the first broadcasts, before the odds decide.
    pub script: Vec<Mischief>,
    /// When and how the log is put back.
    pub rewinds: Vec<Rewind>,
    /// After that, whether people send everything again, or only what they do not know the end of.
    pub is_all_again: bool,
    /// Whether accounts are given hardly more than what is paid.
    pub is_tight: bool,
    /// The bug that is planted.
    pub bug: Option<Bug>,
}

/// Of a thousand seeds, so many have a log that is put back.
const REWOUND: u64 = 300;

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        // Another stream of numbers than the run itself draws from.
        let mut dice = Dice::new(seed ^ 0x5eed_5eed_5eed_5eed);
        let is_embedded = dice.chance(300);
        let mut plan = Self {
            processes: if is_embedded {
                1
            } else {
                usize::try_from(dice.between(1, 2)).unwrap_or(1)
            },
            is_embedded,
            shards: u16::try_from(dice.between(1, 2)).unwrap_or(1),
            accounts: usize::try_from(dice.between(1, 2)).unwrap_or(1),
            transfers: dice.between(2, 5),
            is_approved_by_people: dice.chance(300),
            block_us: dice.between(400_000, 1_200_000),
            storm_us: i64::try_from(dice.between(8_000_000, 20_000_000)).unwrap_or(0),
            is_whole: true,
            odds: Odds::drawn(&mut dice),
            script: Vec::new(),
            rewinds: Vec::new(),
            is_all_again: false,
            is_tight: false,
            bug: None,
        };
        if dice.chance(REWOUND) {
            let times = if dice.chance(300) { 2 } else { 1 };
            plan.rewinds = (0..times)
                .map(|_| Rewind::drawn(&mut dice, plan.storm_us))
                .collect();
            plan.rewinds.sort_by_key(|rewind| rewind.at_us);
            plan.is_all_again = dice.chance(400);
            plan.is_tight = dice.chance(300);
        }
        plan
    }

    /// The log's families.
    pub fn families(&self) -> Vec<(Family, u16)> {
        let slug = chain::settings().slug;
        vec![
            (Family::Core, 1),
            (Family::Audit, 1),
            (Family::Chain(slug), self.shards),
        ]
    }
}
