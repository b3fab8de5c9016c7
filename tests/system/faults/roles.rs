//! The cluster's own processes: killed and frozen, with wrong clocks, and what the dashboard says of it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use vaultstream_client::ClientError;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_rig::{CLOCK_FILE, Clocks};

use super::cluster::World;
use super::lines;
use crate::cluster::Build;
use crate::product::{Process, program};

/// An hour.
const WRONG_S: i64 = 3_600;
/// Longer than a lease lasts.
const LEASE: Duration = Duration::from_secs(12);

lines! { World;
    doors_killed,
    watchers_frozen,
    cluster_clock_ahead,
    cluster_clock_behind,
    dashboard_tells_what_is_lost,
}

async fn doors_killed(world: &mut World) -> Result<()> {
    let key = "doors-killed";
    let first = world.asks(key).await?;
    world.product.process.kill();
    let nobody = world.asks(key).await;
    // Nobody listens, or the connection that was kept ends without an answer.
    let is_nobody = matches!(
        nobody,
        Err(ClientError::Unreachable(_) | ClientError::Connection(_))
    );
    ensure!(is_nobody, "{nobody:?}");
    // Everything behind the doors goes on.
    world.open_doors_again()?;
    let again = world.asks(key).await?;
    ensure!(first == again, "the same key, another transfer");
    world.completes(&first).await?;
    world.recovers().await
}

/// It believes in its leases when it goes on, and somebody else has had them for a while.
async fn watchers_frozen(world: &mut World) -> Result<()> {
    let id = world.asks("watchers-frozen").await?;
    world.process("watchers")?.freeze()?;
    let (second, _) = world.roles.role(Build::This, "watchers")?;
    tokio::time::sleep(LEASE).await;
    world.completes(&id).await.context("somebody else takes over")?;
    world.process("watchers")?.thaw()?;
    world.pays("watchers-thawed").await?;
    drop(second);
    world.pays("watchers-one-again").await?;
    world.recovers().await
}

async fn cluster_clock_ahead(world: &mut World) -> Result<()> {
    wrong_clock(world, WRONG_S, "ahead").await
}

async fn cluster_clock_behind(world: &mut World) -> Result<()> {
    wrong_clock(world, -WRONG_S, "behind").await
}

/// The door looks at the file fifty times a second; then its buckets of requests, empty by the new clock, fill.
async fn heard(world: &World) {
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Whether it is answered is of no interest.
        let _ = world.product.client.vaults(None).await;
    }
}

/// A door whose clock goes wrong takes commands, which the database stamps, or refuses them, until it is right; a role does
/// not start on such a machine.
async fn wrong_clock(world: &mut World, seconds: i64, name: &str) -> Result<()> {
    world.clock.wrong_by(seconds)?;
    heard(world).await;
    let key = format!("clock-{name}");
    if let Err(ClientError::Refused(refused)) = world.asks(&key).await {
        ensure!(refused.code == ErrorCode::ClockSkew, "{refused:?}");
    }
    let theirs = Clocks::new(world.roles.dir.path(), &format!("relay-{name}"))?;
    theirs.wrong_by(seconds)?;
    let said = world.roles.dir.path().join(format!("refused-{name}.txt"));
    let mut command = world.roles.serve(Build::This, "relay")?;
    command
        .env(CLOCK_FILE, theirs.file())
        .stderr(std::fs::File::create(&said)?);
    let mut refused = Process::start(&mut command)?;
    ensure!(
        !refused.wait_for_end().await?.success(),
        "it started with a wrong clock"
    );
    let said = std::fs::read_to_string(&said)?;
    ensure!(said.contains("clock"), "{said}");

    world.clock.wrong_by(0)?;
    heard(world).await;
    let id = world.asks(&key).await?;
    world.completes(&id).await?;
    world.recovers().await
}

/// The page in a real browser, while real processes behind it are killed; it says what to do to them.
async fn dashboard_tells_what_is_lost(world: &mut World) -> Result<()> {
    let shots = tempfile::tempdir()?;
    let out = std::env::var_os("VAULTSTREAM_SHOTS").map_or_else(|| shots.path().to_owned(), Into::into);
    let key_file = shots.path().join("demo.key");
    std::fs::write(&key_file, &world.product.key)?;
    let mut page = tokio::process::Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/faults.mjs"))
        .env("BASE_URL", &world.product.base)
        .env("KEY_FILE", &key_file)
        .env("CHROMIUM", program("VAULTSTREAM_CHROMIUM")?)
        .env("MODULES", program("VAULTSTREAM_BROWSER_DIR")?)
        .env("OUT_DIR", out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("node cannot be started")?;
    let mut answers = page.stdin.take().context("piped")?;
    let mut lines = BufReader::new(page.stdout.take().context("piped")?).lines();
    while let Some(line) = lines.next_line().await? {
        println!("page: {line}");
        if let Some(what) = line.strip_prefix("do: ") {
            does(world, what).context(what.to_owned())?;
            answers.write_all(b"done\n").await?;
        }
    }
    let ended = page.wait().await?;
    ensure!(ended.success(), "the page ended with {ended}");
    world.recovers().await
}

fn does(world: &mut World, what: &str) -> Result<()> {
    let cassandra = &world.roles.engines.cassandra;
    match what {
        "kill projectors" => world.process("projectors")?.kill(),
        "start projectors" => world.start_again("projectors")?,
        "kill cassandra" => tokio::task::block_in_place(|| cassandra.kill())?,
        "start cassandra" => tokio::task::block_in_place(|| cassandra.restart())?,
        "kill doors" => world.product.process.kill(),
        "open doors" => world.open_doors_again()?,
        _ => bail!("the page asks for something unknown"),
    }
    Ok(())
}
