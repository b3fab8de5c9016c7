//! The operating system's randomness.

use vaultstream_domain::ports::Rng;

/// Randomness fit for keys. A system without a source of it cannot run a custody platform, so its failure ends the
/// task that asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system provides randomness");
    }
}
