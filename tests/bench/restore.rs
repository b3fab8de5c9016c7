//! Backup and restore of the audited log, by the product's own binary on files: how long until 10 GB stand again, and what a
//! loss of the machine costs. The size of what was put back is printed; the row is scaled by it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::line::BenchLine;
use crate::process::program;

/// The log that the row is about, in bytes.
const WHOLE: f64 = 10e9;
/// Seconds between two looks of `backup --follow`.
const EVERY: f64 = 15.0;
/// The families of the bench's log.
const CONFIG: &str = r#"
[shards]
core = 1
audit = 1
chain = 1

[[chains]]
id = "eip155:31337"
slug = "eth_bench"
name = "Bench"
sandbox = true
assets = [{ id = "eip155:31337/slip44:60", symbol = "ETH", decimals = 18 }]
node = { kind = "sandbox", block_time_ms = 1000 }
"#;

fn run(words: &[&str], dirs: &[(&str, &Path)]) -> Result<(f64, String)> {
    let begun = Instant::now();
    let mut command = Command::new(program("VAULTSTREAM_BIN")?);
    command.args(words);
    for (flag, dir) in dirs {
        command.arg(flag).arg(dir);
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((begun.elapsed().as_secs_f64(), said))
}

/// Copies the log in `dir/data` and puts it back beside it.
pub fn measure(out: &mut Vec<BenchLine>, dir: &Path) -> Result<()> {
    let config = dir.join("bench.toml");
    std::fs::write(&config, CONFIG)?;
    let (data, backup, restored) = (dir.join("data"), dir.join("backup"), dir.join("restored"));
    let copy = [
        ("--config", config.as_path()),
        ("--data-dir", data.as_path()),
        ("--to", backup.as_path()),
    ];
    let (first, said) = run(&["backup"], &copy)?;
    eprint!("first run in {first:.1} s: {said}");
    let (again, _) = run(&["backup"], &copy)?;
    let keys = dir.join("checkpoints.keys");
    let back = [
        ("--config", config.as_path()),
        ("--data-dir", restored.as_path()),
        ("--from", backup.as_path()),
        ("--keys", keys.as_path()),
    ];
    let (took, said) = run(&["restore"], &back)?;
    ensure!(said.contains("what was kept is what was sealed"), "{said}");
    #[expect(clippy::cast_precision_loss, reason = "sizes of a bench are far below 2^53")]
    let size = std::fs::metadata(restored.join("log.db"))?.len() as f64;
    eprintln!(
        "a log of {:.2} GB stands again in {took:.1} s, {:.0} MB/s",
        size / 1e9,
        size / took / 1e6
    );
    let scaled = took * WHOLE / size;
    out.push(BenchLine::at_most("restore of 10 GB, scaled", scaled, "s", 900.0));
    out.push(BenchLine::at_most(
        "age of backup --follow: 15 s and a run",
        EVERY + again,
        "s",
        60.0,
    ));
    std::fs::remove_dir_all(&backup)?;
    Ok(std::fs::remove_dir_all(&restored)?)
}
