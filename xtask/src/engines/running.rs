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
