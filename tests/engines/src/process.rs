//! Signals by the `kill` program, families of processes from `/proc`, and waiting with an end.
//!
//! A signal needs a system call that Rust calls unsafe, so a shell sends it. PostgreSQL gives every backend a
//! process group of its own: whoever wants to stop all of it must look for its children.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BETWEEN_LOOKS: Duration = Duration::from_millis(25);
/// What of a log is shown in an error.
const TAIL_LINES: usize = 25;

/// Sends a signal to each of these; one that has ended meanwhile is no error.
pub(crate) fn signal(name: &str, pids: &[u32]) -> Result<()> {
    let mut kill = Command::new("sh");
    kill.args([
        "-c",
        r#"for pid in "$@"; do kill -s "$0" "$pid"; done; true"#,
        name,
    ]);
    kill.args(pids.iter().map(u32::to_string));
    let status = kill.stderr(Stdio::null()).status().context("cannot start sh")?;
    if !status.success() {
        bail!("SIG{name} could not be sent: {status}");
    }
    Ok(())
}

/// The process and everything below it, parents before children.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|child| Some((child, stat(child)?.1)))
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(child, _)| child));
    }
    found
}

/// Whether it runs; one that has ended and was not waited for does not.
pub(crate) fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// State and parent. The name before them is in parentheses and may hold anything.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    let state = words.next()?.chars().next()?;
    Some((state, words.next()?.parse().ok()?))
}

/// Looks again and again until it is so, or says that the time is over.
pub(crate) fn until(patience: Duration, mut so: impl FnMut() -> Result<bool>) -> Result<bool> {
    let begun = Instant::now();
    loop {
        if so()? {
            return Ok(true);
        }
        if begun.elapsed() >= patience {
            return Ok(false);
        }
        rest();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this crate blocks by contract, and another process gives no event to wait for"
)]
fn rest() {
    std::thread::sleep(BETWEEN_LOOKS);
}

/// The end of a log, for an error.
pub(crate) fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    if lines.is_empty() {
        return "(it wrote nothing)".to_owned();
    }
    lines[from..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_should_find_grandchildren() {
        let mut shell = Command::new("sh")
            .args(["-c", "sh -c 'sleep 60; true'; true"])
            .spawn()
            .expect("starts");
        let whole = || Ok(family(shell.id()).len() == 3);
        assert!(until(Duration::from_secs(5), whole).expect("can look"));
        let pids = family(shell.id());
        signal("KILL", &pids).expect("sent");
        assert!(!shell.wait().expect("waited for").success());
        let gone = || Ok(!pids.iter().any(|pid| alive(*pid)));
        assert!(until(Duration::from_secs(5), gone).expect("can look"));
    }

    #[test]
    fn unknown_signal_and_ended_process_should_not_be_confused() {
        let mut child = Command::new("true").spawn().expect("starts");
        child.wait().expect("waited for");
        assert!(!alive(child.id()));
        assert!(signal("TERM", &[child.id()]).is_ok(), "it ended: nothing to do");
    }

    #[test]
    fn until_should_end_by_itself() {
        let mut looks = 0;
        let never = until(Duration::from_millis(60), || {
            looks += 1;
            Ok(false)
        });
        assert!(!never.expect("no error"));
        assert!(looks > 1);
        assert!(until(Duration::ZERO, || bail!("broken")).is_err());
    }

    #[test]
    fn tail_should_show_the_last_lines_only() {
        let dir = tempfile::tempdir().expect("temp dir");
        let log = dir.path().join("log");
        assert_eq!(tail(&log), "(it wrote nothing)");
        let lines: Vec<String> = (1..=100).map(|line| line.to_string()).collect();
        fs::write(&log, lines.join("\n")).expect("writes");
        assert_eq!(tail(&log).lines().count(), TAIL_LINES);
        assert!(tail(&log).ends_with("99\n100"));
    }
}
