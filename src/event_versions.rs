//! The gate of event versions as a process lives with it: it announces what it reads before it reads anything, keeps
//! saying so until it has ended, and writes what the gate allows.
//!
//! Refuses to start beside events it would not read; a process that was silent for longer than its announcement lasts, and
//! was overtaken meanwhile, ends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::Event;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::version_gate::VersionGateError;
use vaultstream_domain::ports::{Clock, VersionGate};
use vaultstream_event_schemas::Versions;
use vaultstream_event_schemas::versions::Beyond;
use vaultstream_kernel::Writable;

/// How long an announcement lasts without being repeated.
const LASTS: Duration = Duration::from_secs(15);
/// How often it is repeated, and so how soon a writer learns that the gate has opened.
const REPEAT_MS: u64 = 3_000;

/// An announced process.
pub struct EventVersions {
    gate: Arc<dyn VersionGate>,
    process: String,
    reads: Versions,
    writable: Writable,
    /// One announcement or retirement at a time, so that the last word is the retirement.
    turn: Mutex<()>,
    left: CancellationToken,
}

/// The reason to end, once there is one.
pub type Overtaken = watch::Receiver<Option<String>>;

impl EventVersions {
    /// Announces this process; refuses when it would not read what may be written.
    pub async fn enter(gate: Arc<dyn VersionGate>, process: String) -> Result<Self> {
        let own = Self {
            gate,
            process,
            reads: Event::reads(),
            writable: Writable::own(),
            turn: Mutex::new(()),
            left: CancellationToken::new(),
        };
        if let Some(reason) = own.announce().await.context("the gate of event versions")? {
            own.leave().await;
            anyhow::bail!(reason);
        }
        Ok(own)
    }

    /// What the executor may write, kept up to date.
    pub fn writable(&self) -> Writable {
        self.writable.clone()
    }

    /// Repeats the announcement until the process has left; tells when it was overtaken.
    pub fn keep(self: &Arc<Self>, clock: Arc<dyn Clock>) -> Overtaken {
        let (tell, told) = watch::channel(None);
        let own = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = own.left.cancelled() => return,
                    () = clock.sleep_ms(REPEAT_MS) => {}
                }
                let _turn = own.turn.lock().await;
                if own.left.is_cancelled() {
                    return;
                }
                match own.announce().await {
                    Ok(None) => {}
                    Ok(reason) => {
                        tell.send_if_modified(|told| {
                            told.is_none() && {
                                *told = reason;
                                true
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(error = %Causes(&error), "what this process reads could not be announced");
                    }
                }
            }
        });
        told
    }

    /// Says that this process reads no more, so that nobody waits for it.
    pub async fn leave(&self) {
        self.left.cancel();
        let _turn = self.turn.lock().await;
        if let Err(error) = self.gate.retire(&self.process).await {
            tracing::warn!(error = %Causes(&error), "this process is still announced; that runs out by itself");
        }
    }

    /// Announces, takes what may be written over, and says why this process must not go on, if so.
    async fn announce(&self) -> Result<Option<String>, VersionGateError> {
        let written = self.gate.announce(&self.process, &self.reads, LASTS).await?;
        if let Some(beyond) = self.reads.beyond(&written) {
            return Ok(Some(refusal(&beyond)));
        }
        if self.writable.now().as_deref() != Some(&written) {
            self.say(&written);
            self.writable.set(written);
        }
        Ok(None)
    }

    fn say(&self, written: &Versions) {
        let held = || {
            self.reads
                .iter()
                .filter(|(name, version)| written.of(name) < *version)
        };
        match held().next() {
            None => tracing::info!("every event version of this build may be written"),
            Some((event_type, version)) => tracing::info!(
                event_type,
                version,
                allowed = written.of(event_type),
                types = held().count(),
                "an event version is held back until every process reads it"
            ),
        }
    }
}

fn refusal(beyond: &Beyond) -> String {
    let Beyond {
        event_type,
        reads,
        written,
    } = beyond;
    let own = match reads {
        0 => "does not know it".to_owned(),
        reads => format!("reads it up to version {reads}"),
    };
    format!(
        "{event_type} version {written} is written here, and this build ({}) {own}; run the newer build that wrote it: \
         once every process reads a version, an upgrade is not rolled back",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use vaultstream_infra_runtime::SystemClock;
    use vaultstream_infra_sqlite::SqliteVersionGate;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn gate() -> (tempfile::TempDir, Arc<SqliteVersionGate>) {
        let dir = tempfile::tempdir().expect("a directory");
        let gate = SqliteVersionGate::open(&dir.path().join("versions.db")).expect("opens");
        (dir, Arc::new(gate))
    }

    #[tokio::test]
    async fn process_should_write_what_everybody_reads_and_learn_when_that_is_more() {
        let (_dir, gate) = gate();
        let reads = Event::reads();
        let older: Versions = reads
            .iter()
            .filter(|(name, _)| *name != "vault.created")
            .collect();
        gate.announce("older", &older, LONG).await.expect("answered");
        let own = EventVersions::enter(gate.clone(), "own".into())
            .await
            .expect("enters");
        let own = Arc::new(own);
        let written = own.writable().now().expect("bounded");
        assert_eq!((written.of("vault.created"), written.of("vault.renamed")), (0, 1));
        let told = own.keep(Arc::new(SystemClock));
        gate.retire("older").await.expect("retired");
        tokio::time::timeout(LONG, async {
            while own.writable().now().expect("bounded").of("vault.created") == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .expect("the gate opens");
        assert_eq!(*told.borrow(), None);
        own.leave().await;
    }

    #[tokio::test]
    async fn process_that_would_not_read_what_is_written_should_be_refused_and_hold_nobody_back() {
        let (_dir, gate) = gate();
        let mut newer = Event::reads();
        newer.raise("vault.created", 2);
        gate.announce("newer", &newer, LONG).await.expect("answered");
        let refused = EventVersions::enter(gate.clone(), "own".into()).await;
        let said = refused.err().expect("refused").to_string();
        assert!(
            said.contains("vault.created version 2")
                && said.contains("up to version 1")
                && said.contains("newer build"),
            "{said}"
        );
        newer.raise("vault.renamed", 2);
        let written = gate.announce("newer", &newer, LONG).await.expect("answered");
        assert_eq!(
            written.of("vault.renamed"),
            2,
            "the refused one is not waited for"
        );
    }

    #[tokio::test]
    async fn process_that_was_overtaken_should_be_told_to_end() {
        let (_dir, gate) = gate();
        let own = EventVersions::enter(gate.clone(), "own".into())
            .await
            .expect("enters");
        let own = Arc::new(own);
        // As if this process had been paused for longer than its announcement lasts.
        gate.retire("own").await.expect("retired");
        let mut newer = Event::reads();
        newer.raise("vault.created", 2);
        gate.announce("newer", &newer, LONG).await.expect("answered");
        let mut told = own.keep(Arc::new(SystemClock));
        let reason = tokio::time::timeout(LONG, told.wait_for(Option::is_some))
            .await
            .expect("in time")
            .expect("told")
            .clone();
        assert!(reason.is_some_and(|r| r.contains("vault.created version 2")));
        own.leave().await;
    }
}
