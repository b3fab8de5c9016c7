//! What a run is: how many processes, which assembly, how much is asked. All of it from the seed.

use vaultstream_event_schemas::Family;

use crate::chain;
use crate::dice::Dice;
use crate::node::mischief::Mischief;
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
    /// The bug that is planted.
    pub bug: Option<Bug>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        // Another stream of numbers than the run itself draws from.
        let mut dice = Dice::new(seed ^ 0x5eed_5eed_5eed_5eed);
        let is_embedded = dice.chance(300);
        Self {
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
            bug: None,
        }
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
