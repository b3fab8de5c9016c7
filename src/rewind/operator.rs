//! Operators' keys and signatures, away from the installation.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use vaultstream_domain::ports::Rng;
use vaultstream_event_schemas::note::signer::SignerKey;
use vaultstream_event_schemas::release::Release;
use vaultstream_infra_runtime::SystemRng;

use super::Operator;

/// The largest statement that is read, in bytes.
const MAX_STATEMENT: u64 = 1 << 20;

pub fn run(verb: &Operator) -> Result<()> {
    match verb {
        Operator::Keygen { name, out } => keygen(name, out),
        Operator::Sign { key, statement, out } => sign(key, statement, out),
    }
}

fn keygen(name: &str, out: &Path) -> Result<()> {
    let mut seed = [0; 32];
    SystemRng.fill(&mut seed);
    let key = SignerKey::from_seed(name, &seed);
    let key = key.context("--name cannot name a key: leave out spaces and plus signs")?;
    write_new(out, &format!("{}\n", key.to_secret_text()), 0o600)?;
    println!("{}", key.public());
    Ok(())
}

fn sign(key: &Path, statement: &Path, out: &Path) -> Result<()> {
    let key: SignerKey = read(key)?
        .parse()
        .with_context(|| format!("{} holds no private key", key.display()))?;
    let text = read(statement)?;
    // Who signs sees what is signed, and nothing else is signed than such a statement.
    let release: Release = text.parse()?;
    print!("{release}");
    let note = key.sign(text)?;
    write_new(out, &note.to_string(), 0o644)?;
    println!("\nsigned by {} ({:08x})", key.public().name(), key.public().id());
    Ok(())
}

/// A file of people, whole.
pub fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let length = std::fs::metadata(path)
        .with_context(|| format!("{shown} cannot be read"))?
        .len();
    anyhow::ensure!(
        length <= MAX_STATEMENT,
        "{shown} is larger than any statement or key"
    );
    std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))
}

/// Writes a file that must not exist.
pub fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file =
        file.with_context(|| format!("{} cannot be written; choose a new file", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
