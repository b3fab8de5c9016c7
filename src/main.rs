//! The binary `vaultstream`: reads the configuration, puts adapters into ports, starts the parts of this process.

mod archive;
mod assembly;
mod audit;
mod backup;
mod cli;
mod config;
mod emit;
mod event_versions;
mod faults;
mod gauges;
mod health;
mod held;
mod late_node;
mod observer;
mod parts;
mod requests;
mod rewind;
mod roles;
mod seed;
mod serve;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Small allocations on many threads are most of what a command costs; this allocator takes a quarter off that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Event-sourced multi-chain custody.
#[derive(Debug, Parser)]
#[command(name = "vaultstream", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the product.
    Serve(Serve),
    #[command(flatten)]
    People(cli::People),
    /// Write the event log, or a part of it, into a file of JSON lines.
    Export(archive::Export),
    /// Take a file that `export` wrote into a log that has what comes before it.
    Import(archive::Import),
    /// Copy a running or stopped installation into a folder: the log, checkpoints, sealed keys. Run again, it adds what is new.
    Backup(backup::Backup),
    /// Make an installation of a backup, up to any moment, as another life of the log that its first checkpoint declares.
    Restore(backup::Restore),
    /// Verify the log against signed checkpoints, hand them out, prove single events.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Compare a log that is behind its mark with its marks and the chains, and write what operators sign.
    Reconcile(rewind::Reconcile),
    /// End the quarantine of a log that is behind its mark, as enough operators have signed.
    Release(rewind::Release),
    /// Make an operator's key, and sign with it, on the operator's own machine.
    #[command(subcommand)]
    Operator(rewind::Operator),
    /// Print what is generated from the code: sdl, openapi, errors, or schemas with --out.
    #[command(hide = true)]
    Emit {
        /// What to print.
        what: emit::What,
        /// The folder that schemas are written to.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

/// Options of `serve`.
#[derive(Debug, Clone, Args)]
struct Serve {
    /// Which parts to run, with commas between them; the embedded assembly runs all in one process.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "all")]
    role: Vec<roles::Role>,
    /// A TOML file that overrides the committed defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything durable lives.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the product answers.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Where the built dashboard lies.
    #[arg(long, value_name = "DIR")]
    web_dir: Option<PathBuf>,
    /// json or text.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Seed a demo organization with two funded sandbox vaults and print a one-time link.
    #[arg(long)]
    demo: bool,
}

impl Serve {
    fn overrides(&self) -> config::Overrides {
        config::Overrides {
            listen: self.listen.clone(),
            data_dir: self.data_dir.clone(),
            web_dir: self.web_dir.clone(),
            log_format: self.log_format.clone(),
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::People(people) => return cli::run(people),
        Verb::Audit(verb) => return audit::run(&verb),
        Verb::Export(options) => archive::run_export(&options),
        Verb::Import(options) => archive::run_import(&options),
        Verb::Backup(options) => backup::run_backup(&options),
        Verb::Restore(options) => backup::run_restore(&options),
        Verb::Reconcile(options) => return rewind::run_reconcile(&options),
        Verb::Release(options) => return rewind::run_release(&options),
        Verb::Operator(verb) => return rewind::run_operator(&verb),
        Verb::Emit { what, out } => emit::run(what, out.as_deref()),
        Verb::Serve(options) => {
            faults::rehearse_from_env();
            faults::wrong_clock_from_env();
            let roles = roles::Roles::new(&options.role);
            serve::run(
                options.config.as_deref(),
                &options.overrides(),
                &roles,
                options.demo,
            )
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vaultstream: {error:#}");
            ExitCode::FAILURE
        }
    }
}
