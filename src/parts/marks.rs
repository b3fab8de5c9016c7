//! Marks: where the log is written down before anything is signed, and the look that tells whether it holds them.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use vaultstream_kernel::mark::{MarkOptions, MarkPorts};
use vaultstream_kernel::{Marking, Observer};

use crate::assembly::{Assembly, checkpoint_keys};
use crate::config::Config;
use crate::observer::Observed;
use crate::roles::{Role, Roles};

/// Marks, and looks, in a process that signs, takes what is signed, or lets it lapse.
pub async fn start(
    config: &Config,
    assembly: &Assembly,
    roles: &Roles,
    observed: &Arc<Observed>,
    stop: &CancellationToken,
) -> Result<Option<Marking>> {
    let needs = [Role::CommandApi, Role::Workflows, Role::Watchers];
    if !needs.iter().any(|role| roles.has(*role)) {
        return Ok(None);
    }
    let ports = ports(config, assembly, observed.clone())?;
    let options = MarkOptions {
        begins: config.may_begin_marks(),
        ..MarkOptions::default()
    };
    let marking = Marking::start(ports, options, assembly.spawn.as_ref(), stop).await;
    Ok(Some(marking))
}

/// What marking runs on.
pub fn ports(config: &Config, assembly: &Assembly, observer: Arc<dyn Observer>) -> Result<MarkPorts> {
    let engines = &assembly.engines;
    let keystore = assembly.keystore.as_ref().clone();
    Ok(MarkPorts {
        log: engines.log.clone(),
        marks: engines.marks.clone().context("there is no list of marks")?,
        checkpoints: engines
            .checkpoints
            .clone()
            .context("there is no list of checkpoints")?,
        seal: Arc::new(checkpoint_keys(config, keystore)?),
        clock: assembly.clock.clone(),
        observer,
    })
}
