//! `vaultstream reconcile`, `release` and `operator`: a log that is behind its mark, from the look to the end.
//!
//! `reconcile` reads mark, log, chains and what Kafka or a backup still has, changes nothing, and writes the statement
//! that operators sign. `operator` makes keys and signs, on a machine that needs nothing of the installation. `release`
//! takes the signed statements, tells the log what it has forgotten, and keeps the mark that ends the quarantine. In
//! the embedded assembly the product is stopped for both; in a cluster it goes on and sees the new mark by itself.

mod left;
mod operator;
mod reconcile;
mod release;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;
use vaultstream_event_schemas::Slug;
use vaultstream_infra_runtime::give_way;
use vaultstream_infra_telemetry::Metrics;
use vaultstream_kernel::mark::MarkPorts;
use vaultstream_workflows::Chain;

use crate::assembly::Assembly;
use crate::config::{Config, Kind, Overrides};
use crate::observer::Observed;
use crate::parts::marks;
use crate::roles::{Role, Roles};

const EXIT_CODES: &str = "Exit codes: 0 the log holds its mark, or was released; 1 not carried out; 2 wrong usage; 3 the log is \
    behind its mark, and everything found is printed.";

/// The code for a log that is behind its mark.
const REWOUND: u8 = 3;

/// Which installation.
#[derive(Debug, Args)]
pub struct Which {
    /// A TOML file that overrides the committed defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything durable lies.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A backup that reaches further than the log: what it has and the log has lost is counted and named. In a cluster it is
    /// read instead of Kafka.
    #[arg(long, value_name = "DIR")]
    backup: Option<PathBuf>,
}

/// How what was found is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One object, for programs.
    Json,
    /// A line a fact, for people.
    Text,
}

/// Options of `reconcile`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Reconcile {
    #[command(flatten)]
    which: Which,
    /// The file to write the statement to that operators sign; it must not exist.
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,
    /// How what was found is printed.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

/// Options of `release`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Release {
    #[command(flatten)]
    which: Which,
    /// A statement as an operator signed it; given once for each operator.
    #[arg(long, value_name = "FILE", required = true)]
    signed: Vec<PathBuf>,
}

/// What operators do on machines of their own.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Make a key: the private half into a file, the public half for operators.keys onto standard output.
    Keygen {
        /// The operator's name, without spaces.
        #[arg(long)]
        name: String,
        /// The file to write, 0600; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign a statement after reading it.
    Sign {
        /// The operator's private key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The statement that `reconcile` wrote.
        #[arg(long, value_name = "FILE")]
        statement: PathBuf,
        /// The file to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Carries `reconcile` out.
pub fn run_reconcile(options: &Reconcile) -> ExitCode {
    ended(with_installation(&options.which, async |here| {
        reconcile::run(options, here).await
    }))
}

/// Carries `release` out.
pub fn run_release(options: &Release) -> ExitCode {
    ended(with_installation(&options.which, async |here| {
        release::run(options, here).await
    }))
}

/// Carries a verb of operators out.
pub fn run_operator(verb: &Operator) -> ExitCode {
    ended(operator::run(verb).map(|()| true))
}

fn ended(done: Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(REWOUND),
        Err(error) => {
            eprintln!("vaultstream: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An installation, opened and running nothing.
pub struct Installation<'a> {
    config: &'a Config,
    assembly: &'a Assembly,
    ports: MarkPorts,
    chains: BTreeMap<Slug, Chain>,
    /// A backup that reaches further than the log.
    backup: Option<&'a Path>,
}

fn with_installation(
    which: &Which,
    work: impl AsyncFnOnce(&Installation<'_>) -> Result<bool>,
) -> Result<bool> {
    let overrides = Overrides {
        data_dir: which.data_dir.clone(),
        ..Overrides::default()
    };
    let config = Config::load(which.config.as_deref(), &overrides)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folding = give_way::runtime(false)?;
    let apart = (folding.handle(), runtime.handle());
    let done = runtime.block_on(opened(&config, which.backup.as_deref(), apart, work));
    folding.shutdown_background();
    done
}

async fn opened(
    config: &Config,
    backup: Option<&Path>,
    apart: (&tokio::runtime::Handle, &tokio::runtime::Handle),
    work: impl AsyncFnOnce(&Installation<'_>) -> Result<bool>,
) -> Result<bool> {
    let stop = CancellationToken::new();
    let observed = Arc::new(Observed::new(Metrics::new()));
    // In a cluster the sealer's engines are those that are needed: the log, checkpoints and marks.
    let roles = match config.assembly.kind {
        Kind::Embedded => Roles::new(&[Role::All]),
        Kind::Cluster => Roles::new(&[Role::Sealer]),
    };
    let assembly = Assembly::open(config, &roles, &observed, apart, &stop).await?;
    let chains = assembly.chains.iter();
    let chains = chains.map(|c| (c.chain.settings.slug.clone(), c.chain.clone()));
    let done = {
        let here = Installation {
            config,
            assembly: &assembly,
            ports: marks::ports(config, &assembly, observed.clone())?,
            chains: chains.collect(),
            backup,
        };
        work(&here).await
    };
    stop.cancel();
    assembly.ended().await;
    done
}
