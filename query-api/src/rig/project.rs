//! The real projector over a rig's log.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::ViewStore;
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{LogBus, Tailer, TracingObserver};
use vaultstream_projectors::projector::{Projector, ProjectorOptions, ProjectorParts};
use vaultstream_projectors::{Generations, NoRebuilds, Watermarks};

use super::{History, Tasks};
use vaultstream_domain::ports::EventLog;

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
        switch: Arc::new(NoRebuilds),
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
