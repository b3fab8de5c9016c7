//! A process of the product that can be hurt: killed as by a power cut, frozen and thawed.

use std::io::{BufRead, BufReader};
use std::process::{Child as Spawned, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Lines of a program that may wait to be read.
const MAX_LINES: usize = 4_096;

/// A process that ends with its owner, however that ends.
pub struct Child {
    spawned: Spawned,
    lines: Receiver<String>,
    name: String,
}

impl Child {
    /// Starts a program whose standard output is read line by line; `name` is for errors.
    pub fn start(mut command: Command, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let mut spawned = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let output = spawned.stdout.take().context("standard output is piped")?;
        let (sender, lines) = sync_channel(MAX_LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A chatty program goes on; only what nobody reads in time is dropped.
                if let Err(TrySendError::Disconnected(_)) = sender.try_send(line) {
                    return;
                }
            }
        });
        Ok(Self { spawned, lines, name })
    }

    /// What follows `prefix` on the next line of standard output that begins so. Blocks.
    pub fn line(&self, prefix: &str, patience: Duration) -> Result<String> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(prefix) {
                        return Ok(rest.to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not say {prefix:?} within {patience:?}", self.name)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it said {prefix:?}", self.name)
                }
            }
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.spawned.id()
    }

    /// How it has ended, when it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.spawned
            .try_wait()
            .with_context(|| format!("cannot ask for {}", self.name))
    }

    /// SIGKILL: no destructor runs, nothing is flushed.
    pub fn kill(&mut self) {
        // A process that has ended already is as dead as it should be.
        let _ = self.spawned.kill();
        let _ = self.spawned.wait();
    }

    /// SIGSTOP: connections stay open and nobody answers.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// SIGTERM; waits until it has ended. Blocks.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.spawned
            .wait()
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    fn signal(&self, name: &str) -> Result<()> {
        signal(self.id(), name)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process by the `kill` program: the system call is one that Rust calls unsafe.
pub(crate) fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .context("kill cannot be started")?;
    ensure!(sent.success(), "SIG{name} could not be sent to process {pid}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::start(command, "sh").expect("starts")
    }

    #[test]
    fn line_should_be_found_by_its_beginning_and_an_end_be_told() {
        let child = shell("echo one; echo ready at 7");
        let patience = Duration::from_secs(10);
        assert_eq!(child.line("ready at ", patience).expect("said"), "7");
        let error = child.line("more", patience).expect_err("it has ended");
        assert!(error.to_string().contains("ended"), "{error}");
    }

    #[test]
    fn frozen_process_should_say_nothing_until_it_is_thawed() {
        let child = shell("sleep 0.2; echo late; sleep 60");
        child.freeze().expect("sent");
        assert!(child.line("late", Duration::from_millis(600)).is_err());
        child.thaw().expect("sent");
        child.line("late", Duration::from_secs(10)).expect("said");
    }

    #[test]
    fn killed_process_should_have_ended() {
        let mut child = shell("sleep 60");
        assert!(child.ended().expect("asked").is_none());
        child.kill();
        assert!(child.ended().expect("asked").is_some());
        assert!(signal(child.id(), "CONT").is_err(), "nobody is there");
    }
}
