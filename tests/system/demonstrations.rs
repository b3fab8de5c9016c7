//! The demonstrations that a stranger runs (`docs/demonstrations`), each step held against what it says.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::product::program;

/// How long a demonstration may take before it is ended with all that it started, in seconds.
const PATIENCE_S: &str = "300";

/// Runs a demonstration to its end; all that it said.
async fn shown(name: &str) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/demonstrations")
        .join(name);
    // Ended from outside, the script ends its product itself.
    let mut command = Command::new("timeout");
    command
        .arg(PATIENCE_S)
        .arg("bash")
        .arg(&script)
        .env("VAULTSTREAM", program("VAULTSTREAM_BIN")?)
        .env_remove("WATCH");
    let output = command
        .output()
        .await
        .with_context(|| format!("{name}: bash and timeout are needed"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(output.status.success(), "{name}: {}\n{said}", output.status);
    Ok(said)
}

/// Whether a demonstration has said each of these, in this order.
fn says(name: &str, said: &str, steps: &[&str]) -> Result<()> {
    let mut rest = said;
    for step in steps {
        let found = rest.split_once(step);
        (_, rest) =
            found.with_context(|| format!("{name} does not say {step:?} where it should:\n{said}"))?;
    }
    Ok(())
}

/// A stranger sees five ways of laying hands on a log, each named.
async fn tamper() -> Result<()> {
    let said = shown("tamper.sh").await?;
    let steps = [
        "transfer 3 is completed",
        "whole: this is the log that was sealed",
        "exit code 0",
        "3. An event is edited",
        "tampering (edited)",
        "exit code 3",
        "4. An event is deleted",
        "tampering (deleted)",
        "exit code 3",
        "5. An event is inserted",
        "tampering (inserted)",
        "exit code 3",
        "6. Two events change places",
        "tampering (reordered)",
        "exit code 3",
        "7. The tail is cut",
        "tampering (cut)",
        "exit code 3",
        "8. One event, proven",
    ];
    says("tamper.sh", &said, &steps)
}

/// A stranger sees a product die under load, and a log put back that signs nothing until it is released.
async fn rewind() -> Result<()> {
    let said = shown("rewind.sh").await?;
    let steps = [
        "alice's public key: alice+",
        "sign in with:  http://",
        "of 80 payments were acknowledged",
        "ms after its start",
        "payments that were acknowledged are there",
        "all 80 payments are completed",
        "80 payments of 10000000000000000, each paid once",
        "the moment to come back to: ",
        "all 85 payments are completed",
        "4. The log is put back",
        "signing: quarantined - shard",
        "6 of 6 later payments are unknown to this log",
        "POST /v1/transfers: 503 quarantined: ",
        "QUARANTINE: nothing is signed or sent",
        "unknown here",
        "2 of 2 operators have to sign the statement",
        "exit code 3",
        "signed by bob",
        "released by alice, bob",
        "signing: open",
        "6 payments were asked for again, under the same keys, and are the same transfers as before",
        "86 payments of 10000000000000000, each paid once",
        "the log holds its mark",
        "exit code 0",
    ];
    says("rewind.sh", &said, &steps)
}

#[tokio::test(flavor = "multi_thread")]
async fn demonstrations_should_show_what_they_say() -> Result<()> {
    // Side by side: each waits for blocks most of the time.
    let (tamper, rewind) = tokio::join!(tamper(), rewind());
    tamper.and(rewind)
}
