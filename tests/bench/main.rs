//! The bench: one JSON object a line, `{"bench","value","unit","baseline","ratio","target","met"}`.
//!
//! Runs optimised only. Every baseline uses the schema, the payload, the statements and the load generator of what it
//! is compared with, in the same run, on the same disk, which is forced. An argument runs the modules it is part of.
#![expect(
    clippy::float_arithmetic,
    reason = "rates and ratios are what this program is for"
)]

mod executor;
mod fold;
mod http;
mod kafka;
mod line;
mod postgres;
mod rebuild;
mod scylla;
mod subscribe;

use std::process::ExitCode;

use line::BenchLine;

/// What the product runs with, so that what is measured is what is run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wants = |module: &str| wanted.as_deref().is_none_or(|w| module.contains(w));
    let mut out = Vec::new();
    let mut met = true;
    if wants("executor") {
        executor::run(&mut out).await?;
        met &= print(&mut out);
    }
    if wants("fold") {
        fold::run(&mut out).await?;
        met &= print(&mut out);
    }
    if wants("http") {
        http::run(&mut out).await?;
        met &= print(&mut out);
    }
    if wants("kafka") {
        kafka::run(&mut out).await?;
        met &= print(&mut out);
    }
    if wants("postgres") {
        postgres::run(&mut out).await?;
        met &= print(&mut out);
    }
    if wants("subscribe") {
        subscribe::run(&mut out).await?;
        met &= print(&mut out);
    }
    if wants("rebuild") {
        rebuild::run(&mut out).await?;
        met &= print(&mut out);
    }
    if wants("scylla") {
        scylla::run(&mut out).await?;
        met &= print(&mut out);
    }
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
