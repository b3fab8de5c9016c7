//! The real projector over a rig's log.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::ViewStore;
use vaultstream_event_schemas::Family;
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{LogBus, Tailer, TracingObserver};
use vaultstream_projectors::projector::{
    Projector, ProjectorOptions, ProjectorParts, Source, SwitchGenerations,
};
use vaultstream_projectors::{Generations, ViewName, Watermarks};

use super::{History, Tasks};
use vaultstream_domain::ports::EventLog;

/// Nothing is rebuilt here.
struct NoRebuild;

#[async_trait]
impl SwitchGenerations for NoRebuild {
    async fn start(&self, _: &Family, _: ViewName, _: &str) -> Result<u32, Source> {
        Err("the rig rebuilds nothing".into())
    }
    async fn switch(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        Err("the rig rebuilds nothing".into())
    }
    async fn retried(
        &self,
        _: &Family,
        _: ViewName,
        _: u32,
        _: vaultstream_projectors::Retried,
    ) -> Result<(), Source> {
        Ok(())
    }
    async fn abandon(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        Ok(())
    }
}

/// What keeps all views of a log, with its tables made; it folds nothing until it is told to.
pub async fn prepared(
    history: &History,
    store: &Arc<dyn ViewStore>,
    generations: &Arc<Generations>,
    watermarks: &Arc<Watermarks>,
) -> Projector {
    let clock = Arc::new(SystemClock);
    let bus = Arc::new(LogBus::new(history.port()));
    let tailer = Tailer::new(
        bus,
        history.port(),
        clock.clone(),
        Arc::new(TracingObserver),
        TailOptions::default(),
    );
    let projector = Projector::new(ProjectorParts {
        store: Arc::clone(store),
        log: history.port(),
        tailer,
        clock,
        spawn: Arc::new(Tasks),
        registry: history.log.registry(),
        generations: Arc::clone(generations),
        watermarks: Arc::clone(watermarks),
        switch: Arc::new(NoRebuild),
        observer: Arc::new(vaultstream_projectors::Unobserved),
        options: ProjectorOptions::default(),
    });
    projector.prepare().await.expect("tables");
    projector
}

/// Folds until the test ends.
pub fn fold(projector: Projector) {
    tokio::spawn(async move { projector.run(CancellationToken::new()).await });
}
