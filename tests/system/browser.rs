//! The dashboard in a real Chromium: the journeys of `tests/browser`, run with node against the real product.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::product::{Setup, program};

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_should_carry_a_transfer_from_link_to_finality() -> Result<()> {
    let web = program("VAULTSTREAM_WEB_DIR")?;
    let product = Setup::new()?
        .with_env("VAULTSTREAM_WEB_DIR", &web.to_string_lossy())
        .start()?;
    product.vault("Operations").await?;
    let shots = tempfile::tempdir()?;
    let key_file = shots.path().join("demo.key");
    std::fs::write(&key_file, &product.key)?;
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let output = Command::new("node")
        .arg(scripts.join("run.mjs"))
        .env("BASE_URL", &product.base)
        .env("LINK", &product.link)
        .env("KEY_FILE", &key_file)
        .env("CHROMIUM", program("VAULTSTREAM_CHROMIUM")?)
        .env("MODULES", program("VAULTSTREAM_BROWSER_DIR")?)
        .env("OUT_DIR", shots.path())
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
