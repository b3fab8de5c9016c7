//! What is asked of a soak.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use anyhow::{Context, Result, bail, ensure};

/// How to ask.
const USAGE: &str = "soak embedded|cluster [--seed N] [--kills N] [--rate COMMANDS_A_SECOND] [--events N]";

/// Which assembly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One process.
    Embedded,
    /// A process a role, on real engines.
    Cluster,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which assembly.
    pub part: Part,
    /// What chance follows; printed.
    pub seed: u64,
    /// How often something is killed.
    pub kills: u32,
    /// Commands a second.
    pub rate: u32,
    /// Events that the log has at the end, at the least.
    pub events: u64,
}

impl Options {
    /// Reads the words after the program's name.
    pub fn parse(words: &[String]) -> Result<Self> {
        let (part, mut rest) = words.split_first().context(USAGE)?;
        let part = match part.as_str() {
            "embedded" => Part::Embedded,
            "cluster" => Part::Cluster,
            other => bail!("`{other}`: {USAGE}"),
        };
        let mut options = Self {
            part,
            seed: RandomState::new().hash_one(std::process::id()),
            kills: 200,
            rate: 500,
            events: if part == Part::Cluster { 1_000_000 } else { 0 },
        };
        while let [name, value, more @ ..] = rest {
            let number = || {
                value
                    .parse::<u64>()
                    .with_context(|| format!("{name} {value}: {USAGE}"))
            };
            let small = || {
                number().and_then(|n| u32::try_from(n).with_context(|| format!("{name} {value} is too much")))
            };
            match name.as_str() {
                "--seed" => options.seed = number()?,
                "--kills" => options.kills = small()?,
                "--rate" => options.rate = small()?,
                "--events" => options.events = number()?,
                other => bail!("`{other}`: {USAGE}"),
            }
            rest = more;
        }
        ensure!(rest.is_empty(), "`{}` has no value: {USAGE}", rest.join(" "));
        ensure!((1..=20_000).contains(&options.rate), "--rate: choose 1 to 20000");
        Ok(options)
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Embedded => "embedded",
            Part::Cluster => "cluster",
        };
        write!(
            f,
            "soak {part} --seed {} --kills {} --rate {} --events {}",
            self.seed, self.kills, self.rate, self.events
        )
    }
}
