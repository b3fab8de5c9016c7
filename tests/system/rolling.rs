//! The rolling upgrade: every process of a running cluster is replaced, one at a time, by one of the next build, while
//! commands, reads and a subscription go on.
//!
//! The next build is the same binary told to rehearse it (`VAULTSTREAM_REHEARSE=next`, which only builds with debug
//! assertions hear): it knows a version 2 of `transfer.requested`, the event that every command of the load leads to and
//! every role reads. Announcement, gate, older form and refusal are the product's own; rehearsed is only the payload that
//! a next release would bring. A second build with a cargo feature would build everything above `event-schemas` again and
//! prove no more.
//!
//! What a client does here is what the chart's services do: it goes to processes that say they are ready, and elsewhere
//! only when no connection was made. An answer that was cut, or any refusal, fails the test.

mod client;
mod subscriber;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vaultstream_client::Vault;
use vaultstream_event_schemas::TransferStatus;

use self::client::Balancer;
use self::subscriber::{Heard, listen};
use crate::cluster::{Build, Roles};
use crate::product::{PATIENCE, Process, Product, address, transfer_body, until};

/// The role whose old process is the last one, and is killed: it reads what every command leads to.
const LAST: &str = "workflows";
/// Well within the time that the announcement of a killed process lasts.
const STILL_ANNOUNCED: Duration = Duration::from_secs(5);
/// Longer than a writer needs to learn what it may write.
const LEARNT: Duration = Duration::from_secs(5);

