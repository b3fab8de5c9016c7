//! Child processes: cargo and the tools, always waited for, always with the command line shown.
//!
//! `cargo run` leaves `CARGO_PKG_*` and friends in our environment; handed to a nested cargo they make build
//! scripts that watch them run again, so they are removed here.

use crate::paths::Paths;
use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How far the child may run ahead of us.
const LINES_IN_FLIGHT: usize = 1024;

const LEFT_BY_CARGO_RUN: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
];

/// A command that starts in the checkout without what `cargo run` left in the environment.
pub fn command(paths: &Paths, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&paths.root);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if LEFT_BY_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name.as_ref());
        }
    }
    command
}

/// Cargo with these words, building into the shared target directory.
pub fn cargo(paths: &Paths, words: &str) -> Command {
    let mut command = command(paths, "cargo");
    command
        .args(words.split_whitespace())
        .env("CARGO_TARGET_DIR", &paths.target);
    command
}

/// Runs to the end, with the output going where ours goes; a non-zero exit is an error.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{} ended with {status}", shown(command))
    }
}

/// Runs to the end and returns what it printed on standard output; a non-zero exit is an error that carries
/// what it printed on standard error.
pub fn capture(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!("{} ended with {}: {}", shown(command), output.status, said.trim())
}

/// Runs to the end, hands over each line of both outputs in the order they were written, and prints it.
///
/// A process that the child leaves behind keeps the pipe open; it is not waited for, or one leaked engine would
/// hold up the whole run.
pub fn stream(command: Command, each: impl FnMut(&str)) -> Result<ExitStatus> {
    stream_patiently(command, Duration::from_secs(2), each)
}

fn stream_patiently(
    mut command: Command,
    patience: Duration,
    mut each: impl FnMut(&str),
) -> Result<ExitStatus> {
    let shown = shown(&command);
    println!("$ {shown}");
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command
        .stdout(writer.try_clone().context("cannot share the pipe")?)
        .stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    // The command holds our copies of the writing end; as long as it lives the reader never ends.
    drop(command);
    let (sender, lines) = sync_channel(LINES_IN_FLIGHT);
    std::thread::spawn(move || {
        let read = BufReader::new(reader).split(b'\n').map_while(Result::ok);
        // The receiver goes away only when it has stopped listening: then so do we.
        let _ = read
            .map(|line| sender.send(line))
            .take_while(Result::is_ok)
            .count();
    });
    let mut ended = None;
    loop {
        match lines.recv_timeout(patience) {
            Ok(line) => {
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                each(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if ended.is_some() => {
                println!("note: something that {shown} started is still running");
                break;
            }
            Err(RecvTimeoutError::Timeout) => ended = child.try_wait().context("cannot ask for the child")?,
        }
    }
    ended.map_or_else(|| child.wait().context("cannot wait for the child"), Ok)
}

/// The command line as a person would type it, with directories of the machine left out.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The first of these programs that `PATH` has.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let dirs: Vec<PathBuf> = env::split_paths(&path).collect();
    names
        .iter()
        .find_map(|name| dirs.iter().map(|dir| dir.join(name)).find(|file| file.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn stream_should_keep_the_order_of_both_outputs() {
        let mut lines = Vec::new();
        let status = stream(shell("echo a; echo b >&2; echo c; exit 3"), |line| {
            lines.push(line.to_owned());
        });
        assert_eq!(status.expect("sh starts").code(), Some(3));
        assert_eq!(lines, ["a", "b", "c"]);
    }

    #[test]
    fn stream_should_not_wait_for_what_the_child_leaves_behind() {
        let begun = Instant::now();
        let mut lines = Vec::new();
        let patience = Duration::from_millis(50);
        let leak = shell("sleep 5 & echo a; exit 4");
        let status = stream_patiently(leak, patience, |line| lines.push(line.to_owned()));
        assert_eq!(status.expect("sh starts").code(), Some(4));
        assert_eq!(lines, ["a"]);
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "it waited for the one left behind"
        );
    }

    #[test]
    fn run_should_fail_on_a_non_zero_exit() {
        assert!(run(&mut shell("exit 0")).is_ok());
        let error = run(&mut shell("exit 7")).expect_err("must fail");
        assert!(error.to_string().contains('7'), "{error}");
    }

    #[test]
    fn capture_should_carry_standard_error() {
        assert_eq!(
            capture(&mut shell("printf x; echo y >&2")).expect("ends well"),
            b"x"
        );
        let error = capture(&mut shell("echo because >&2; exit 1")).expect_err("must fail");
        assert!(error.to_string().contains("because"), "{error}");
    }

    #[test]
    fn find_program_should_take_the_first_that_exists() {
        assert!(find_program(&["no-such-program-here", "sh"]).is_some_and(|file| file.ends_with("sh")));
        assert_eq!(find_program(&["no-such-program-here"]), None);
    }
}
