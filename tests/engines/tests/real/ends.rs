//! Nothing stays behind: not when a value is dropped, not when the whole process is killed.

use crate::speak::{redis, sql};
use anyhow::{Context, Result, bail, ensure};
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vaultstream_engines::{Postgres, Redis};

const DIES: &str = "VAULTSTREAM_ENGINES_TEST_DIES";
const MARK: &str = "engines are at";
const PATIENCE: Duration = Duration::from_secs(15);

/// Started a second time by the test below, with a variable that makes it die with its engines running.
#[test]
fn dropped_engines_should_be_gone() -> Result<()> {
    let (postgres, cache) = (Postgres::start()?, Redis::start()?);
    let (postgres_url, cache_url) = (postgres.url(), cache.url());
    sql(&postgres_url, "SELECT 1")?;
    if env::var_os(DIES).is_some() {
        // Loaded, so that PostgreSQL has children of its own to take along.
        println!("\n{MARK} {postgres_url} {cache_url}");
        std::process::abort();
    }
    let files = files(&postgres_url)?;
    ensure!(fs_exists(&files), "the data is where PostgreSQL says");
    drop((postgres, cache));
    ensure!(sql(&postgres_url, "SELECT 1").is_err());
    ensure!(redis(&cache_url, "PING").is_err());
    ensure!(!fs_exists(&files), "{files} is still there");
    Ok(())
}

#[test]
fn killed_process_should_leave_no_engine() -> Result<()> {
    let mut child = Command::new(env::current_exe()?)
        .args(["--exact", "ends::dropped_engines_should_be_gone", "--nocapture"])
        .env(DIES, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = BufReader::new(child.stdout.take().context("a pipe was asked for")?);
    let lines = output.lines().map_while(Result::ok);
    let said: Vec<String> = lines.filter(|line| line.starts_with(MARK)).collect();
    ensure!(!child.wait()?.success(), "it was to die");
    let words: Vec<&str> = said.first().context("it did not start")?.split(' ').collect();
    let [.., postgres, cache] = words.as_slice() else {
        bail!("{said:?}");
    };
    let begun = Instant::now();
    while sql(postgres, "SELECT 1").is_ok() || redis(cache, "PING").is_ok() {
        ensure!(
            begun.elapsed() < PATIENCE,
            "an engine outlived its test: {said:?}"
        );
    }
    Ok(())
}

fn files(url: &str) -> Result<String> {
    let found = sql(url, "SHOW data_directory")?;
    found
        .into_iter()
        .next()
        .context("PostgreSQL names its data directory")
}

fn fs_exists(dir: &str) -> bool {
    std::path::Path::new(dir).exists()
}
