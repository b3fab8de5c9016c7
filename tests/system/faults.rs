//! Every loss of `docs/faults.md`, in both assemblies: each line of that page is a test of its name, and each test here has
//! a line there.
//!
//! Losses that can be done to one running product one after another share a start: [`lines`] runs them in order, each
//! under its name. `VAULTSTREAM_FAULT=kafka,redis` runs only those that have such a word in their name; a
//! day's run leaves out the cluster's [`LONG`] ones.

mod boundaries;
mod chain;
mod clocks;
mod cluster;
mod disk;
mod embedded;
mod engines;
mod links;
mod page;
mod roles;

/// Lines of the cluster that wait for time-outs, or for people to look: half a minute each.
const LONG: [&str; 3] = ["_half_open", "_frozen", "dashboard_"];

/// Whether a line is to be run: those that are named, or all; the long ones of the cluster in a soak only.
fn is_wanted(name: &str) -> bool {
    if let Ok(only) = std::env::var("VAULTSTREAM_FAULT") {
        return only.split(',').any(|part| name.contains(part));
    }
    let is_long = !name.starts_with("embedded_") && LONG.iter().any(|word| name.contains(word));
    let is_run = !is_long || std::env::var_os("VAULTSTREAM_SOAK").is_some();
    if !is_run {
        println!("fault {name}: only in `cargo xtask soak tests`");
    }
    is_run
}

/// Runs lines of the page one after another on one world; `LINES` has their names. A line leaves the world as it found it;
/// one that fails leaves it mended, and the others are run, too, because one run should tell all.
macro_rules! lines {
    ($world:ty; $($name:ident),+ $(,)?) => {
        /// The lines of the page that are run here.
        pub const LINES: &[&str] = &[$(stringify!($name)),+];

        /// Runs them.
        pub async fn run(world: &mut $world) -> anyhow::Result<()> {
            let mut failed = Vec::new();
            $(
                if crate::faults::is_wanted(stringify!($name)) {
                    let begun = std::time::Instant::now();
                    let held = $name(world).await;
                    println!("fault {}: {:.1} s", stringify!($name), begun.elapsed().as_secs_f32());
                    if let Err(error) = held {
                        failed.push(format!("{}: {error:#}", stringify!($name)));
                        world.mend()?;
                    }
                }
            )+
            anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
            Ok(())
        }
    };
}
use lines;

pub use cluster::Links;
