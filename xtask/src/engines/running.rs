//! One of each engine, started side by side, for a command that finds them in its environment.
//!
//! What the environment names already is handed on, not started. The engines end with their value, so after the
//! command; and should this process be killed, they end by themselves.

use crate::paths::Paths;
use anyhow::{Context, Result};
use std::env;
use std::process::{Command, ExitCode};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;
use vaultstream_engines::{Cassandra, Kafka, Postgres, Redis, Set, variable as variables};

/// By which variable a running one is named.
pub fn variable(set: Set) -> &'static str {
    match set {
        Set::Postgres => variables::POSTGRES,
        Set::Kafka => variables::KAFKA,
        Set::Cassandra => variables::CQL,
    }
}

/// The engines we started and the addresses of all.
pub struct Running {
    addresses: Vec<(&'static str, String)>,
    /// Kept only to be dropped.
    _engines: Vec<Box<dyn Send>>,
}

type Started = (&'static str, String, Option<Box<dyn Send>>);

impl Running {
    /// Starts what is not named in the environment, all at once: Kafka and Cassandra take seconds each.
    pub fn start() -> Result<Self> {
        let begun = Instant::now();
        let started: Result<Vec<Started>> = thread::scope(|scope| {
            let threads = [
                scope.spawn(|| one(variables::POSTGRES, Postgres::start, Postgres::url)),
                scope.spawn(|| one(variables::KAFKA, Kafka::start, Kafka::bootstrap)),
                scope.spawn(|| one(variables::CQL, Cassandra::start, Cassandra::contact_point)),
                scope.spawn(|| one(variables::REDIS, Redis::start, Redis::url)),
            ];
            // All are waited for before the first error is told: the others' engines must end, too.
            let ended: Vec<Result<Started>> = threads.into_iter().map(joined).collect();
            ended.into_iter().collect()
        });
        let mut running = Self {
            addresses: Vec::new(),
            _engines: Vec::new(),
        };
        for (name, address, engine) in started? {
            println!("{name}={address}");
            running.addresses.push((name, address));
            running._engines.extend(engine);
        }
        println!("engines answer after {:.1} s", begun.elapsed().as_secs_f64());
        Ok(running)
    }

    /// Tells a command where they are.
    pub fn equip(&self, command: &mut Command) {
        command.envs(self.addresses.iter().map(|(name, address)| (name, address)));
    }
}

/// Runs the command while they run; its exit is ours.
pub fn beside(paths: &Paths, mut command: Command) -> Result<ExitCode> {
    let running = Running::start()?;
    running.equip(&mut command);
    command.env("VAULTSTREAM_ENGINES", paths.engines());
    let shown = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot start {shown}"))?;
    // A command that a signal ended has no code of its own.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    if code.is_none() {
        println!("{shown} ended with {status}");
    }
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn one<E: Send + 'static>(
    variable: &'static str,
    start: impl FnOnce() -> Result<E>,
    address: impl FnOnce(&E) -> String,
) -> Result<Started> {
    if let Some(given) = env::var_os(variable) {
        let given = given.into_string().ok();
        let given = given.with_context(|| format!("{variable} is not text"))?;
        return Ok((variable, given, None));
    }
    let engine = start()?;
    Ok((variable, address(&engine), Some(Box::new(engine))))
}

fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|_| anyhow::bail!("the thread that started an engine panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY_SETS: &str = "VAULTSTREAM_XTASK_TEST_ENGINE";

    #[test]
    fn started_engine_should_be_kept_and_failed_one_be_told() {
        let (name, address, kept) =
            one(NOBODY_SETS, || Ok(7_u8), |port| format!("host:{port}")).expect("starts");
        assert_eq!((name, address.as_str()), (NOBODY_SETS, "host:7"));
        assert!(kept.is_some(), "it would end at once");
        let failed = one(NOBODY_SETS, || anyhow::bail!("no port"), |(): &()| String::new());
        assert!(failed.is_err_and(|error| error.to_string().contains("no port")));
    }

    #[test]
    fn engine_of_the_environment_should_not_be_started() {
        // Cargo sets this one for every test.
        let given = one(
            "CARGO_PKG_NAME",
            || anyhow::bail!("started"),
            |(): &()| String::new(),
        );
        let (_, address, kept) = given.expect("it was given");
        assert_eq!(address, "xtask");
        assert!(kept.is_none(), "another's engine is not ours to end");
    }

    #[test]
    fn command_should_be_told_every_address() {
        let running = Running {
            addresses: vec![("A", "one".to_owned()), ("B", "two".to_owned())],
            _engines: Vec::new(),
        };
        let mut command = Command::new("sh");
        running.equip(&mut command);
        let output = crate::process::capture(command.args(["-c", "echo $A $B"])).expect("runs");
        assert_eq!(output.trim_ascii(), b"one two");
    }
}
