//! A shell that outlives us just long enough to end the engine and remove its data.
//!
//! It reads our side of a pipe, which the kernel closes however this process ends, also by SIGKILL and at the end
//! of a test process whose statics are never dropped. Each line names the process to end; an empty one, none.

use anyhow::{Context, Result};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// `$1` the directory to remove, `$2` the signal to end with. Half of the patience is for the engine's own way out.
const SCRIPT: &str = r#"
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -s CONT "$pid" 2>/dev/null
  kill -s "$2" "$pid" 2>/dev/null
  tries=0
  while [ "$tries" -lt 50 ] && kill -s 0 "$pid" 2>/dev/null; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -s KILL "$pid" 2>/dev/null
fi
rm -rf -- "$1"
"#;

#[derive(Debug)]
pub(crate) struct Leash {
    shell: Child,
    line: Option<ChildStdin>,
}

impl Leash {
    /// A shell that will remove `dir`.
    pub(crate) fn on(dir: &Path, end_signal: &str) -> Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "leash"])
            .arg(dir)
            .arg(end_signal)
            .current_dir("/")
            // A terminal's Ctrl-C must not end the one that cleans up after it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start sh")?;
        let line = shell.stdin.take();
        Ok(Self { shell, line })
    }

    /// The process to end should we disappear now; `None` when there is none.
    pub(crate) fn hold(&mut self, pid: Option<u32>) -> Result<()> {
        let text = pid.map_or_else(String::new, |pid| pid.to_string());
        let line = self.line.as_mut().context("the leash has no pipe")?;
        writeln!(line, "{text}").context("the shell that watches over the engine is gone")
    }
}

impl Drop for Leash {
    /// Called when the engine has ended: the directory is removed by its owner.
    fn drop(&mut self) {
        // Both fail only when the shell is gone already, which is what is wanted.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{alive, until};
    use std::time::Duration;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().expect("starts")
    }

    #[test]
    fn closed_pipe_should_end_the_process_and_remove_its_data() {
        let dir = tempfile::tempdir().expect("temp dir").keep();
        let mut engine = sleeper();
        let mut leash = Leash::on(&dir, "TERM").expect("starts");
        leash.hold(Some(engine.id())).expect("told");
        leash.line = None;
        let status = engine.wait().expect("waited for");
        assert!(!status.success(), "ended by the leash, not by itself");
        let removed = || Ok(!dir.exists());
        assert!(until(Duration::from_secs(10), removed).expect("can look"));
    }

    #[test]
    fn released_process_should_live_on() {
        let dir = tempfile::tempdir().expect("temp dir").keep();
        let mut engine = sleeper();
        let mut leash = Leash::on(&dir, "TERM").expect("starts");
        leash.hold(Some(engine.id())).expect("told");
        leash.hold(None).expect("told");
        leash.line = None;
        let removed = || Ok(!dir.exists());
        assert!(until(Duration::from_secs(10), removed).expect("can look"));
        assert!(alive(engine.id()));
        engine.kill().expect("ours");
        engine.wait().expect("waited for");
    }
}
