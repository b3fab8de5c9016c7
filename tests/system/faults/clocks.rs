//! The embedded product on a machine whose clock is an hour wrong, and then set right.

use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_rig::Clocks;

use super::lines;
use crate::product::{Product, Setup, address, problem};

/// An hour.
const WRONG_S: i64 = 3_600;

/// One product and its clock.
pub struct World {
    product: Product,
    clock: Clocks,
    payments: u32,
    _dir: TempDir,
}

// Behind first: what was written an hour ahead stays in the log.
lines! { World;
    embedded_clock_behind,
    embedded_clock_ahead,
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_clocks() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let clock = Clocks::new(dir.path(), "embedded")?;
    let file = clock.file().to_string_lossy().into_owned();
    let product = Setup::new()?
        .with_env(vaultstream_rig::CLOCK_FILE, &file)
        .start()?;
    product.funded("Operations").await?;
    let mut world = World {
        product,
        clock,
        payments: 0,
        _dir: dir,
    };
    run(&mut world).await
}

impl World {
    /// After a line that failed.
    fn mend(&self) -> Result<()> {
        self.clock.wrong_by(0)
    }

    async fn asks(&self, key: &str) -> Result<Result<String, vaultstream_client::ClientError>> {
        let (from, to) = (
            self.product.vault("Operations").await?,
            self.product.vault("Payouts").await?,
        );
        Ok(self.product.transfer(&from, &address(&to)?, 1, key).await)
    }

    async fn pays(&mut self) -> Result<()> {
        self.payments += 1;
        let id = self.asks(&format!("clock-{}", self.payments)).await??;
        self.product.completed(&id).await?;
        Ok(())
    }

    /// Commands are refused with the remedy; everything is read as before. Once the clock is right, the same key is taken.
    async fn refuses(&mut self, key: &str) -> Result<()> {
        let refused = problem(self.asks(key).await?)?;
        ensure!(
            (refused.status, refused.code) == (503, ErrorCode::ClockSkew),
            "{refused:?}"
        );
        self.product.vault("Operations").await?;
        Ok(())
    }
}

async fn embedded_clock_behind(world: &mut World) -> Result<()> {
    world.pays().await?;
    world.clock.wrong_by(-WRONG_S)?;
    heard(&world.product).await;
    world.refuses("behind").await?;
    world.clock.wrong_by(0)?;
    heard(&world.product).await;
    let id = world.asks("behind").await??;
    world.product.completed(&id).await?;
    Ok(())
}

async fn embedded_clock_ahead(world: &mut World) -> Result<()> {
    world.clock.wrong_by(WRONG_S)?;
    heard(&world.product).await;
    // Nobody inside can know: it goes on, an hour too early.
    world.pays().await?;
    world.clock.wrong_by(0)?;
    heard(&world.product).await;
    world.refuses("ahead").await?;
    // The hour passes.
    world.clock.wrong_by(WRONG_S)?;
    heard(&world.product).await;
    let id = world.asks("ahead").await??;
    world.product.completed(&id).await?;
    Ok(())
}

/// The process looks at the file fifty times a second; then its buckets of requests, empty by the new clock, fill.
async fn heard(product: &Product) {
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Whether it is answered is of no interest.
        let _ = product.client.vaults(None).await;
    }
}
