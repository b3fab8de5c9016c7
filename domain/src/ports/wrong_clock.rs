//! How wrong the wall clocks of this process are told to be, by a test of what a wrong clock does.
//!
//! Whoever implements a port with the machine's time adds [`micros`] to it, so that all clocks of a process are wrong
//! together, as they are on a machine whose time service failed. Only builds with debug assertions can be told; in others
//! it is a constant nothing.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicI64, Ordering};

#[cfg(debug_assertions)]
static MICROS: AtomicI64 = AtomicI64::new(0);

/// Microseconds that the clock is ahead; behind when negative.
#[cfg(debug_assertions)]
pub fn micros() -> i64 {
    MICROS.load(Ordering::Relaxed)
}

/// Microseconds that the clock is ahead: none.
#[cfg(not(debug_assertions))]
pub const fn micros() -> i64 {
    0
}

/// From now on the clocks of this process are so far ahead; behind when negative.
#[cfg(debug_assertions)]
pub fn set_micros(ahead: i64) {
    MICROS.store(ahead, Ordering::Relaxed);
}
