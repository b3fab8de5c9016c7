//! `cargo xtask test`: everything CI checks, in phases that are timed, and counted where they run tests.
//!
//! A phase that fails does not stop those that can still say something, because one run should tell all. The last
//! line is `N passed, N failed` and nothing else; a phase that fails without counting tests counts as one
//! failure there, and a run in which no test ran has failed.

use crate::counts::{Counts, Tally, Target};
use crate::engines::running::Running;
use crate::engines::{self, Engines};
use crate::lint::{self, DASHBOARD, Finding};
use crate::paths::Paths;
use crate::{doctor, generate, process, web};
use anyhow::{Context, Result, bail};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// One selection for every cargo call, so that features are unified once and nothing is built twice. xtask is
/// built by `cargo xtask` itself and tested alone; the dashboard is built for browsers, and its tests alone for here.
pub const SELECTION: &str =
    "--workspace --exclude vaultstream-dashboard-web --exclude xtask --features vaultstream/cluster";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Engines,
    Lint,
    Dashboard,
    Build,
    Generated,
    Tests,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Engines,
        Self::Lint,
        Self::Dashboard,
        Self::Build,
        Self::Generated,
        Self::Tests,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Engines => "engines",
            Self::Lint => "lint",
            Self::Dashboard => "dashboard",
            Self::Build => "build",
            Self::Generated => "generated",
            Self::Tests => "tests",
        }
    }
}

/// What of it to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Options {
    Everything,
    /// Source rules and unit tests: an answer in a minute or two.
    Fast,
    Only(&'static str),
    /// The tests alone, those that are cut to fit in their full length.
    Soak,
}

impl Options {
    pub fn parse(rest: &[String]) -> Result<Self> {
        let words: Vec<&str> = rest.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => Ok(Self::Everything),
            ["--fast"] => Ok(Self::Fast),
            ["--only", name] => {
                let names = Phase::ALL.map(Phase::name);
                let found = names.into_iter().find(|found| found == name);
                let found =
                    found.with_context(|| format!("no phase `{name}`; there are {}", names.join(", ")))?;
                Ok(Self::Only(found))
            }
            other => bail!("unexpected {other:?}: this verb takes `--fast` or `--only PHASE`"),
        }
    }
}

struct Outcome {
    name: &'static str,
    took: Duration,
    targets: Vec<Target>,
    error: Option<String>,
}

pub fn run(paths: &Paths, options: &Options) -> Result<ExitCode> {
    let outcomes = match options {
        Options::Everything => everything(paths, &Phase::ALL, false),
        Options::Soak => {
            let wanted = [Phase::Engines, Phase::Dashboard, Phase::Build, Phase::Tests];
            everything(paths, &wanted, true)
        }
        Options::Only(name) => {
            let wanted: Vec<Phase> = Phase::ALL
                .into_iter()
                .filter(|phase| phase.name() == *name)
                .collect();
            everything(paths, &wanted, false)
        }
        Options::Fast => fast(paths),
    };
    let counting = matches!(
        options,
        Options::Everything | Options::Fast | Options::Soak | Options::Only("tests")
    );
    Ok(summary(&outcomes, counting))
}

fn everything(paths: &Paths, wanted: &[Phase], is_soak: bool) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut engines = None;
    for phase in wanted {
        let outcome = timed(phase.name(), || match phase {
            Phase::Engines => {
                doctor::ensure_wasm_target(paths)?;
                engines = Some(engines::ensure(paths)?);
                Ok(Vec::new())
            }
            Phase::Lint => no_findings(lint::before_build(paths)?),
            Phase::Dashboard => {
                let built = web::build(paths)?;
                println!("{built}");
                built.within_budget().map(|()| Vec::new())
            }
            Phase::Build => build(paths).map(|()| Vec::new()),
            Phase::Generated => no_findings(generate::check(paths)?),
            Phase::Tests => tests(paths, engines.take(), is_soak),
        });
        outcomes.push(outcome);
    }
    outcomes
}

fn fast(paths: &Paths) -> Vec<Outcome> {
    let sources = timed("sources", || no_findings(lint::sources(paths)?));
    let words = format!("test {SELECTION} --no-fail-fast --lib --bins");
    let unit = timed("unit tests", || counted(process::cargo(paths, &words)));
    vec![sources, unit]
}

/// The binaries together with the tests: cargo unifies the features of development dependencies only when tests
/// are asked for, and binaries built without them would be built again a phase later.
fn build(paths: &Paths) -> Result<()> {
    process::run(&mut process::cargo(
        paths,
        &format!("build {SELECTION} --bins --tests"),
    ))
}

