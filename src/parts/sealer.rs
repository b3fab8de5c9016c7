//! The sealer: one process at a time signs checkpoints, and reads old events again beside that.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::SealText;
use vaultstream_kernel::{Observer, Sealer, SealerOptions, SealerPorts};

use super::{Group, Work, under_lease};
use crate::assembly::Assembly;

/// The lease of the one that seals.
pub const LEASE: &str = "sealer/log";

/// Seals whenever this process has the lease.
pub fn start(
    assembly: &Assembly,
    seal: Arc<dyn SealText>,
    observer: Arc<dyn Observer>,
    stop: &CancellationToken,
) -> Result<()> {
    let engines = &assembly.engines;
    let checkpoints = engines.checkpoints.clone();
    let ports = SealerPorts {
        log: engines.log.clone(),
        checkpoints: checkpoints.context("there is no list of checkpoints to seal into")?,
        seal,
        progress: engines.progress.clone(),
        clock: assembly.clock.clone(),
        observer,
    };
    let spawn = assembly.spawn.clone();
    under_lease(assembly, LEASE.to_owned(), stop, move |token| {
        let (sealer, group) = (
            Sealer::new(ports.clone(), SealerOptions::default()),
            Group::new(&spawn),
        );
        let (recheck, until) = (sealer.clone(), token.clone());
        group.spawn("recheck", async move { recheck.recheck(&until).await });
        group.spawn("sealer", async move { sealer.run(&token).await });
        let work: Work = Box::pin(group.ended());
        work
    });
    Ok(())
}
