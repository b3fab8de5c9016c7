//! A process's surroundings in the simulation: its clock, which may stand wrong, its ids, its chance, its tasks.

use async_trait::async_trait;
use uuid::Uuid;
use vaultstream_domain::ports::runtime::BoxFuture;
use vaultstream_domain::ports::{Clock, Ids, Rng, Spawn};
use vaultstream_event_schemas::{Timestamp, id};

use crate::sched::{Life, Sim};

/// Everything that a process has of its own.
#[derive(Clone)]
pub struct Surroundings {
    /// The world.
    pub sim: Sim,
    /// Whose.
    pub life: Life,
    /// How far its clock is ahead, in microseconds.
    pub skew_us: i64,
}

#[async_trait]
impl Clock for Surroundings {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.sim.now_us() + self.skew_us)
    }

    async fn sleep_ms(&self, ms: u64) {
        if ms > 0 {
            self.sim.sleep_us(ms.saturating_mul(1_000)).await;
        }
    }
}

impl Ids for Surroundings {
    fn next(&self) -> Uuid {
        let entropy = self
            .sim
            .draw(|dice| u128::from(dice.roll()) << 64 | u128::from(dice.roll()));
        id::random(self.now().unix_ms(), entropy)
    }
}

impl Rng for Surroundings {
    fn fill(&self, buffer: &mut [u8]) {
        self.sim.draw(|dice| {
            for chunk in buffer.chunks_mut(8) {
                let bytes = dice.roll().to_le_bytes();
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
        });
    }
}

impl Spawn for Surroundings {
    fn spawn(&self, name: &'static str, task: BoxFuture) {
        self.sim.spawn(self.life, name, task);
    }
}
