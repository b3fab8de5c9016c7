//! Fetches what tests and the dashboard build take from outside, and starts the engines that tests share.
//!
//! Versions are pinned by the lock files under `xtask/npm/`, the projects under `xtask/maven/` and the constants
//! here. Each set is installed beside its final place and moved there when complete: a broken download is never
//! mistaken for an engine, and a changed version never finds the old one. What is named in the environment
//! (`VAULTSTREAM_ANVIL_BIN`, `VAULTSTREAM_CHROMIUM`, `VAULTSTREAM_PG_URL`, `VAULTSTREAM_KAFKA`, `VAULTSTREAM_CQL`,
//! `VAULTSTREAM_REDIS_URL`) wins over what would be fetched.

pub mod install;
mod maven;
mod npm;
pub mod running;

use crate::doctor;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use vaultstream_engines::Set;

/// The cargo-deny that `deny.toml` is written for.
pub const CARGO_DENY: &str = "0.20.2";
const ANVIL: &str = "1.7.1";
const BINARYEN: &str = "132";
pub const CHROMIUM_NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// What the tests are given.
pub struct Engines {
    pub anvil: PathBuf,
    pub chromium: PathBuf,
    /// A directory whose `node_modules` holds playwright-core and axe-core.
    pub browser_dir: PathBuf,
    /// The directory that holds all of them.
    pub home: PathBuf,
}

/// The verb: without words, fetch everything; after `run --`, a command that finds running engines.
pub fn run(paths: &Paths, rest: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            ensure(paths)?;
            println!("all engines are in {}", paths.engines().display());
            Ok(ExitCode::SUCCESS)
        }
        ["run", "--", program, arguments @ ..] => {
            doctor::ensure_packages(paths)?;
            fetch(paths)?;
            let mut command = Command::new(program);
            command.args(arguments);
            running::beside(paths, command)
        }
        other => bail!("unexpected {other:?}: this verb takes nothing, or `run -- COMMAND …`"),
    }
}

/// Installs and fetches everything the tests need, and looks whether what is quick to ask answers.
pub fn ensure(paths: &Paths) -> Result<Engines> {
    doctor::ensure_packages(paths)?;
    fetch(paths)?;
    let browser_dir = npm::packages(paths, "test")?;
    let anvil = given("VAULTSTREAM_ANVIL_BIN")?.unwrap_or_else(|| npm::anvil_in(&browser_dir));
    expect_version(
        &anvil,
        ANVIL,
        "on other machines than 64-bit x86 Linux name one in VAULTSTREAM_ANVIL_BIN",
    )?;
    let chromium = chromium()?;
    expect_version(&chromium, "", "name another one in VAULTSTREAM_CHROMIUM")?;
    Ok(Engines {
        anvil,
        chromium,
        browser_dir,
        home: paths.engines(),
    })
}

/// The engines that come from Maven, but for those that run already.
fn fetch(paths: &Paths) -> Result<()> {
    for set in Set::ALL {
        if env::var_os(running::variable(set)).is_none() {
            maven::fetch(paths, set).with_context(|| {
                format!(
                    "{} could not be fetched; {} may name one that runs",
                    set.title(),
                    running::variable(set)
                )
            })?;
        }
    }
    Ok(())
}

/// `wasm-opt`, or the reason why there is none; the dashboard works without it and is larger, so nothing is
/// installed on the machine for it.
pub fn wasm_opt(paths: &Paths) -> Result<PathBuf> {
    let file = npm::packages(paths, "build")?.join("node_modules/binaryen/bin/wasm-opt");
    expect_version(&file, BINARYEN, "remove its directory, then try again")?;
    Ok(file)
}

/// cargo-deny, built once into the tool cache.
pub fn cargo_deny(paths: &Paths) -> Result<PathBuf> {
    let file = paths.tools().join("bin/cargo-deny");
    if expect_version(&file, CARGO_DENY, "").is_ok() {
        return Ok(file);
    }
    // Built without optimisation: it runs once a lint, and building it optimised takes minutes on two cores.
    let words = format!("install --locked --debug --force cargo-deny --version {CARGO_DENY}");
    let mut install = process::cargo(paths, &words);
    let scratch = paths.scratch_target("cargo-deny-build");
    install
        .env("CARGO_TARGET_DIR", &scratch)
        .arg("--root")
        .arg(paths.tools());
    // The repository's own configuration has no say in how a tool is built.
    fs::create_dir_all(paths.tools()).context("cannot make the tool cache")?;
    install.current_dir(paths.tools());
    process::run(&mut install).context("cargo-deny could not be built")?;
    fs::remove_dir_all(&scratch).ok();
    expect_version(&file, CARGO_DENY, "remove it, then try again")?;
    Ok(file)
}

/// Where Chromium is.
fn chromium() -> Result<PathBuf> {
    if let Some(file) = given("VAULTSTREAM_CHROMIUM")? {
        return Ok(file);
    }
    process::find_program(&CHROMIUM_NAMES)
        .context("no chromium on the PATH; name one in VAULTSTREAM_CHROMIUM")
}

fn given(variable: &str) -> Result<Option<PathBuf>> {
    match env::var_os(variable).map(PathBuf::from) {
        Some(file) if file.is_file() => Ok(Some(file)),
        Some(file) => bail!("{variable} names {}, which is not a file", file.display()),
        None => Ok(None),
    }
}

/// Runs `--version` and looks for the wanted one in the first line.
fn expect_version(file: &Path, wanted: &str, remedy: &str) -> Result<()> {
    let mut command = Command::new(file);
    let output = process::capture(command.arg("--version")).with_context(|| remedy.to_owned())?;
    let first = String::from_utf8_lossy(&output)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    if first.contains(wanted) {
        return Ok(());
    }
    bail!("{} says `{first}`, wanted {wanted}: {remedy}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_should_be_checked() {
        let dir = tempfile::tempdir().expect("temp dir");
        let file = dir.path().join("tool");
        fs::write(&file, "#!/bin/sh\necho tool 1.2.3\n").expect("writes");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&file, mode).expect("may run");
        assert!(expect_version(&file, "1.2.3", "").is_ok());
        let error = expect_version(&file, "1.2.4", "fetch it again").expect_err("another version");
        assert!(error.to_string().contains("fetch it again"), "{error}");
        assert!(expect_version(&dir.path().join("absent"), "1", "").is_err());
    }

    #[test]
    fn verb_should_refuse_a_command_without_dashes() {
        let paths = Paths::find().expect("a checkout");
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for wrong in ["run true", "run --", "fetch"] {
            let error = run(&paths, &words(wrong)).expect_err("must be refused");
            assert!(error.to_string().contains("run -- COMMAND"), "{error}");
        }
    }
}
