//! `cargo xtask <verb>`: how this repository is started, tested, checked and measured.
//!
//! One file a verb. What a verb needs from outside (engines, tools) is fetched into `~/.cache/vaultstream`,
//! never into the repository; everything cargo builds goes to one target directory there unless
//! `CARGO_TARGET_DIR` says otherwise. An unknown verb prints the usage and fails.

mod bench;
mod cluster;
mod counts;
mod coverage;
mod deploy;
mod doctor;
mod engines;
mod generate;
mod lint;
mod paths;
mod process;
mod schemathesis;
mod soak;
mod start;
mod steps;
mod test;
mod web;

use anyhow::{Result, bail};
use paths::Paths;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <verb>

  start [-- ARGS]      build dashboard and release binary, then run `vaultstream serve --demo ARGS`
  cluster              run every role on PostgreSQL, Kafka, Cassandra and Redis on this machine, with the dashboard
  test [--fast | --only PHASE]
                       everything CI checks; --fast: source rules and unit tests only
                       phases: engines, lint, dashboard, build, generated, tests
  soak [PART]…         what takes hours: kills under load, simulation, fuzzing; `soak help` names the parts
  coverage [--report]  which lines the tests run, by crate; exits 1 below 80 %; --report: of the last run
  lint [--fast]        fmt, clippy, edges, ratchets, licences, generated files; --fast: source rules only
  generate             rewrite the generated files that lint compares
  bench [--quick | --full] [MODULE]
                       one JSON object a line; exits 1 when a target is not met; --quick: a tenth of the data of
                       the long rows; --full: 20,000,000 rows and a clean build, too; MODULE: only a file of tests/bench
  engines [run -- CMD] fetch the real engines; run: start one of each while CMD runs, named in its environment
  web                  build the dashboard alone, for images and for whoever serves it
  deploy-check         helm, kubeconform and promtool over infra/deploy (needs Go; minutes the first time)
  doctor [--install]   list prerequisites; --install: also install what this user may install";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match std::env::var_os(coverage::INSTRUMENTS) {
        Some(_) => coverage::instrument(&args),
        None => dispatch(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<ExitCode> {
    let Some((verb, rest)) = args.split_first() else {
        bail!("which verb?\n\n{USAGE}");
    };
    if matches!(verb.as_str(), "help" | "--help" | "-h") {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let paths = Paths::find()?;
    match verb.as_str() {
        "start" => start::run(&paths, rest),
        "cluster" => no_arguments(rest).and_then(|()| cluster::run(&paths)),
        "test" => test::run(&paths, &test::Options::parse(rest)?),
        "soak" => soak::run(&paths, rest),
        "coverage" => coverage::run(&paths, rest),
        "lint" => lint::run(&paths, flag(rest, "--fast")?),
        "generate" => no_arguments(rest).and_then(|()| generate::write(&paths)),
        "bench" => bench::run(&paths, &bench::Options::parse(rest)?),
        "web" => no_arguments(rest).and_then(|()| {
            println!("{}", web::build(&paths)?);
            Ok(ExitCode::SUCCESS)
        }),
        "deploy-check" => no_arguments(rest).and_then(|()| deploy::run(&paths)),
        "engines" => engines::run(&paths, rest),
        "doctor" => doctor::run(&paths, flag(rest, "--install")?),
        _ => bail!("unknown verb `{verb}`\n\n{USAGE}"),
    }
}

/// Whether the only argument is `name`; any other argument is refused.
fn flag(rest: &[String], name: &str) -> Result<bool> {
    match rest {
        [] => Ok(false),
        [only] if only == name => Ok(true),
        _ => bail!("unexpected {rest:?}: this verb takes only `{name}`\n\n{USAGE}"),
    }
}

fn no_arguments(rest: &[String]) -> Result<()> {
    if rest.is_empty() {
        Ok(())
    } else {
        bail!("unexpected {rest:?}: this verb takes no arguments")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn unknown_verb_should_print_usage() {
        let error = dispatch(&words("frobnicate")).expect_err("must be refused");
        assert!(error.to_string().contains("unknown verb `frobnicate`"));
        assert!(error.to_string().contains("doctor [--install]"));
    }

    #[test]
    fn missing_verb_should_be_refused() {
        assert!(dispatch(&[]).is_err());
    }

    #[test]
    fn flag_should_refuse_anything_else() {
        assert!(flag(&words("--full"), "--full").expect("accepted"));
        assert!(!flag(&[], "--full").expect("accepted"));
        assert!(flag(&words("--ful"), "--full").is_err());
        assert!(flag(&words("--full twice"), "--full").is_err());
    }
}
