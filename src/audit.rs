//! `vaultstream audit`: what an auditor does with files and public keys, and how an operator hands them out.
//!
//! `verify`, `prove` and `check-proof` need no running product, no secret and no database: a file that `export` wrote or
//! the file of an embedded log, notes, and public keys. `export` hands the notes and the keys out. Exit codes tell scripts
//! what was found; see [`EXIT_CODES`].

mod export;
mod files;
mod prove;
mod scan;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use vaultstream_event_schemas::EventRef;

const EXIT_CODES: &str = "Exit codes: 0 the log is the one that was sealed (declared losses are printed), or the proof holds; \
    1 not carried out: a file cannot be read, or no checkpoint is to be believed; 2 wrong usage; 3 it is not: every place is \
    printed.";

/// The code for what is not as it was sealed.
const CONTRADICTED: u8 = 3;

/// What auditors and operators ask for.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Compare a log with checkpoints that were kept elsewhere. Needs files and public keys only.
    #[command(after_help = EXIT_CODES)]
    Verify(Verify),
    /// Write all checkpoints and the public keys into a new folder, beside a running product or without it.
    #[command(after_help = EXIT_CODES)]
    Export(Export),
    /// Write the proof that one event is in the log, into a file that anybody with the public keys can check.
    #[command(after_help = EXIT_CODES)]
    Prove(Prove),
    /// Check a proof.
    #[command(after_help = EXIT_CODES)]
    CheckProof(CheckProof),
}

/// How what was found is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One object, for programs.
    Json,
    /// A line a fact, for people.
    Text,
}

/// Where the log is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhichLog {
    /// A file that `vaultstream export` wrote, whole.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The data directory of an embedded installation, or a copy of it; nothing in it is changed. The checkpoints beside it
    /// are read too, when they are there.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Checkpoints that were kept: one note, or a list of them. May be given more than once.
    #[arg(long, value_name = "FILE", required = true)]
    checkpoint: Vec<PathBuf>,
    /// Public keys, one a line.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    #[command(flatten)]
    which: WhichLog,
    /// How what was found is printed.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

/// Options of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// A TOML file that overrides the committed defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything durable lies.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The folder to write; it must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Options of `prove`.
#[derive(Debug, Args)]
pub struct Prove {
    /// The event, such as trf_…/3.
    event: EventRef,
    /// Checkpoints that may cover it; the newest that does is taken. May be given more than once.
    #[arg(long, value_name = "FILE", required_unless_present = "data_dir")]
    checkpoint: Vec<PathBuf>,
    #[command(flatten)]
    which: WhichLog,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Options of `check-proof`.
#[derive(Debug, Args)]
pub struct CheckProof {
    /// The file that `prove` wrote.
    proof: PathBuf,
    /// Public keys, one a line.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

/// Carries a verb out.
pub fn run(audit: &Audit) -> ExitCode {
    let done: Result<bool> = match audit {
        Audit::Verify(options) => verify::run(options),
        Audit::Export(options) => export::run(options).map(|()| true),
        Audit::Prove(options) => prove::run(options).map(|()| true),
        Audit::CheckProof(options) => prove::check(options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(CONTRADICTED),
        Err(error) => {
            eprintln!("vaultstream: {error:#}");
            ExitCode::FAILURE
        }
    }
}
