//! The contracts of clock, ids, randomness and tasks as code.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ports::{Clock, Ids, Rng, Spawn};
use vaultstream_event_schemas::{ShardNumber, id};

/// Time does not stand still across a sleep, and no sleep is no time.
pub async fn clock(clock: &impl Clock) {
    let before = clock.now();
    clock.sleep_ms(0).await;
    clock.sleep_ms(20).await;
    let slept = clock.now().as_micros() - before.as_micros();
    assert!(slept >= 19_000, "slept {slept} µs of 20 ms");
}

/// Ids are unique, of version 7, in order of time, with free shard bits.
pub fn ids(ids: &impl Ids) {
    let made: Vec<_> = (0..2_000).map(|_| ids.next()).collect();
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
    for id in &made {
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id::shard_of(*id), ShardNumber(0));
        assert_eq!(id::without_shard(*id), *id);
    }
    let milliseconds: Vec<_> = made.iter().map(|id| id.as_u128() >> 80).collect();
    assert!(milliseconds.is_sorted(), "in order of time");
}

/// Bytes are filled, and not twice the same.
pub fn rng(rng: &impl Rng) {
    let (mut a, mut b) = ([0u8; 32], [0u8; 32]);
    rng.fill(&mut a);
    rng.fill(&mut b);
    assert_ne!(a, b);
    assert_ne!(a, [0; 32]);
    rng.fill(&mut []);
}

/// A task runs without being awaited, and so does one that it starts.
pub async fn spawn(spawn: Arc<impl Spawn + 'static>, clock: &impl Clock) {
    let (told, mut heard) = tokio::sync::mpsc::channel(2);
    let inner = Arc::clone(&spawn);
    spawn.spawn(
        "outer",
        Box::pin(async move {
            let again = told.clone();
            inner.spawn(
                "inner",
                Box::pin(async move {
                    let _ = again.send(2).await;
                }),
            );
            let _ = told.send(1).await;
        }),
    );
    let mut seen = HashSet::new();
    for _ in 0..500 {
        while let Ok(n) = heard.try_recv() {
            seen.insert(n);
        }
        if seen.len() == 2 {
            return;
        }
        clock.sleep_ms(10).await;
    }
    panic!("tasks did not run: {seen:?}");
}
