//! Fetches what tests and the dashboard build take from outside: npm packages, Chromium, cargo-deny.
//!
//! Versions are pinned by the lock files under `xtask/npm/` and by the constants here. Each set is installed
//! into a directory named after its lock file's digest, beside the final place, and moved there when complete:
//! a broken download is never mistaken for an engine, and a changed lock never finds the old one. A path given
//! in the environment (`VAULTSTREAM_ANVIL_BIN`, `VAULTSTREAM_CHROMIUM`) wins over what would be fetched.

use crate::paths::Paths;
use crate::process;
use crate::web::digest;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The cargo-deny that `deny.toml` is written for.
pub const CARGO_DENY: &str = "0.20.2";
const ANVIL: &str = "1.7.1";
const BINARYEN: &str = "132";
const CHROMIUM_NAMES: [&str; 4] = [
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
}

/// Fetches everything the tests need and starts each once to see that it answers.
pub fn ensure(paths: &Paths) -> Result<Engines> {
    if process::find_program(&["npm"]).is_none() {
        crate::doctor::apt_install(&["nodejs", "npm"])?;
    }
    let browser_dir = npm_packages(paths, "test")?;
    let anvil = given("VAULTSTREAM_ANVIL_BIN")?.unwrap_or_else(|| anvil_in(&browser_dir));
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
    })
}

/// `wasm-opt`, or the reason why there is none; the dashboard works without it and is larger, so nothing is
/// installed on the machine for it.
pub fn wasm_opt(paths: &Paths) -> Result<PathBuf> {
    let file = npm_packages(paths, "build")?.join("node_modules/binaryen/bin/wasm-opt");
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

/// Where Chromium is; as root on Debian it is installed when absent.
pub fn chromium() -> Result<PathBuf> {
    if let Some(file) = given("VAULTSTREAM_CHROMIUM")? {
        return Ok(file);
    }
    if let Some(file) = process::find_program(&CHROMIUM_NAMES) {
        return Ok(file);
    }
    crate::doctor::apt_install(&["chromium"])?;
    process::find_program(&CHROMIUM_NAMES).context("chromium was installed, but PATH does not have it")
}

/// The directory with the `node_modules` of `xtask/npm/<set>`.
fn npm_packages(paths: &Paths, set: &str) -> Result<PathBuf> {
    let source = paths.root.join("xtask/npm").join(set);
    install_once(&source, &paths.engines(), set, |dir| {
        let mut npm = process::command(paths, "npm");
        npm.current_dir(dir).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]);
        process::run(&mut npm)
    })
}

/// Copies manifest and lock into a fresh directory, lets `install` fill it, and moves it to
/// `<engines>/<set>-<digest of the lock>`; a second call finds it there and does nothing.
fn install_once(
    source: &Path,
    engines: &Path,
    set: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let lock = source.join("package-lock.json");
    let text = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let place = engines.join(format!("{set}-{}", digest(&text)));
    if place.is_dir() {
        return Ok(place);
    }
    fs::create_dir_all(engines).with_context(|| format!("cannot make {}", engines.display()))?;
    let staging = tempfile::Builder::new()
        .prefix(".")
        .tempdir_in(engines)
        .context("cannot stage an install")?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), staging.path().join(name))
            .with_context(|| format!("cannot copy {name}"))?;
    }
    install(staging.path())?;
    match fs::rename(staging.path(), &place) {
        Ok(()) => drop(staging.keep()),
        // Another run finished first: its copy is as good as ours.
        Err(_) if place.is_dir() => {}
        Err(error) => return Err(error).with_context(|| format!("cannot move into {}", place.display())),
    }
    Ok(place)
}

/// The binary itself, not npm's launcher: a test must be able to end the process that it started.
fn anvil_in(dir: &Path) -> PathBuf {
    dir.join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
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
    let mut command = std::process::Command::new(file);
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
    use std::cell::Cell;
    use tempfile::TempDir;

    fn source(lock: &str) -> TempDir {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::write(dir.path().join("package.json"), "{}").expect("writes");
        fs::write(dir.path().join("package-lock.json"), lock).expect("writes");
        dir
    }

    fn entries(dir: &Path) -> usize {
        fs::read_dir(dir).map_or(0, Iterator::count)
    }

    #[test]
    fn install_once_should_run_once_per_lock() {
        let engines = tempfile::tempdir().expect("temp dir");
        let runs = Cell::new(0);
        let install = |dir: &Path| -> Result<()> {
            runs.set(runs.get() + 1);
            assert!(dir.join("package.json").is_file());
            fs::create_dir(dir.join("node_modules")).map_err(Into::into)
        };
        let one = source("one");
        let first = install_once(one.path(), engines.path(), "test", install).expect("installs");
        let again = install_once(one.path(), engines.path(), "test", install).expect("finds");
        assert_eq!((runs.get(), &first), (1, &again));
        assert!(first.join("node_modules").is_dir());

        let two = source("two");
        let other = install_once(two.path(), engines.path(), "test", install).expect("installs");
        assert_eq!(runs.get(), 2);
        assert_ne!(first, other, "a changed lock must not find the old packages");
        assert_eq!(entries(engines.path()), 2, "no staging directory may stay");
    }

    #[test]
    fn broken_install_should_leave_nothing_behind() {
        let engines = tempfile::tempdir().expect("temp dir");
        let lock = source("lock");
        let failed = install_once(lock.path(), engines.path(), "test", |dir| {
            fs::write(dir.join("half"), "half")?;
            bail!("connection lost")
        });
        assert!(failed.is_err());
        assert_eq!(entries(engines.path()), 0);
        let retried = install_once(lock.path(), engines.path(), "test", |_| Ok(())).expect("installs");
        assert!(!retried.join("half").exists());
    }

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
}
