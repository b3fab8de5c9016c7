//! The soak: the product is killed hundreds of times while people command it, and afterwards nothing is missing, doubled
//! or wrong.
//!
//! `soak embedded` kills the one process under a load of commands; `soak cluster` kills one role after another on real
//! engines. What is killed when, and what is paid, follows a seed, which is printed. In the end every acknowledged
//! command is in the log once, the log is the one that was sealed, views equal a fold from zero, and the chain has seen
//! one payment for each that was approved. `cargo xtask soak` builds the optimised binaries and runs it.

mod bed;
mod chain;
mod cluster;
mod embedded;
mod ends;
mod load;
mod options;
mod payer;
mod report;

use std::process::ExitCode;

use options::{Options, Part};

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::parse(&arguments)?;
    println!("{options}");
    let met = match options.part {
        Part::Embedded => embedded::run(&options).await?,
        Part::Cluster => cluster::run(&options).await?,
    };
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
