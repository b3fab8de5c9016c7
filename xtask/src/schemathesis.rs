//! schemathesis over the OpenAPI: whatever the description allows, and what it does not, is asked of the real binary.
//!
//! No answer is a 5xx, each has the form that the description gives it, and each refusal is a problem with a remedy
//! (`xtask/python/hooks.py`). Most requests name what exists (`values.py`), and every operation has to be carried out at
//! least once ([`reach`]). It comes from PyPI into a virtual environment beside the engines, pinned by
//! `xtask/python/requirements.txt`. The process it asks is its own, in a directory that is thrown away, on the loopback.

mod reach;

use crate::engines::install;
use crate::paths::Paths;
use crate::process;
use crate::web::digest;
use anyhow::{Context, Result, ensure};
use reach::Reach;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where the description of the API is kept.
const OPENAPI: &str = "command-api/openapi.json";
/// What is checked of every answer; `positive_data_acceptance` is not among it, because most ids that the description
/// allows name nothing.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,ignored_auth,unsupported_method,refusal_is_a_problem";
/// No stranger's purse: tries without a credential are counted by address, and this is one address.
const CONFIG: &str = "[gateway.quotas.per_address]\nper_second = 1000000\nburst = 10000000\n";
/// Keys that are asked as: a tenant's and the platform's, each for half of the time.
const KEYS: [&str; 2] = ["demo.key", "platform.key"];

/// Asks the product, whose binary this is, for `seconds`; an answer that is wrong is an error, and so is an operation that
/// refused everything.
pub fn run(paths: &Paths, binary: &Path, seconds: u64) -> Result<()> {
    let tool = tool(paths)?;
    let dir = tempfile::tempdir().context("cannot make a directory for the product")?;
    let product = Product::start(binary, dir.path())?;
    let openapi = fs::read_to_string(paths.root.join(OPENAPI)).context("the description is committed")?;
    let mut reach = Reach::of(&openapi)?;
    let mut failed = Vec::new();
    for name in KEYS {
        let answers = dir.path().join(format!("answers-{name}.json"));
        let key = fs::read_to_string(dir.path().join("data").join(name))
            .with_context(|| format!("the demo wrote no {name}"))?;
        let mut asks = asks(paths, &tool, &product.base, (seconds / 2).max(1));
        asks.env("VAULTSTREAM_KEY", key.trim_end())
            .env("VAULTSTREAM_ANSWERS", &answers)
            .current_dir(dir.path());
        if let Err(error) = process::run(&mut asks) {
            failed.push(format!("as {name}: {error:#}"));
        }
        let answers = fs::read_to_string(&answers).context("the hooks wrote no answers down");
        if let Err(error) = answers.and_then(|written| reach.add(&written)) {
            failed.push(format!("as {name}: {error:#}"));
        }
    }
    println!("\n{reach}");
    if let Err(error) = reach.is_deep() {
        failed.push(format!("{error:#}"));
    }
    ensure!(
        failed.is_empty(),
        "{}; what was wrong is above",
        failed.join("; ")
    );
    Ok(())
}

fn asks(paths: &Paths, tool: &Path, base: &str, seconds: u64) -> Command {
    let python = paths.root.join("xtask/python");
    // The interpreter by name: the programs in a virtual environment know only where they were installed.
    let mut command = Command::new(tool.join("bin/python"));
    command
        .arg(tool.join("bin/schemathesis"))
        .arg("--config-file")
        .arg(python.join("schemathesis.toml"))
        .arg("run")
        .arg(paths.root.join(OPENAPI))
        .args(["--url", base, "--checks", CHECKS])
        .args(["--max-time", &seconds.to_string(), "--no-color"])
        .env("VAULTSTREAM_URL", base)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", &python)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The virtual environment, one a lock file.
fn tool(paths: &Paths) -> Result<PathBuf> {
    let lock = paths.root.join("xtask/python/requirements.txt");
    let text = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let place = paths.engines().join(format!("schemathesis-{}", digest(&text)));
    install::once(&place, |dir| {
        let mut venv = process::command(paths, "python3");
        process::run(venv.args(["-m", "venv"]).arg(dir))
            .context("python3 with its module venv is needed: apt-get install python3-venv")?;
        let mut pip = process::command(paths, dir.join("bin/python"));
        let pip = pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
        ]);
        process::run(pip.arg(&lock))
    })?;
    Ok(place)
}

/// The product, running until this is dropped.
struct Product {
    child: Child,
    base: String,
}

impl Product {
    fn start(binary: &Path, dir: &Path) -> Result<Self> {
        let config = dir.join("vaultstream.toml");
        fs::write(&config, CONFIG).context("cannot write a configuration")?;
        let mut serve = Command::new(binary);
        serve
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--config")
            .arg(&config)
            .env("VAULTSTREAM_WEB_DIR", "")
            .stderr(fs::File::create(dir.join("log")).context("cannot make a log file")?)
            .stdout(Stdio::piped());
        let mut child = serve
            .spawn()
            .context("cannot start the product; build it first")?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut product = Self {
            child,
            base: String::new(),
        };
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read what the product says")?;
            if let Some(base) = line.strip_prefix("Vaultstream is ready at ") {
                product.base = base.to_owned();
            }
            // Behind this line the demo is there, with its keys.
            if line.starts_with("One-time sign-in link: ") {
                return Ok(product);
            }
        }
        anyhow::bail!(
            "the product ended before it was ready; its log is in {}",
            dir.display()
        )
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        // A process that has ended already is as dead as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_file_should_pin_every_package() {
        let paths = Paths::find().expect("a checkout");
        let lock = fs::read_to_string(paths.root.join("xtask/python/requirements.txt")).expect("committed");
        assert!(lock.lines().any(|line| line.starts_with("schemathesis==")));
        assert!(lock.lines().all(|line| line.contains("==")), "{lock}");
    }

    #[test]
    fn real_values_should_fit_the_description() {
        let paths = Paths::find().expect("a checkout");
        let mut tests = process::command(&paths, "python3");
        tests
            .args(["-m", "unittest", "discover", "-s", "xtask/python"])
            .env("PYTHONDONTWRITEBYTECODE", "1");
        process::capture(&mut tests).expect("they pass; python3 is needed");
    }

    #[test]
    fn key_should_not_stand_on_the_command_line() {
        let paths = Paths::find().expect("a checkout");
        let command = asks(&paths, Path::new("/tool"), "http://127.0.0.1:1", 9);
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        assert!(words.iter().all(|word| !word.contains("Bearer")), "{words:?}");
        assert!(
            words.windows(2).any(|two| two == ["--max-time", "9"]),
            "{words:?}"
        );
    }
}
