//! The relay: the log goes onto the bus, where that is another engine.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use vaultstream_kernel::Observer;
use vaultstream_kernel::relay::{Relay, RelayOptions, RelayPorts};

use crate::assembly::Assembly;

/// Starts relaying every shard; leases say which process relays which.
pub fn start(assembly: &Assembly, observer: Arc<dyn Observer>, stop: &CancellationToken) -> Result<()> {
    let engines = &assembly.engines;
    let ports = RelayPorts {
        log: engines.log.clone(),
        publisher: engines.publisher.clone().context("there is no bus to relay to")?,
        progress: engines.progress.clone(),
        leases: assembly.leases.clone(),
        clock: assembly.clock.clone(),
        rng: assembly.rng.clone(),
        observer,
    };
    let relay = Relay::new(ports, RelayOptions::default(), &assembly.holder);
    let registry = engines.log.registry();
    let shards = registry.entries().iter().map(|entry| entry.number);
    let relaying = relay.start(shards, assembly.spawn.as_ref(), stop);
    assembly
        .spawn
        .spawn("relay", Box::pin(assembly.tasks.track_future(relaying.ended())));
    Ok(())
}
