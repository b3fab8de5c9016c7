//! `cargo xtask bench`: one JSON object a line, `{"bench","value","unit","baseline","ratio","target","met"}`; the
//! exit says whether every target was met.
//!
//! Most lines come from the `bench` target of `tests/`, run optimised against the release binary. Those that are
//! about building are made here: the size of the dashboard and, with `--full`, a clean build of what `start` builds.
//! Rows of the cluster run a second release binary, built with its engines; what `start` builds stays as it is. A word
//! measures only the modules it is part of, `--quick` on a tenth of the data of the long ones.

use crate::lint::limits::WASM_BROTLI_BYTES_MAX;
use crate::paths::Paths;
use crate::{cluster, doctor, engines, process, start, test, web};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Twelve minutes on two cores, before the first transfer.
const CLEAN_BUILD_S_MAX: u64 = 12 * 60;

/// What of it to run.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Also what takes half an hour.
    full: bool,
    /// The long rows on a tenth of their data.
    quick: bool,
    /// Only modules this is part of.
    module: Option<String>,
}

impl Options {
    pub fn parse(rest: &[String]) -> Result<Self> {
        let mut options = Self::default();
        for word in rest {
            match word.as_str() {
                "--full" => options.full = true,
                "--quick" => options.quick = true,
                module if !module.starts_with('-') && options.module.is_none() => {
                    options.module = Some(module.to_owned());
                }
                _ => {
                    bail!("unexpected {rest:?}: this verb takes `--quick` or `--full`, and one module's name")
                }
            }
        }
        ensure!(
            !(options.quick && options.full),
            "`--quick` and `--full` exclude each other"
        );
        Ok(options)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        [
            self.full.then_some("--full"),
            self.quick.then_some("--quick"),
            self.module.as_deref(),
        ]
        .into_iter()
        .flatten()
    }
}

pub fn run(paths: &Paths, options: &Options) -> Result<ExitCode> {
    doctor::ensure_wasm_target(paths)?;
    let engines = engines::ensure(paths)?;
    let built = web::build(paths)?;
    // A copy each: cargo has one place for a binary, whatever its features.
    let dir = tempfile::Builder::new()
        .prefix("vaultstream-bench-")
        .tempdir()
        .context("cannot make a directory for the binaries")?;
    cluster::build_release(paths)?;
    let with_engines = keep(paths, dir.path(), "vaultstream-cluster")?;
    start::build_release(paths)?;
    let embedded = keep(paths, dir.path(), "vaultstream")?;
    let mut lines = vec![at_most(
        "dashboard wasm, whole",
        built.wasm_brotli_bytes(),
        "B brotli",
        WASM_BROTLI_BYTES_MAX,
    )];
    if options.full {
        lines.push(at_most(
            "clean build of start",
            clean_build(paths)?,
            "s",
            CLEAN_BUILD_S_MAX,
        ));
    }
    lines.iter().for_each(|line| println!("{line}"));

    let words = "test --release -p vaultstream-tests --test bench --";
    let mut bench = process::cargo(paths, words);
    bench.args(options.words());
    test::equip(&mut bench, paths, &engines);
    bench.env("VAULTSTREAM_BIN", embedded);
    bench.env("VAULTSTREAM_CLUSTER_BIN", with_engines);
    let status = process::stream(bench, |line| lines.extend(measurement(line)))?;

    let missed: Vec<String> = lines
        .iter()
        .filter(|line| line["met"] == false)
        .map(name)
        .collect();
    if !missed.is_empty() {
        println!("not met: {}", missed.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    if !status.success() {
        bail!("the benches ended with {status}");
    }
    Ok(ExitCode::SUCCESS)
}

fn keep(paths: &Paths, dir: &Path, name: &str) -> Result<PathBuf> {
    let copy = dir.join(name);
    fs::copy(paths.release_binary("vaultstream"), &copy).context("cannot copy the binary")?;
    Ok(copy)
}

fn at_most(bench: &str, value: u64, unit: &str, target: u64) -> Value {
    let met = value <= target;
    json!({ "bench": bench, "value": value, "unit": unit, "baseline": null, "ratio": null, "target": target, "met": met })
}

fn name(line: &Value) -> String {
    line["bench"].as_str().unwrap_or("(unnamed)").to_owned()
}

/// The line, where it is one measurement.
fn measurement(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line.trim()).ok()?;
    (value["bench"].is_string() && value["met"].is_boolean()).then_some(value)
}

/// Seconds that `start` takes to build everything into an empty directory; downloads are not repeated.
fn clean_build(paths: &Paths) -> Result<u64> {
    let target = paths.scratch_target("clean-build");
    if target.exists() {
        fs::remove_dir_all(&target).context("cannot empty the scratch directory")?;
    }
    let scratch = paths.with_target(target.clone());
    let begun = Instant::now();
    process::run(&mut process::cargo(&scratch, "build -p xtask"))?;
    web::build(&scratch)?;
    start::build_release(&scratch)?;
    let seconds = begun.elapsed().as_secs();
    fs::remove_dir_all(&target).context("cannot remove the scratch directory")?;
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_measurements_should_be_read() {
        let line = r#" {"bench":"fold","value":1,"unit":"events/s","target":2,"met":false} "#;
        assert_eq!(name(&measurement(line).expect("one")), "fold");
        assert!(measurement("running 1 test").is_none());
        assert!(measurement(r#"{"bench":"fold"}"#).is_none());
        assert!(measurement(r#"{"level":"info","met":true}"#).is_none());
    }

    #[test]
    fn options_should_be_read_and_nonsense_refused() {
        let parse =
            |text: &str| Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("cluster --quick").expect("both are known");
        assert_eq!(options.words().collect::<Vec<_>>(), ["--quick", "cluster"]);
        assert_eq!(parse("").expect("everything"), Options::default());
        for nonsense in ["--ful", "one two", "--quick --full"] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn target_should_be_met_up_to_itself() {
        assert_eq!(at_most("size", 10, "B", 10)["met"], true);
        assert_eq!(at_most("size", 11, "B", 10)["met"], false);
    }
}
