//! Rebuilds that operators ask for: read from the log by whoever keeps the views of a family, and done one after another.
//!
//! The log is the queue: nothing is lost with a process, and what an ended one had begun is begun again. Nothing is read
//! while the platform's shard rests, and beside a busy one no more than the few streams of the family's views a moment.

use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::platform::{ViewGenerationState, platform_organization};
use vaultstream_event_schemas::Family;

use crate::projector::{Projector, report};
use crate::switch::generation_state;
use crate::view_name::ViewName;

/// The least time between two looks.
const LOOK_MS: u64 = 200;
/// Pause after something failed.
const PAUSE_MS: u64 = 1_000;

/// Why a look failed; it is taken again.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A rebuild that somebody has to do.
struct Wanted {
    name: ViewName,
    family: Family,
    state: ViewGenerationState,
}

impl Projector {
    /// Rebuilds what is asked for until `shutdown`.
    pub(crate) async fn serve_requests(&self, shutdown: &CancellationToken) {
        let mut seen = None;
        while !shutdown.is_cancelled() {
            let looked = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                looked = self.wanted(seen) => looked,
            };
            let pause = match looked {
                Ok((position, wanted)) => {
                    let mut is_done = true;
                    for wanted in wanted {
                        is_done &= self.serve(wanted, shutdown).await;
                    }
                    seen = is_done.then_some(position);
                    if is_done { LOOK_MS } else { PAUSE_MS }
                }
                Err(error) => {
                    tracing::warn!(error = %Causes(error.as_ref()), "requests for rebuilds cannot be read");
                    PAUSE_MS
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.parts.clock.sleep_ms(pause) => {}
            }
        }
    }

    /// Waits until the platform's shard is beyond `seen`; answers where it is.
    pub(crate) async fn platform_beyond(&self, seen: Option<u64>) -> Result<u64, Failure> {
        let (log, registry) = (self.parts.log.as_ref(), self.parts.registry.as_ref());
        let shard = platform_organization(registry).shard();
        loop {
            let position = log.heads().await?.get(&shard).map_or(0, |head| head.position);
            match seen {
                Some(seen) if position <= seen => log.wait_beyond(shard, position).await?,
                _ => return Ok(position),
            }
        }
    }

    /// Waits until the platform's shard is beyond `seen`; answers where it is, and the rebuilds to be done.
    async fn wanted(&self, seen: Option<u64>) -> Result<(u64, Vec<Wanted>), Failure> {
        let (log, registry) = (self.parts.log.as_ref(), self.parts.registry.as_ref());
        // Before the states, so that what is asked for in between is found by the next look.
        let position = self.platform_beyond(seen).await?;
        let mut wanted = Vec::new();
        for name in ViewName::ALL {
            for family in self.families_of(name) {
                let state = generation_state(log, registry, name, &family).await?;
                if state.requested.is_some() || state.building.is_some() {
                    wanted.push(Wanted { name, family, state });
                }
            }
        }
        Ok((position, wanted))
    }

    /// Does a rebuild; whether nothing is left of the request.
    async fn serve(&self, wanted: Wanted, shutdown: &CancellationToken) -> bool {
        let Wanted { name, family, state } = wanted;
        if self.rebuilding.try_lock().is_err() {
            return false;
        }
        // What is being built and not by us was left behind: two that believe in one lease do no harm, see the aggregate.
        let left_behind = state.building;
        if let Some(building) = &left_behind
            && building.generation != self.parts.generations.current(name, &family)
        {
            let at = name.at(family.clone(), building.generation);
            if let Err(error) = self.parts.store.drop_generation(&at).await {
                report(name, &family, &error);
                return false;
            }
        }
        let reason = state.requested.or(left_behind.map(|building| building.reason));
        let reason = reason.unwrap_or_default();
        tracing::info!(view = name.as_str(), %family, reason, "a rebuild that was asked for begins");
        match self.rebuild(name, &family, &reason, shutdown).await {
            Ok(rebuilt) => {
                tracing::info!(view = name.as_str(), %family, generation = rebuilt.generation, events = rebuilt.events, "the view is rebuilt");
                true
            }
            Err(error) => {
                report(name, &family, &error);
                // What is given up in the log is not found by the next look.
                false
            }
        }
    }
}
