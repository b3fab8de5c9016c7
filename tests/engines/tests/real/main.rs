//! Each engine for real: it starts, keeps what it was told through a stop and a kill, freezes and goes on, says why
//! it does not come up, and leaves nothing behind.

mod cassandra;
mod ends;
mod kafka;
mod postgres;
mod redis;
mod secured;
mod speak;

use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use vaultstream_engines::Server;

/// Who is frozen accepts the connection and never answers; shorter than the clients' patience in `speak`.
const NO_ANSWER: Duration = Duration::from_millis(700);

/// The faults every engine must bear. `write` says something to be kept, `read` whether it is there.
fn bears_faults(
    server: &Server,
    write: impl Fn(&str) -> Result<()>,
    read: impl Fn(&str) -> Result<bool>,
) -> Result<()> {
    write("one")?;
    server.kill()?;
    ensure!(read("one").is_err(), "it answers after SIGKILL");
    ensure!(
        server.pause().is_err() && server.resume().is_err(),
        "nothing runs"
    );
    server.restart()?;
    ensure!(read("one")?, "a kill lost what was written");

    server.pause()?;
    let begun = Instant::now();
    ensure!(read("one").is_err(), "it answers while it is frozen");
    ensure!(
        begun.elapsed() >= NO_ANSWER,
        "frozen is not refused: the caller must wait"
    );
    server.resume()?;
    ensure!(read("one")?, "it does not go on");

    write("two")?;
    server.restart()?;
    ensure!(read("one")? && read("two")?, "a restart lost what was written");

    server.stop()?;
    server.stop()?;
    ensure!(read("one").is_err(), "it answers after it was stopped");
    Ok(())
}

/// That the error tells what is wrong: the engine's name and the word in its log.
fn says<T>(outcome: Result<T>, engine: &str, word: &str) -> Result<()> {
    let Err(error) = outcome else {
        anyhow::bail!("{engine} must not come up with a wrong setting");
    };
    let error = format!("{error:#}");
    ensure!(error.contains(engine) && error.contains(word), "{error}");
    Ok(())
}
