//! The machine's adapters against the suites of their ports.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use vaultstream_domain::ports::Spawn;
use vaultstream_domain::ports::conformance::runtime;
use vaultstream_infra_runtime::{SystemClock, SystemIds, SystemRng, TokioSpawn};

#[tokio::test]
async fn machine_should_keep_the_runtime_contracts() {
    runtime::clock(&SystemClock).await;
    runtime::ids(&SystemIds);
    runtime::rng(&SystemRng);
    runtime::spawn(Arc::new(TokioSpawn::new(Handle::current())), &SystemClock).await;
}

#[tokio::test]
async fn panicking_task_should_be_counted_and_take_nobody_with_it() {
    let spawn = TokioSpawn::new(Handle::current());
    spawn.spawn("falls", Box::pin(async { panic!("on purpose") }));
    tokio::time::timeout(Duration::from_secs(5), async {
        while spawn.panics() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the panic is counted");
    let (told, heard) = tokio::sync::oneshot::channel();
    spawn.spawn(
        "goes on",
        Box::pin(async move {
            let _ = told.send(7);
        }),
    );
    assert_eq!(heard.await, Ok(7));
}
