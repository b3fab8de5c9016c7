//! A process of the product: its binary, what it says, and what it takes of the machine.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// A process of the product that ends with its owner.
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already is as dead as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program the environment names; `cargo xtask bench` sets these.
pub fn program(variable: &str) -> Result<PathBuf> {
    let path =
        std::env::var(variable).with_context(|| format!("{variable} is not set; run `cargo xtask bench`"))?;
    Ok(PathBuf::from(path))
}

impl Process {
    /// Starts it; what it says on standard error goes to a file.
    pub fn start(mut command: Command, said: PathBuf) -> Result<Self> {
        let mut child = command
            .env("VAULTSTREAM_LOG_FILTER", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&said)?)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let lines = BufReader::new(child.stdout.take().context("piped")?).lines();
        Ok(Self { child, lines, said })
    }

    /// What follows on the first line that begins so.
    pub fn line(&mut self, prefix: &str) -> Result<String> {
        loop {
            let Some(line) = self.lines.next() else {
                let said = std::fs::read_to_string(&self.said).unwrap_or_default();
                anyhow::bail!("the product ended before it said {prefix:?}: {said}");
            };
            if let Some(rest) = line?.strip_prefix(prefix) {
                return Ok(rest.to_owned());
            }
        }
    }

    /// Waits until it ends well.
    pub fn ended(mut self) -> Result<()> {
        let status = self.child.wait()?;
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        ensure!(status.success(), "the product ended with {status}: {said}");
        Ok(())
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it holds, in MB.
    pub fn resident_mb(&self) -> Result<f64> {
        memory_mb(self.id(), "VmRSS:")
    }

    /// The most it has held, in MB.
    pub fn peak_mb(&self) -> Result<f64> {
        memory_mb(self.id(), "VmHWM:")
    }
}

fn memory_mb(pid: u32, field: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|l| l.starts_with(field)).context("a field")?;
    let kb: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kb / 1024.0)
}

/// CPU that a process has taken so far, its threads together; none once it is gone.
pub fn cpu(pid: u32) -> Duration {
    // Linux counts in hundredths of a second wherever programs can see it.
    const TICK: Duration = Duration::from_millis(10);
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return Duration::ZERO;
    };
    // The name, in parentheses, may hold spaces; the 14th and 15th fields are user and system time.
    let ticks = stat.rsplit_once(") ").map_or(0, |(_, fields)| {
        let times = fields.split(' ').skip(11).take(2);
        times.filter_map(|t| t.parse::<u32>().ok()).sum()
    });
    TICK * ticks
}
