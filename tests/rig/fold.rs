//! Whether views are what a fold from zero gives: digests of every view, as a store has them and as an empty store has
//! them after folding the whole log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_event_schemas::Family;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_infra_runtime::{SystemClock, TokioSpawn};
use vaultstream_infra_sqlite::{SqliteViews, ViewOptions};
use vaultstream_kernel::tailer::{TailOptions, Tailer};
use vaultstream_kernel::{LogBus, TracingObserver};
use vaultstream_projectors::dump::digest;
use vaultstream_projectors::views::{tables_of, view};
use vaultstream_projectors::{
    Generations, OnlyNumbers, Projector, ProjectorOptions, ProjectorParts, Reads, ReadsParts, Unobserved,
    ViewName, Watermarks,
};

/// Generations that are dumped: the first, because nobody rebuilds while the rig looks.
const GENERATION: u32 = 1;
/// How long a fold may stand still.
const STANDSTILL: Duration = Duration::from_secs(120);

/// A digest for every view in every family.
pub type Digests = BTreeMap<(ViewName, Family), String>;

/// What a store has.
pub async fn of(store: &dyn ViewStore, log: &dyn EventLog) -> Result<Digests> {
    let mut digests = Digests::new();
    for name in ViewName::ALL {
        for family in name.families(&log.registry()) {
            let at = name.at(family.clone(), GENERATION);
            // Does nothing but look: the tables are there.
            store.create(&at, &tables_of(view(name).as_ref())).await?;
            let found = digest(store, view(name).as_ref(), &at).await;
            let found = found.with_context(|| format!("{} of {family}", name.as_str()))?;
            digests.insert((name, family), found);
        }
    }
    Ok(digests)
}

/// What an empty store in `dir` has once it has folded the whole log, to which nobody writes.
pub async fn from_zero(log: &Arc<dyn EventLog>, dir: &Path) -> Result<Digests> {
    let registry = log.registry();
    let mut families: Vec<Family> = registry
        .entries()
        .iter()
        .map(|entry| entry.family.clone())
        .collect();
    families.dedup();
    let store: Arc<dyn ViewStore> = Arc::new(SqliteViews::open(&ViewOptions::new(dir, families))?);
    let (generations, watermarks) = (Arc::new(Generations::default()), Arc::new(Watermarks::default()));
    let (clock, observer) = (Arc::new(SystemClock), Arc::new(TracingObserver));
    let bus = Arc::new(LogBus::new(log.clone()));
    let tailer = Tailer::new(bus, log.clone(), clock.clone(), observer, TailOptions::default());
    let projector = Projector::new(ProjectorParts {
        store: store.clone(),
        log: log.clone(),
        tailer,
        clock: clock.clone(),
        spawn: Arc::new(TokioSpawn::new(Handle::current())),
        registry: registry.clone(),
        generations: generations.clone(),
        watermarks: watermarks.clone(),
        switch: Arc::new(OnlyNumbers::default()),
        observer: Arc::new(Unobserved),
        options: ProjectorOptions::default(),
    });
    let reads = Reads::new(ReadsParts {
        store: store.clone(),
        clock,
        registry,
        chains: BTreeMap::new(),
        generations,
        watermarks,
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { projector.run(stop).await }
    });
    let folded = caught_up(log.as_ref(), &reads).await;
    stop.cancel();
    // It ends by the token; how is of no interest once everything is folded.
    let _ = running.await;
    folded?;
    of(store.as_ref(), log.as_ref()).await
}

/// Waits until every view holds everything, as long as they move.
async fn caught_up(log: &dyn EventLog, reads: &Reads) -> Result<()> {
    let heads = log.heads().await?;
    let places = heads.iter().map(|(shard, head)| {
        let place = Place {
            incarnation: head.incarnation,
            position: head.position,
        };
        (*shard, place)
    });
    let wanted = Positions(places.collect());
    let (mut seen, mut moved) = (0, Instant::now());
    while let Err(error) = reads.wait(&ViewName::ALL, &wanted, 1_000).await {
        let folded = reads.positions(&ViewName::ALL).await?;
        let folded: u64 = folded.0.values().map(|place| place.position).sum();
        if folded > seen {
            (seen, moved) = (folded, Instant::now());
        }
        ensure!(
            moved.elapsed() < STANDSTILL,
            "the fold from zero stands still at {folded}: {error}"
        );
    }
    Ok(())
}

/// That two stores have the same; every view that differs is named.
pub fn same(one: &Digests, other: &Digests) -> Result<()> {
    ensure!(!one.is_empty(), "no view was compared");
    let differ: Vec<String> = one
        .iter()
        .filter(|(view, digest)| other.get(*view) != Some(*digest))
        .map(|((view, family), _)| format!("{} of {family}", view.as_str()))
        .collect();
    ensure!(
        differ.is_empty() && one.len() == other.len(),
        "{} of {} views are not what a fold from zero gives: {}",
        differ.len(),
        one.len(),
        differ.join(", ")
    );
    Ok(())
}