/// What goes on while processes are replaced.
struct Load {
    commands: tokio::task::JoinHandle<Result<Vec<String>>>,
    reads: tokio::task::JoinHandle<Result<usize>>,
    /// How many commands were taken so far.
    taken: Arc<AtomicUsize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrade_should_roll_under_load_without_a_failed_command() -> Result<()> {
    let (roles, doors, behind) = Roles::running().await?;
    upgrade(&roles, doors, behind).await
}

/// Replaces everything. `doors` and `behind` are of this build; `doors` end first, because doors are two roles from here on.
async fn upgrade(roles: &Roles, mut doors: Product, mut behind: Vec<(&'static str, Process)>) -> Result<()> {
    let (from, payouts) = (doors.vault("Operations").await?, doors.vault("Payouts").await?);
    let (commands, queries) = (Balancer::start(&doors.key), Balancer::start(&doors.key));
    let mut old = Vec::new();
    for _ in 0..2 {
        for (role, balancer) in [("command-api", &commands), ("query-api", &queries)] {
            old.push((role, balancer, start(roles, Build::This, role, balancer).await?));
        }
    }
    ensure!(
        doors.process.terminate().await?.success(),
        "the doors did not end well"
    );

    let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let listening = tokio::spawn(listen(
        queries.clone(),
        doors.key.clone(),
        stop.clone(),
        Arc::clone(&heard),
    ));
    until("the subscriber is let in", || async {
        Ok((heard.sockets() > 0).then_some(()))
    })
    .await?;
    // Its subscription begins at the present, a moment after it was let in.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut load = Load::start(&commands, &queries, &from, &address(&payouts)?, &stop);

    let mut migrating = roles.spawn(Build::Next, "migrate")?;
    ensure!(migrating.wait_for_end().await?.success(), "the migration failed");
    for (role, process) in behind.iter_mut().filter(|(role, _)| *role != LAST) {
        let (next, _) = roles.role(Build::Next, role)?;
        ensure!(process.terminate().await?.success(), "{role} did not end well");
        *process = next;
    }
    let mut next = Vec::new();
    for (role, balancer, (mut process, base)) in old {
        next.push(start(roles, Build::Next, role, balancer).await?);
        let ended = process.terminate().await.with_context(|| role.to_owned())?;
        ensure!(ended.success(), "{role} did not end well");
        balancer.forget(&base);
    }
    one_old_reader_should_hold_the_version_back(roles, &mut behind, &mut load).await?;
    build_before_should_be_refused(roles).await?;

    load.more(10).await?;
    stop.store(true, Ordering::SeqCst);
    let (taken, reads) = (load.commands.await??, load.reads.await??);
    ensure!(reads > 50, "only {reads} reads in all that time");
    everything_should_be_carried_out(&queries, &taken).await?;
    nothing_should_be_missed(&taken, &heard, listening).await
}

/// A process of a build, in the balancer once it is ready.
async fn start(
    roles: &Roles,
    build: Build,
    role: &str,
    balancer: &Arc<Balancer>,
) -> Result<(Process, String)> {
    let (process, base) = roles.role(build, role)?;
    balancer.add(&base);
    until("a new door is ready", || async {
        Ok(balancer.is_ready(&base).then_some(()))
    })
    .await?;
    Ok((process, base))
}

/// Everything but one process is of the next build: version 1 is written. That one is killed: still, for as long as it may
/// come back; then version 2.
async fn one_old_reader_should_hold_the_version_back(
    roles: &Roles,
    behind: &mut [(&'static str, Process)],
    load: &mut Load,
) -> Result<()> {
    let last = behind.iter_mut().find(|(role, _)| *role == LAST);
    let (role, process) = last.context("the last old process runs")?;
    tokio::time::sleep(LEARNT).await;
    load.more(5).await?;
    ensure!(
        highest_version(roles)? == 1,
        "written before the last process reads it"
    );
    let (successor, _) = roles.role(Build::Next, role)?;
    process.kill();
    let killed = Instant::now();
    *process = successor;
    load.more(5).await?;
    let (version, after) = (highest_version(roles)?, killed.elapsed());
    ensure!(
        version == 1 || after > STILL_ANNOUNCED,
        "written {after:?} after a process was killed that may have been paused only"
    );
    until("the newest version is written", || async {
        Ok((highest_version(roles)? == 2).then_some(()))
    })
    .await
}

/// What is written now is not read by the build before: it says so and does not start.
async fn build_before_should_be_refused(roles: &Roles) -> Result<()> {
    let said = roles.dir.path().join("refused.txt");
    let mut command = roles.serve(Build::This, LAST)?;
    command.stderr(File::create(&said)?);
    let mut refused = Process::start(&mut command)?;
    ensure!(!refused.wait_for_end().await?.success(), "an old process started");
    let said = std::fs::read_to_string(&said)?;
    ensure!(
        said.contains("transfer.requested version 2") && said.contains("run the newer build"),
        "{said}"
    );
    Ok(())
}

/// The highest version of `transfer.requested` in the log. For some seconds after it has risen the one before is still
/// written, too: by processes that have not been told yet.
fn highest_version(roles: &Roles) -> Result<u64> {
    let file = roles.dir.path().join("exported.jsonl");
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    let output = roles.command("export")?.arg("--out").arg(&file).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut highest = 0;
    for line in std::fs::read_to_string(&file)?.lines().skip(1) {
        let record: Value = serde_json::from_str(line)?;
        if record["envelope"]["type"] == "transfer.requested" {
            highest = highest.max(record["envelope"]["version"].as_u64().context("a version")?);
        }
    }
    Ok(highest)
}

impl Load {
    fn start(
        commands: &Arc<Balancer>,
        queries: &Arc<Balancer>,
        from: &Vault,
        to: &str,
        stop: &Arc<AtomicBool>,
    ) -> Self {
        let taken = Arc::new(AtomicUsize::new(0));
        let body = transfer_body(from, to, "1");
        let sending = {
            let (commands, stop, taken) = (commands.clone(), stop.clone(), taken.clone());
            async move {
                let mut ids = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let key = format!("rolling-{}", ids.len());
                    let (body, key) = (&body, &key);
                    let answer = commands.ask(|door| async move { door.request_transfer(body, key).await });
                    ids.push(answer.await.context(key.clone())?.body.id.to_string());
                    taken.store(ids.len(), Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                anyhow::Ok(ids)
            }
        };
        let reading = {
            let (queries, stop) = (queries.clone(), stop.clone());
            async move {
                let mut reads = 0;
                while !stop.load(Ordering::SeqCst) {
                    queries
                        .ask(|door| async move { door.transfers(None).await })
                        .await?;
                    reads += 1;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                anyhow::Ok(reads)
            }
        };
        Self {
            commands: tokio::spawn(sending),
            reads: tokio::spawn(reading),
            taken,
        }
    }

    /// Returns when so many commands more were taken, or with what the load failed with.
    async fn more(&mut self, commands: usize) -> Result<()> {
        let (enough, begun) = (self.taken.load(Ordering::SeqCst) + commands, Instant::now());
        while self.taken.load(Ordering::SeqCst) < enough {
            if self.commands.is_finished() {
                (&mut self.commands).await??;
            }
            if self.reads.is_finished() {
                (&mut self.reads).await??;
            }
            ensure!(begun.elapsed() < PATIENCE, "the load stands still");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

async fn everything_should_be_carried_out(queries: &Arc<Balancer>, taken: &[String]) -> Result<()> {
    for id in taken {
        let over = until("every command that was taken is carried out", || async {
            let transfer = queries
                .ask(|door| async move { door.transfer(id).await })
                .await?
                .body;
            Ok(transfer.status.is_terminal().then_some(transfer.status))
        })
        .await?;
        ensure!(over == TransferStatus::Completed, "{id} ended as {over:?}");
    }
    Ok(())
}

/// The subscriber has heard of every command once, in order, over however many sockets.
async fn nothing_should_be_missed(
    taken: &[String],
    heard: &Heard,
    listening: tokio::task::JoinHandle<Result<()>>,
) -> Result<()> {
    until("the subscriber hears of the last command", || async {
        let is_over = listening.is_finished() || heard.count() >= taken.len();
        Ok(is_over.then_some(()))
    })
    .await?;
    if listening.is_finished() {
        return listening.await?.context("the subscriber failed");
    }
    listening.abort();
    let expected: Vec<String> = taken.iter().map(|id| format!("{id}/1")).collect();
    ensure!(
        heard.events() == expected,
        "{:?} instead of {expected:?}",
        heard.events()
    );
    let sockets = heard.sockets();
    ensure!(sockets > 1, "the socket outlived its process");
    Ok(())
}
