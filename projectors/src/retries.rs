//! Retries that operators ask for: parked streams are folded again, in order, by the worker that keeps them.
//!
//! The log is the queue, as it is for rebuilds: nothing is lost with a process, and what an ended one had begun is begun
//! again, which folds nothing twice. A retry never waits for a rebuild. Other shards and other streams go on meanwhile.

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_event_schemas::Family;

use crate::lane::Retried;
use crate::observer::Fact;
use crate::projector::Projector;
use crate::requests::Failure;
use crate::switch::generation_state;
use crate::view_name::ViewName;
use crate::worker::Control;

/// The least time between two looks.
const LOOK_MS: u64 = 200;
/// Pause after something failed.
const PAUSE_MS: u64 = 1_000;

impl Projector {
    /// Retries what is asked for until `shutdown`.
    pub(crate) async fn serve_retries(&self, shutdown: &CancellationToken) {
        let mut seen = None;
        while !shutdown.is_cancelled() {
            let looked = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                looked = self.retry_all(seen) => looked,
            };
            let pause = match looked {
                Ok(position) => {
                    seen = Some(position);
                    LOOK_MS
                }
                Err(error) => {
                    tracing::warn!(error = %Causes(error.as_ref()), "a retry that was asked for is not done yet");
                    seen = None;
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

    /// Waits until the platform's shard is beyond `seen`, and does the retries that are asked for; answers where it is.
    async fn retry_all(&self, seen: Option<u64>) -> Result<u64, Failure> {
        let position = self.platform_beyond(seen).await?;
        let (log, registry) = (self.parts.log.as_ref(), self.parts.registry.as_ref());
        for name in ViewName::ALL {
            for family in self.families_of(name) {
                let state = generation_state(log, registry, name, &family).await?;
                if let Some(reason) = state.retry {
                    self.retry(name, &family, &reason).await?;
                }
            }
        }
        Ok(position)
    }

    /// Folds what is parked of a view in a family again, shard by shard, and writes down what became of it.
    pub async fn retry(&self, name: ViewName, family: &Family, reason: &str) -> Result<Retried, Failure> {
        let generation = self.parts.generations.current(name, family);
        let at = name.at(family.clone(), generation);
        tracing::info!(view = at.view, %family, reason, "what is parked is tried again");
        let mut all = Retried::default();
        for shard in self.parts.registry.shards_of(family) {
            let (done, answer) = oneshot::channel();
            self.ask(shard, Control::Retry(at.clone(), done))
                .await
                .ok_or("no worker keeps the shard")?;
            let Retried { healed, parked } = answer
                .await
                .map_err(|_| "the worker began again, which is a retry of its own")?;
            all.healed += healed;
            all.parked += parked;
        }
        self.parts.observer.observe(&Fact::Retried {
            view: name,
            family,
            healed: all.healed,
        });
        let switch = &self.parts.switch;
        switch.retried(family, name, generation, all).await?;
        tracing::info!(view = at.view, %family, healed = all.healed, parked = all.parked, "the retry is done");
        Ok(all)
    }
}
