//! Work that one process at a time does: it runs while a lease is held and stops when the lease is lost.
//!
//! A lease saves work and decides nothing: everything run here is also right when two do it, so a process that was
//! asleep may go on for a moment beside its successor.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::{Clock, Leases};

/// How long a lease lasts without being renewed.
const LEASE: Duration = Duration::from_secs(10);
/// How often it is renewed, and asked for by those who do not have it.
const RENEW_MS: u64 = 2_000;
/// Renewals that may fail in a row before the work stops: the lease has not run out by then.
const MISSES: u32 = 3;

/// Who asks for leases.
#[derive(Clone)]
pub struct Holder {
    /// Where leases are.
    pub leases: Arc<dyn Leases>,
    /// Paces.
    pub clock: Arc<dyn Clock>,
    /// A name no other process has.
    pub name: String,
}

impl Holder {
    /// Runs `work` whenever the lease is had, until `stop`. The work gets a token of its own and must end when it is
    /// cancelled; when it ends by itself it is started again.
    pub async fn hold<W, F>(self, lease: String, stop: CancellationToken, work: W)
    where
        W: Fn(CancellationToken) -> F,
        F: Future<Output = ()>,
    {
        while !stop.is_cancelled() {
            if self.ask(&lease).await == Some(true) {
                tracing::info!(lease, "held");
                let working = stop.child_token();
                let run = async {
                    work(working.clone()).await;
                    working.cancel();
                };
                tokio::join!(run, self.keep(&lease, &working));
                self.give_back(&lease).await;
                tracing::info!(lease, "given back");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.clock.sleep_ms(RENEW_MS) => {}
            }
        }
    }

    /// Renews until the work has ended; ends the work when the lease is lost.
    async fn keep(&self, lease: &str, working: &CancellationToken) {
        let mut misses = 0;
        loop {
            tokio::select! {
                () = working.cancelled() => return,
                () = self.clock.sleep_ms(RENEW_MS) => {}
            }
            match self.ask(lease).await {
                Some(true) => misses = 0,
                Some(false) => break,
                None => misses += 1,
            }
            if misses >= MISSES {
                break;
            }
        }
        tracing::info!(lease, "another process has it, or is to have it");
        working.cancel();
    }

    async fn ask(&self, lease: &str) -> Option<bool> {
        match self.leases.acquire(lease, &self.name, LEASE).await {
            Ok(held) => Some(held),
            Err(error) => {
                tracing::warn!(lease, error = %Causes(&error), "a lease could not be asked for");
                None
            }
        }
    }

    async fn give_back(&self, lease: &str) {
        if let Err(error) = self.leases.release(lease, &self.name).await {
            tracing::warn!(lease, error = %Causes(&error), "a lease was not given back; it runs out by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use vaultstream_infra_runtime::SystemClock;
    use vaultstream_infra_sqlite::SqliteLeases;

    use super::*;

    fn holder(leases: &Arc<SqliteLeases>, name: &str) -> Holder {
        Holder {
            leases: leases.clone(),
            clock: Arc::new(SystemClock),
            name: name.to_owned(),
        }
    }

    #[tokio::test]
    async fn second_process_should_work_when_the_first_has_stopped() {
        let dir = tempfile::tempdir().expect("a directory");
        let leases = Arc::new(SqliteLeases::open(&dir.path().join("leases.db")).expect("opens"));
        let busy: Arc<[AtomicU32; 2]> = Arc::default();
        let start = |index: usize, stop: &CancellationToken| {
            let (busy, stop) = (busy.clone(), stop.clone());
            let holder = holder(&leases, &format!("process {index}"));
            tokio::spawn(holder.hold("work".to_owned(), stop, move |token| {
                let busy = busy.clone();
                async move {
                    busy[index].fetch_add(1, Ordering::SeqCst);
                    token.cancelled().await;
                    busy[index].fetch_sub(1, Ordering::SeqCst);
                }
            }))
        };
        let seen = |index: usize| busy[index].load(Ordering::SeqCst);
        let (first_stop, second_stop) = (CancellationToken::new(), CancellationToken::new());
        let first = start(0, &first_stop);
        while seen(0) == 0 {
            tokio::task::yield_now().await;
        }
        let second = start(1, &second_stop);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!((seen(0), seen(1)), (1, 0), "one at a time");
        first_stop.cancel();
        first.await.expect("ends");
        tokio::time::timeout(Duration::from_secs(10), async {
            while seen(1) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the lease was given back");
        assert_eq!(seen(0), 0);
        second_stop.cancel();
        second.await.expect("ends");
    }
}
