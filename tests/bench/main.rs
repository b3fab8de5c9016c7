//! The bench: one JSON object a line, `{"bench","value","unit","baseline","ratio","target","met"}`.
//!
//! Runs optimised only. Every baseline uses the schema, the payload, the statements and the load generator of what it
//! is compared with, in the same run, on the same disk, which is forced. An argument runs the modules it is part of;
//! `--quick` makes the long ones short, `--full` adds what takes half an hour.
#![expect(
    clippy::float_arithmetic,
    reason = "rates and ratios are what this program is for"
)]

mod audit;
mod cluster;
mod executor;
mod fold;
mod http;
mod kafka;
mod line;
mod load;
mod poison;
mod postgres;
mod process;
mod product;
mod rebuild;
mod restore;
mod scylla;
mod subscribe;
mod tenant;

use std::process::ExitCode;

use line::BenchLine;

/// What the product runs with, so that what is measured is what is run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The long rows on a tenth of their data.
    Quick,
    /// Every row of every run.
    Whole,
    /// Those, too, that take half an hour.
    Full,
}

impl Extent {
    fn of(arguments: &[String]) -> Self {
        let has = |word: &str| arguments.iter().any(|arg| arg == word);
        match (has("--quick"), has("--full")) {
            (_, true) => Self::Full,
            (true, false) => Self::Quick,
            (false, false) => Self::Whole,
        }
    }
}

/// Prints what a module measured, as soon as it has.
fn print(out: &mut Vec<BenchLine>) -> bool {
    let met = out.iter().all(|line| line.met);
    for line in out.drain(..) {
        println!("{}", line.json());
    }
    met
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    if cfg!(debug_assertions) {
        anyhow::bail!("measure optimised code: cargo xtask bench");
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let extent = Extent::of(&arguments);
    let wanted = arguments.iter().find(|arg| !arg.starts_with('-'));
    let wants = |module: &str| wanted.is_none_or(|w| module.contains(w.as_str()));
    let mut out = Vec::new();
    let mut met = true;
    macro_rules! measure {
        ($($module:ident($($argument:expr)?)),* $(,)?) => {$(
            if wants(stringify!($module)) {
                let measured = $module::run(&mut out $(, $argument)?).await;
                // What was measured before something failed is told, too.
                met &= print(&mut out);
                measured?;
            }
        )*};
    }
    measure!(
        executor(),
        audit(extent),
        fold(),
        http(),
        kafka(),
        postgres(extent),
        subscribe(),
        rebuild(),
        poison(),
        scylla(),
        cluster(extent),
    );
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
