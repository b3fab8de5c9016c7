//! A client in front of several processes of one role, as a load balancer sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use vaultstream_client::http::{Client, ClientError};

use crate::product::until;

/// How often processes are asked whether they are ready: well within the notice that a stopping one gives.
const PROBE: Duration = Duration::from_millis(250);

/// The processes of a role. Connections are kept from request to request.
pub struct Balancer {
    key: String,
    doors: Mutex<BTreeMap<String, Door>>,
}

struct Door {
    client: Client,
    ready: bool,
}

impl Balancer {
    /// No process yet; they are probed for as long as anybody holds this.
    pub fn start(key: &str) -> Arc<Self> {
        let balancer = Arc::new(Self {
            key: key.to_owned(),
            doors: Mutex::default(),
        });
        let held = Arc::downgrade(&balancer);
        tokio::spawn(async move {
            while let Some(balancer) = held.upgrade() {
                balancer.probe().await;
                drop(balancer);
                tokio::time::sleep(PROBE).await;
            }
        });
        balancer
    }

    fn doors(&self) -> MutexGuard<'_, BTreeMap<String, Door>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process more; it is used once it is ready.
    pub fn add(&self, base: &str) {
        let client = Client::try_new(base, Some(&self.key)).expect("the key was taken before");
        self.doors()
            .insert(base.to_owned(), Door { client, ready: false });
    }

    /// A process less.
    pub fn forget(&self, base: &str) {
        self.doors().remove(base);
    }

    /// Whether requests go to this one.
    pub fn is_ready(&self, base: &str) -> bool {
        self.doors().get(base).is_some_and(|door| door.ready)
    }

    /// Where requests go now.
    pub fn ready(&self) -> Vec<String> {
        let doors = self.doors();
        let ready = doors.iter().filter(|(_, door)| door.ready);
        ready.map(|(base, _)| base.clone()).collect()
    }

    async fn probe(&self) {
        let bases: Vec<String> = self.doors().keys().cloned().collect();
        for base in bases {
            // A connection of its own each time, as a kubelet makes.
            let answer = reqwest::get(format!("{base}/health/ready")).await;
            let ready = answer.is_ok_and(|answer| answer.status().is_success());
            if let Some(door) = self.doors().get_mut(&base) {
                door.ready = ready;
            }
        }
    }

    /// Asks processes that are ready, one after another, until one is reached; its answer is the answer.
    pub async fn ask<T, F>(&self, ask: impl Fn(Client) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        until("a process is ready and reached", || async {
            for base in self.ready() {
                let client = self.doors().get(&base).map(|door| door.client.clone());
                let Some(client) = client else { continue };
                match ask(client).await {
                    Ok(answer) => return Ok(Some(answer)),
                    // Nothing was sent, so somebody else may be asked.
                    Err(ClientError::Unreachable(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(None)
        })
        .await
    }
}
