//! One engine's process: started, waited for, hurt on purpose, started again on the same data and port.
//!
//! All calls take `&self`, so that a fault can come from another thread than the work it disturbs. Calls on one
//! server exclude each other. An engine that others use too refuses every fault.

use crate::data::Data;
use crate::process::{self, alive, family, signal, until};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a gentle end may take; Kafka's is the longest.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
const END_PATIENCE: Duration = Duration::from_secs(5);

/// How to start an engine and to know that it is there.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) address: SocketAddr,
    /// Whether it does its work, asked in its own protocol.
    pub(crate) answers: fn(SocketAddr) -> io::Result<bool>,
    pub(crate) patience: Duration,
    /// How it is asked to finish what it does and to end.
    pub(crate) stop_signal: &'static str,
    /// How it is ended when its data is not needed any more.
    pub(crate) end_signal: &'static str,
}

/// An engine's process, or the address of one that somebody else keeps.
pub struct Server {
    own: Option<Own>,
    name: &'static str,
    /// Why no fault may be done to it.
    spared: Option<&'static str>,
}

struct Own {
    plan: Plan,
    running: Mutex<Running>,
}

/// The child is dropped by `end` only; the data goes after it.
struct Running {
    child: Option<Child>,
    data: Data,
}

impl Server {
    pub(crate) fn start(plan: Plan, data: Data) -> Result<Self> {
        let name = plan.name;
        let running = Mutex::new(Running { child: None, data });
        let server = Self {
            own: Some(Own { plan, running }),
            name,
            spared: None,
        };
        server.restart()?;
        Ok(server)
    }

    /// One that a runner started.
    pub(crate) fn given(name: &'static str) -> Self {
        Self {
            own: None,
            name,
            spared: Some("it was started by whoever named it in the environment"),
        }
    }

    /// The same, for all tests of this process.
    pub(crate) fn for_all(mut self) -> Self {
        self.spared
            .get_or_insert("the other tests of this process use it too");
        self
    }

    /// Where it keeps its data and its log.
    ///
    /// # Errors
    /// The engine is shared, or somebody else's.
    pub fn data_dir(&self) -> Result<PathBuf> {
        let (_, running) = self.lock()?;
        Ok(running.data.path().to_owned())
    }

    /// SIGKILL, to the process and its children: what a power cut leaves, but for the disk's cache.
    ///
    /// # Errors
    /// The engine is shared; start one for this test.
    pub fn kill(&self) -> Result<()> {
        let (plan, mut running) = self.lock()?;
        let Some(child) = running.child.as_mut() else {
            return Ok(());
        };
        let pids = family(child.id());
        signal("KILL", &pids)?;
        child.wait().context("cannot wait for the engine")?;
        running.child = None;
        running.data.leash.hold(None)?;
        // Children of a dead postmaster are nobody's to wait for, and keep the data directory locked while they live.
        let gone = || Ok(!pids.iter().any(|pid| alive(*pid)));
        if !until(END_PATIENCE, gone)? {
            bail!("{}: a child survived SIGKILL", plan.name);
        }
        Ok(())
    }

    /// Asks it to finish and waits until it has ended.
    ///
    /// # Errors
    /// The engine is shared, or it has not ended within a minute.
    pub fn stop(&self) -> Result<()> {
        let (plan, mut running) = self.lock()?;
        let Some(child) = running.child.as_mut() else {
            return Ok(());
        };
        signal("CONT", &family(child.id()))?;
        signal(plan.stop_signal, &[child.id()])?;
        if !ended(child, STOP_PATIENCE)? {
            bail!(
                "{} did not end within {} s after SIG{}; the end of its log:\n{}",
                plan.name,
                STOP_PATIENCE.as_secs(),
                plan.stop_signal,
                process::tail(&running.data.log())
            );
        }
        running.child = None;
        running.data.leash.hold(None)
    }

    /// Freezes all of it: connections stay open, nobody answers.
    ///
    /// # Errors
    /// The engine is shared, or it does not run.
    pub fn pause(&self) -> Result<()> {
        let (plan, running) = self.lock()?;
        let child = running.child.as_ref();
        let pid = child.with_context(|| format!("{} does not run", plan.name))?.id();
        // The parent first: once it is frozen no new child appears.
        signal("STOP", &[pid])?;
        signal("STOP", &family(pid))
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    /// The engine is shared, or it does not run.
    pub fn resume(&self) -> Result<()> {
        let (plan, running) = self.lock()?;
        let child = running.child.as_ref();
        let pid = child.with_context(|| format!("{} does not run", plan.name))?.id();
        signal("CONT", &family(pid))
    }

    /// Stops it where it runs, then starts it on the same data and port and waits until it answers.
    ///
    /// # Errors
    /// The engine is shared, or did not come up: then with the end of its log.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        let (plan, mut running) = self.lock()?;
        let mut command = Command::new(&plan.program);
        // A terminal's Ctrl-C is for the tests; they end their engines in order.
        command.args(&plan.arguments).process_group(0);
        running.data.furnish(&mut command)?;
        let child = command
            .spawn()
            .with_context(|| format!("{}: cannot start {}", plan.name, plan.program.display()))?;
        let id = child.id();
        running.child = Some(child);
        running.data.leash.hold(Some(id))?;
        let come_up = running.wait_for(plan);
        if come_up.is_err() {
            running.end(plan);
        }
        come_up
    }

    fn lock(&self) -> Result<(&Plan, MutexGuard<'_, Running>)> {
        match (&self.own, self.spared) {
            (Some(own), None) => Ok((&own.plan, own.running())),
            (_, why) => bail!(
                "{} is not this test's alone: {}; start one of its own with `start()`",
                self.name,
                why.unwrap_or_default()
            ),
        }
    }
}

impl Own {
    /// A test that panicked while it held the lock left a process, which is still ours to end.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn wait_for(&mut self, plan: &Plan) -> Result<()> {
        let mut early: Option<ExitStatus> = None;
        let child = self.child.as_mut().context("nothing was started")?;
        let came = until(plan.patience, || {
            early = child.try_wait().context("cannot ask for the engine")?;
            // An engine that is still starting refuses, hangs up or says so: all of that is "not yet".
            Ok(early.is_some() || (plan.answers)(plan.address).unwrap_or(false))
        })?;
        let what = match early {
            Some(status) => format!("ended with {status} before it answered"),
            None if came => return Ok(()),
            None => format!("did not answer within {} s", plan.patience.as_secs()),
        };
        bail!(
            "{} {what}; the end of its log:\n{}",
            plan.name,
            process::tail(&self.data.log())
        )
    }

    /// Ends the process, by force where it does not go; its data is about to be removed.
    fn end(&mut self, plan: &Plan) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // A failed signal shows as a process that has not ended, and then force is next.
        let _ = signal("CONT", &family(child.id()));
        let _ = signal(plan.end_signal, &[child.id()]);
        if !ended(&mut child, END_PATIENCE).unwrap_or(false) {
            let _ = signal("KILL", &family(child.id()));
            let _ = child.wait();
        }
        let _ = self.data.leash.hold(None);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.end(&self.plan);
    }
}

fn ended(child: &mut Child, patience: Duration) -> Result<bool> {
    until(patience, || {
        let status = child.try_wait().context("cannot ask for the engine")?;
        Ok(status.is_some())
    })
}
