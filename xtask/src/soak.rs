//! `cargo xtask soak [PART]…`: what takes hours, and is run before a release and after a change of what must not lose
//! anything.
//!
//! Each part prints its seed or takes it, and can be run alone, then with options of its own: `soak embedded --seed 7`.
//! A part that fails does not stop the others; the last line says which did.

use crate::paths::Paths;
use crate::{cluster, engines, process, schemathesis, start, test};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

const USAGE: &str = "\
cargo xtask soak [PART]…, or one PART with options

  tests      the tests alone, those that `test` cuts to fit in their full length
  embedded   kill -9, 200 times, under 500 commands a second   [--seed N] [--kills N] [--rate N] [--events N]
  cluster    the same, one role after another, 1,000,000 events [--seed N] [--kills N] [--rate N] [--events N]
  sim        the simulation with 10,000 seeds                  [--seeds FROM..TO]
             and the saga's property with 2,000 cases          [--cases N]
  fuzz       every parser that meets strangers, for minutes    [--seconds N] (each)
  rest       schemathesis over the OpenAPI                     [--seconds N]";

/// Seeds of the simulation.
const SEEDS: &str = "0..10000";
/// Cases of the saga's property, each with answers, deaths and reorganizations of its own.
const CASES: &str = "2000";
/// Seconds that each parser is fuzzed.
const FUZZ_SECONDS: &str = "120";
/// Seconds that schemathesis takes: half an hour.
const REST_SECONDS: &str = "1800";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Tests,
    Embedded,
    Cluster,
    Sim,
    Fuzz,
    Rest,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Tests,
        Self::Embedded,
        Self::Cluster,
        Self::Sim,
        Self::Fuzz,
        Self::Rest,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Tests => "tests",
            Self::Embedded => "embedded",
            Self::Cluster => "cluster",
            Self::Sim => "sim",
            Self::Fuzz => "fuzz",
            Self::Rest => "rest",
        }
    }

    /// Options it takes, each with a value.
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Tests => &[],
            Self::Embedded | Self::Cluster => &["--seed", "--kills", "--rate", "--events"],
            Self::Sim => &["--seeds", "--cases"],
            Self::Fuzz | Self::Rest => &["--seconds"],
        }
    }
}

/// Which parts, and what the only one is told.
fn parse(rest: &[String]) -> Result<(Vec<Part>, &[String])> {
    let named = rest.iter().take_while(|word| !word.starts_with('-')).count();
    let (names, options) = rest.split_at(named);
    let mut parts = Vec::new();
    for name in names {
        let found = Part::ALL.into_iter().find(|part| part.name() == name);
        parts.push(found.with_context(|| format!("no part `{name}`\n\n{USAGE}"))?);
    }
    if options.is_empty() {
        return Ok(if parts.is_empty() {
            (Part::ALL.to_vec(), options)
        } else {
            (parts, options)
        });
    }
    let [part] = parts[..] else {
        bail!("options belong to one part\n\n{USAGE}");
    };
    for pair in options.chunks(2) {
        let is_known = part.options().contains(&pair[0].as_str());
        ensure!(
            is_known && pair.len() == 2,
            "{}: unexpected {pair:?}\n\n{USAGE}",
            part.name()
        );
    }
    Ok((parts, options))
}

/// What an option says, the last one where it is given again; else its default.
fn value<'a>(options: &'a [String], name: &str, default: &'a str) -> &'a str {
    let given = options.chunks_exact(2).rev().find(|pair| pair[0] == name);
    given.map_or(default, |pair| pair[1].as_str())
}

/// The same, as a whole number.
fn number<T: FromStr>(options: &[String], name: &str, default: &str) -> Result<T> {
    let text = value(options, name, default);
    let number = text.parse::<T>().ok();
    number.with_context(|| format!("{name} is a whole number, and {text:?} is none"))
}

