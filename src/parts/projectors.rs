//! Views: their projectors, a lease for each family, and what everybody needs to read them.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_event_schemas::Family;
use vaultstream_projectors::projector::{Projector, ProjectorOptions, ProjectorParts};
use vaultstream_projectors::{
    ExecutorSwitch, Fact, FollowViews, Generations, Observer, Reads, ReadsParts, ViewName, Watermarks,
    switched,
};

use super::{Group, Work, under_lease};
use crate::assembly::Assembly;

/// How long an old generation stays where other processes may still read it, in milliseconds.
const RETIRE_MS: u64 = 30_000;

/// What reads and projectors of a process share.
pub struct Views {
    /// Answers queries.
    pub reads: Reads,
    parts: ProjectorParts,
}

impl Views {
    /// Learns from the log which generations are read.
    pub async fn open(
        assembly: &Assembly,
        observer: Arc<dyn Observer>,
        stop: &CancellationToken,
    ) -> Result<Self> {
        let engines = &assembly.engines;
        let store = engines.views.clone().context("this role reads no views")?;
        let registry = engines.log.registry();
        let generations = Arc::new(Generations::new(
            &switched(engines.log.as_ref(), &registry).await?,
        ));
        let watermarks = Arc::new(Watermarks::default());
        let retire_ms = if assembly.is_shared { RETIRE_MS } else { 0 };
        let parts = ProjectorParts {
            store: store.clone(),
            log: engines.log.clone(),
            tailer: assembly.bus_tailer.clone(),
            clock: assembly.clock.clone(),
            spawn: assembly.folding.clone(),
            registry: registry.clone(),
            generations: generations.clone(),
            watermarks: watermarks.clone(),
            switch: Arc::new(ExecutorSwitch::new(
                assembly.executor.clone(),
                assembly.ids.clone(),
                registry.clone(),
            )),
            observer,
            options: ProjectorOptions {
                retire_ms,
                ..ProjectorOptions::default()
            },
        };
        if assembly.is_shared {
            let follow = FollowViews {
                store: store.clone(),
                log: engines.log.clone(),
                clock: assembly.clock.clone(),
                registry: registry.clone(),
                generations: generations.clone(),
                watermarks: watermarks.clone(),
            };
            follow.start(assembly.spawn.as_ref(), stop);
        }
        let reads = Reads::new(ReadsParts {
            store,
            clock: assembly.clock.clone(),
            registry,
            chains: assembly
                .chains
                .iter()
                .map(|c| (c.chain.settings.id.clone(), c.chain.settings.slug.clone()))
                .collect(),
            generations,
            watermarks,
        });
        Ok(Self { reads, parts })
    }

    /// Makes what reads need, so that they can be answered before the first event is folded.
    pub async fn prepare(&self) -> Result<()> {
        Ok(Projector::new(self.parts.clone()).prepare().await?)
    }

    /// Keeps the views of every family whose lease this process has.
    pub fn project(&self, assembly: &Assembly, stop: &CancellationToken) {
        let registry = &self.parts.registry;
        let families: std::collections::BTreeSet<Family> = ViewName::ALL
            .iter()
            .flat_map(|name| name.families(registry))
            .collect();
        // Counters that began with the first rebuild would hide it from `increase`.
        for name in ViewName::ALL {
            for family in name.families(registry) {
                let (view, is_running) = (name, false);
                self.parts.observer.observe(&Fact::Rebuilding {
                    view,
                    family: &family,
                    is_running,
                });
            }
        }
        for family in families {
            let (parts, lease) = (self.parts.clone(), format!("projectors/{family}"));
            under_lease(assembly, lease, stop, move |token| {
                let (group, parts, family) = (Group::new(&parts.spawn), parts.clone(), family.clone());
                let work: Work = Box::pin(async move {
                    group.spawn("projectors", keep(parts, family, token));
                    group.ended().await;
                });
                work
            });
        }
    }
}

async fn keep(parts: ProjectorParts, family: Family, stop: CancellationToken) {
    let projector = Projector::of_families(parts, vec![family.clone()]);
    if let Err(error) = projector.run(stop).await {
        tracing::error!(%family, error = %Causes(&error), "the projectors of a family ended");
    }
}
