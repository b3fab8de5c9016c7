//! A temporary directory for one engine, removed with it, and what is run in it before the engine starts.

use crate::leash::Leash;
use crate::port::{self, Port};
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The leash is dropped before the directory: a shell that still watches would remove it too.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) leash: Leash,
    ports: Vec<Port>,
    dir: TempDir,
    name: &'static str,
}

impl Data {
    pub(crate) fn new(name: &'static str, end_signal: &str) -> Result<Self> {
        let prefix = format!("vaultstream-{}-", name.to_lowercase());
        let dir = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir()
            .with_context(|| format!("no temporary directory for {name}"))?;
        let leash = Leash::on(dir.path(), end_signal)?;
        let ports = Vec::new();
        Ok(Self {
            leash,
            ports,
            dir,
            name,
        })
    }

    /// A free address that stays this engine's, also while it is stopped.
    pub(crate) fn port(&mut self) -> Result<SocketAddr> {
        let port = port::free()?;
        let address = port.address;
        self.ports.push(port);
        Ok(address)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("engine.log")
    }

    /// Whether what we make belongs to root, that is: whether we are root.
    pub(crate) fn is_roots(&self) -> Result<bool> {
        let about = fs::metadata(self.path()).context("cannot look at the temporary directory")?;
        Ok(about.uid() == 0)
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> Result<PathBuf> {
        let path = self.path().join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Starts here, reads nothing, writes into the log.
    pub(crate) fn furnish(&self, command: &mut Command) -> Result<()> {
        let log = self.open_log()?;
        let both = log.try_clone().context("cannot share the log")?;
        command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(both);
        Ok(())
    }

    /// Runs a step of the preparation to its end.
    pub(crate) fn prepare(&self, step: &str, command: &mut Command) -> Result<()> {
        self.furnish(command)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let status = command
            .status()
            .with_context(|| format!("{}: cannot start {program}", self.name))?;
        if status.success() {
            return Ok(());
        }
        bail!(
            "{}: {step} ended with {status}; the end of its log:\n{}",
            self.name,
            process::tail(&self.log())
        )
    }

    fn open_log(&self) -> Result<File> {
        let log = self.log();
        let mut open = OpenOptions::new();
        open.create(true).append(true);
        open.open(&log)
            .with_context(|| format!("cannot write {}", log.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_step_should_show_what_it_said() {
        let data = Data::new("Engine", "TERM").expect("made");
        let mut step = Command::new("sh");
        step.args(["-c", "echo because; exit 3"]);
        let error = data.prepare("the first step", &mut step).expect_err("it failed");
        let error = format!("{error:#}");
        assert!(
            error.contains("the first step") && error.contains("because"),
            "{error}"
        );
        let absent = data.prepare("x", &mut Command::new("no-such-program-here"));
        assert!(absent.is_err());
    }

    #[test]
    fn directory_should_go_with_its_value() {
        let data = Data::new("Engine", "TERM").expect("made");
        let path = data.path().to_path_buf();
        assert!(data.write("file", "text").expect("writes").is_file());
        drop(data);
        assert!(!path.exists());
    }
}