/// All tests, each told where the engines and binaries are.
fn tests(paths: &Paths, engines: Option<Engines>, is_soak: bool) -> Result<Vec<Target>> {
    let engines = match engines {
        Some(engines) => engines,
        None => engines::ensure(paths).context("the tests need their engines")?,
    };
    let mut targets = counted(process::cargo(paths, "test -p xtask"))?;
    let dashboard = format!("test -p {DASHBOARD} --no-fail-fast");
    targets.extend(counted(process::cargo(paths, &dashboard))?);
    let running = Running::start().context("the tests need running engines")?;
    let mut product = process::cargo(paths, &format!("test {SELECTION} --no-fail-fast"));
    equip(&mut product, paths, &engines);
    running.equip(&mut product);
    product.env("VAULTSTREAM_BIN", paths.debug_binary("vaultstream"));
    product.env(
        "VAULTSTREAM_SANDBOX_EVM_BIN",
        paths.debug_binary("vaultstream-sandbox-evm"),
    );
    if is_soak {
        product.env("VAULTSTREAM_SOAK", "1");
    }
    targets.extend(counted(product)?);
    Ok(targets)
}

/// The environment that tests and benches have in common.
pub fn equip(command: &mut Command, paths: &Paths, engines: &Engines) {
    command
        .env("VAULTSTREAM_WEB_DIR", paths.web())
        .env("VAULTSTREAM_ANVIL_BIN", &engines.anvil)
        .env("VAULTSTREAM_CHROMIUM", &engines.chromium)
        .env("VAULTSTREAM_BROWSER_DIR", &engines.browser_dir)
        .env("VAULTSTREAM_ENGINES", &engines.home);
}

fn counted(command: Command) -> Result<Vec<Target>> {
    let mut tally = Tally::default();
    let status = process::stream(command, |line| tally.line(line))?;
    Ok(tally.finish(status.success()))
}

fn no_findings(mut findings: Vec<Finding>) -> Result<Vec<Target>> {
    lint::report(&mut findings);
    if findings.is_empty() {
        Ok(Vec::new())
    } else {
        bail!("{} findings", findings.len())
    }
}

fn timed(name: &'static str, work: impl FnOnce() -> Result<Vec<Target>>) -> Outcome {
    println!("\n=== {name}");
    let begun = Instant::now();
    let result = work();
    let took = begun.elapsed();
    let (targets, error) = match result {
        Ok(targets) => (targets, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    if let Some(error) = &error {
        println!("{name} FAILED: {error}");
    }
    println!("=== {name}: {:.1} s", took.as_secs_f64());
    Outcome {
        name,
        took,
        targets,
        error,
    }
}

fn summary(outcomes: &[Outcome], counting: bool) -> ExitCode {
    println!(
        "\n{:<44} {:>8} {:>7} {:>7} {:>8}",
        "", "seconds", "passed", "failed", "skipped"
    );
    for outcome in outcomes {
        let note = if outcome.error.is_some() { "FAILED" } else { "" };
        println!(
            "{:<44} {:>8.1} {note:>7}",
            outcome.name,
            outcome.took.as_secs_f64()
        );
        for Target { name, counts, .. } in outcome.targets.iter().filter(|target| target.says_something()) {
            let Counts {
                passed,
                failed,
                skipped,
            } = counts;
            println!("  {name:<42} {:>8} {passed:>7} {failed:>7} {skipped:>8}", "");
        }
    }
    for outcome in outcomes {
        if let Some(error) = &outcome.error {
            println!("{} failed: {error}", outcome.name);
        }
    }
    let (counts, green) = verdict(outcomes, counting);
    if counting && counts.passed + counts.failed == 0 {
        println!("no test ran");
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    if green {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The sum, and whether it is good: nothing failed, and where tests were to run, some did.
fn verdict(outcomes: &[Outcome], counting: bool) -> (Counts, bool) {
    let mut sum = Counts::default();
    for outcome in outcomes {
        outcome.targets.iter().for_each(|target| sum += target.counts);
        sum.failed += u64::from(outcome.error.is_some());
    }
    (sum, sum.failed == 0 && (!counting || sum.passed > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(passed: u64, failed: u64, error: Option<&str>) -> Outcome {
        let counts = Counts {
            passed,
            failed,
            skipped: 0,
        };
        let target = Target {
            name: "t".to_owned(),
            counts,
            reported: true,
        };
        let error = error.map(str::to_owned);
        Outcome {
            name: "tests",
            took: Duration::ZERO,
            targets: vec![target],
            error,
        }
    }

    fn options(text: &str) -> Result<Options> {
        Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_should_name_phases_that_exist() {
        assert_eq!(options("").expect("all"), Options::Everything);
        assert_eq!(options("--fast").expect("fast"), Options::Fast);
        assert_eq!(options("--only lint").expect("one"), Options::Only("lint"));
        let error = options("--only sleep").expect_err("no such phase");
        assert!(error.to_string().contains("engines, lint, dashboard"), "{error}");
        assert!(options("--only").is_err());
    }

    #[test]
    fn verdict_should_be_green_only_with_tests_and_without_failures() {
        assert!(verdict(&[outcome(3, 0, None)], true).1);
        assert!(!verdict(&[outcome(3, 1, None)], true).1);
        assert!(!verdict(&[outcome(0, 0, None)], true).1, "no test ran");
        assert!(
            verdict(&[outcome(0, 0, None)], false).1,
            "a phase without tests may be green"
        );
    }

    #[test]
    fn phase_that_failed_without_counting_should_count_once() {
        let (counts, green) = verdict(&[outcome(0, 0, Some("12 findings")), outcome(5, 0, None)], true);
        assert_eq!((counts.passed, counts.failed, green), (5, 1, false));
    }
}