pub fn run(paths: &Paths, rest: &[String]) -> Result<ExitCode> {
    if rest.first().is_some_and(|word| word == "help") {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let (parts, options) = parse(rest)?;
    let mut failed = Vec::new();
    for part in parts {
        println!("\n=== soak {}", part.name());
        if let Err(error) = one(paths, part, options) {
            println!("soak {} FAILED: {error:#}", part.name());
            failed.push(part.name());
        }
    }
    if failed.is_empty() {
        println!("soak: everything held");
        return Ok(ExitCode::SUCCESS);
    }
    println!("soak: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn one(paths: &Paths, part: Part, options: &[String]) -> Result<()> {
    match part {
        Part::Tests => {
            let ended = test::run(paths, &test::Options::Soak)?;
            ensure!(ended == ExitCode::SUCCESS, "some tests failed");
            Ok(())
        }
        Part::Embedded | Part::Cluster => kills(paths, part, options),
        Part::Sim => {
            let cases: u32 = number(options, "--cases", CASES)?;
            let mut sim = process::cargo(
                paths,
                "test --release -p vaultstream-sim --test sim -- --nocapture",
            );
            sim.env("VAULTSTREAM_SIM_SEEDS", value(options, "--seeds", SEEDS));
            process::run(sim.env("VAULTSTREAM_SIM_CASES", cases.to_string()))
        }
        Part::Fuzz => {
            let seconds: u64 = number(options, "--seconds", FUZZ_SECONDS)?;
            for words in [
                "test --release -p vaultstream-tests --test fuzz -- --nocapture",
                "test --release -p vaultstream --bin vaultstream fuzz -- --nocapture",
            ] {
                let mut fuzz = process::cargo(paths, words);
                process::run(fuzz.env("VAULTSTREAM_FUZZ_SECONDS", seconds.to_string()))?;
            }
            Ok(())
        }
        Part::Rest => {
            let seconds = number(options, "--seconds", REST_SECONDS)?;
            start::build_release(paths)?;
            schemathesis::run(paths, &paths.release_binary("vaultstream"), seconds)
        }
    }
}

/// The product, killed again and again: optimised, as people run it.
fn kills(paths: &Paths, part: Part, options: &[String]) -> Result<()> {
    let engines = engines::ensure(paths)?;
    // Copies: cargo has one place for a binary, whatever its features.
    let dir = tempfile::Builder::new()
        .prefix("vaultstream-soak-")
        .tempdir()
        .context("cannot make a directory for the binaries")?;
    process::run(&mut process::cargo(
        paths,
        "build --release -p vaultstream-sandbox-evm",
    ))?;
    let chain = keep(paths, dir.path(), "vaultstream-sandbox-evm")?;
    let is_cluster = part == Part::Cluster;
    if is_cluster {
        cluster::build_release(paths)?;
    } else {
        start::build_release(paths)?;
    }
    let binary = keep(paths, dir.path(), "vaultstream")?;
    let words = format!(
        "test --release -p vaultstream-tests --test soak -- {}",
        part.name()
    );
    let mut soak = process::cargo(paths, &words);
    test::equip(&mut soak, paths, &engines);
    soak.args(options).env("VAULTSTREAM_SANDBOX_EVM_BIN", chain);
    let variable = if is_cluster {
        "VAULTSTREAM_CLUSTER_BIN"
    } else {
        "VAULTSTREAM_BIN"
    };
    process::run(soak.env(variable, binary))
}

fn keep(paths: &Paths, dir: &Path, name: &str) -> Result<std::path::PathBuf> {
    let copy = dir.join(name);
    fs::copy(paths.release_binary(name), &copy).with_context(|| format!("cannot copy {name}"))?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn parts_should_be_named_and_options_belong_to_one() {
        let read = |text: &str| parse(&words(text)).map(|(parts, options)| (parts, options.to_vec()));
        assert_eq!(read("").expect("all").0, Part::ALL);
        assert_eq!(read("sim fuzz").expect("two").0, [Part::Sim, Part::Fuzz]);
        let (parts, options) = read("embedded --seed 7 --kills 20").expect("one");
        assert_eq!((parts, options.len()), (vec![Part::Embedded], 4));
        for nonsense in [
            "sleep",
            "sim fuzz --seeds 0..9",
            "--seed 7",
            "sim --seed 7",
            "embedded --seed",
            "sim --cases",
        ] {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn options_should_be_found_by_name_and_the_last_one_counts() {
        let options = words("--cases 7 --seeds 3..4 --cases 9");
        assert_eq!(value(&options, "--seeds", SEEDS), "3..4");
        assert_eq!(number::<u32>(&options, "--cases", CASES).expect("a number"), 9);
        assert_eq!(value(&[], "--seeds", SEEDS), "0..10000");
        assert_eq!(number::<u32>(&[], "--cases", CASES).expect("a number"), 2_000);
        let error = number::<u32>(&words("--cases many"), "--cases", CASES).expect_err("no number");
        assert!(error.to_string().contains("--cases is a whole number"), "{error}");
    }
}
