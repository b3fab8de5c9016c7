//! The disk is full: what is refused, what still works, and that nothing is lost when there is room again.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use vaultstream_client::http::Client;
use vaultstream_event_schemas::{ErrorCode, TransferStatus};
use vaultstream_rig::SmallDisk;

use crate::product::{Process, Product, address, problem, program, until};

/// Room for what a demo and some payments write, several times over.
const MIB: u32 = 192;

fn start(disk: &SmallDisk) -> Result<Product> {
    let mut command = disk.command(&program("VAULTSTREAM_BIN")?);
    command
        .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(disk.inside().join("data"));
    let process = Process::start(&mut command)?;
    let base = process.line(|l| l.strip_prefix("Vaultstream is ready at ").map(str::to_owned))?;
    let link = process.line(|l| l.strip_prefix("One-time sign-in link: ").map(str::to_owned))?;
    let file: PathBuf = disk.outside().join("data/demo.key");
    let key = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let key = key.trim_end().to_owned();
    let client = Client::try_new(&base, Some(&key))?;
    Ok(Product::of(process, (base, link, key), client))
}

async fn asks(product: &Product, key: &str) -> Result<Result<String, vaultstream_client::ClientError>> {
    let (from, to) = (
        product.vault("Operations").await?,
        product.vault("Payouts").await?,
    );
    Ok(product.transfer(&from, &address(&to)?, 1, key).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_disk_full() -> Result<()> {
    let disk = match SmallDisk::try_new(MIB) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("SKIPPED embedded_disk_full: {why:#}");
            return Ok(());
        }
    };
    let mut product = start(&disk)?;
    product.funded("Operations").await?;
    let before = asks(&product, "before").await??;
    product.completed(&before).await?;
    let under_way = asks(&product, "under-way").await??;

    disk.fill()?;
    // What was given out already can still be used up: free pages of files, and what is left of the log's last page.
    let mut taken = Vec::new();
    let refused = loop {
        ensure!(taken.len() < 20_000, "a full disk takes everything");
        match asks(&product, &format!("full-{}", taken.len())).await? {
            Ok(id) => taken.push(id),
            refused => break problem(refused)?,
        }
    };
    ensure!(
        (refused.status, refused.code) == (503, ErrorCode::StorageUnavailable),
        "{refused:?}"
    );
    let live = reqwest::get(format!("{}/health/live", product.base)).await?;
    ensure!(live.status() == 200, "{live:?}");
    let read = product.client.transfer(&before).await?.body;
    ensure!(
        read.status == TransferStatus::Completed,
        "what is there is read: {read:?}"
    );

    disk.make_room()?;
    // The same key is taken now; nobody restarts anything.
    let key = format!("full-{}", taken.len());
    taken.push(under_way);
    taken.push(
        until("commands are taken again", || async {
            Ok(asks(&product, &key).await?.ok())
        })
        .await?,
    );
    for id in &taken {
        product.completed(id).await?;
    }
    until("it is ready", || async {
        let ready = reqwest::get(format!("{}/health/ready", product.base)).await?;
        Ok((ready.status() == 200).then_some(()))
    })
    .await?;
    ensure!(
        product.process.terminate().await?.success(),
        "it did not end well"
    );
    let again = start(&disk)?;
    for id in taken.iter().chain([&before]) {
        again.completed(id).await?;
    }
    Ok(())
}
