//! The dashboard in a real Chromium: the journeys of `tests/browser`, run with node against the real product.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::product::{Product, Setup, program};

/// A setup whose product serves the dashboard.
pub fn with_dashboard() -> Result<Setup> {
    let web = program("VAULTSTREAM_WEB_DIR")?;
    Ok(Setup::new()?.with_env("VAULTSTREAM_WEB_DIR", &web.to_string_lossy()))
}

/// Runs a script of journeys as somebody with this key; `more` is its further environment.
pub fn walk(script: &str, product: &Product, key: &str, more: &[(&str, &str)]) -> Result<()> {
    let shots = tempfile::tempdir()?;
    let key_file = shots.path().join("a.key");
    std::fs::write(&key_file, key)?;
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    // Whoever wants to look at the pictures names a directory that outlives the run.
    let pictures = std::env::var_os("PICTURES_DIR").map_or_else(|| shots.path().to_owned(), Into::into);
    let output = Command::new("node")
        .arg(scripts.join(script))
        .env("BASE_URL", &product.base)
        .env("LINK", &product.link)
        .env("KEY_FILE", &key_file)
        .env("CHROMIUM", program("VAULTSTREAM_CHROMIUM")?)
        .env("MODULES", program("VAULTSTREAM_BROWSER_DIR")?)
        .env("OUT_DIR", pictures)
        .envs(more.iter().copied())
        .output()?;
    let said = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(output.status.success(), "{said}");
    println!("{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_should_carry_a_transfer_from_link_to_finality() -> Result<()> {
    let product = with_dashboard()?.start()?;
    product.vault("Operations").await?;
    walk("run.mjs", &product, &product.key, &[])
}
