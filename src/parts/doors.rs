//! The doors: commands, queries, the dashboard, health and metrics, behind one edge.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::watch;
use vaultstream_command_api::{Options as CommandOptions, ServicesParts};
use vaultstream_domain::platform::platform_organization;
use vaultstream_domain::ports::Keyring;
use vaultstream_event_schemas::token::MacKey;
use vaultstream_event_schemas::{ChainId, chain::ChainHead};
use vaultstream_gateway::catalogue::{Catalogue, ChainHeads};
use vaultstream_gateway::kept::{CountLookups, Kept, Lookup};
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions};
use vaultstream_infra_telemetry::{CacheOutcome, Metrics};
use vaultstream_kernel::{MarkStanding, NewestCheckpoint};
use vaultstream_projectors::{Reads, ViewName};
use vaultstream_query_api::Drain;
use vaultstream_query_api::answers::Answers;
use vaultstream_query_api::hub::{Hub, HubParts};
use vaultstream_query_api::services::Heads;

use crate::assembly::Assembly;
use crate::config::Config;
use crate::health::{self, Health};
use crate::observer::Observed;
use crate::requests;
use crate::roles::{Role, Roles};
use crate::web::{self, Dashboard};

/// Heads as the command side asks for them.
struct HeadsOf(watch::Receiver<Heads>);

impl ChainHeads for HeadsOf {
    fn head(&self, chain: &ChainId) -> Option<ChainHead> {
        self.0.borrow().get(chain).map(|seen| seen.head.clone())
    }
}

/// Counts look-ups among kept answers.
struct Counted(Metrics);

impl CountLookups for Counted {
    fn looked_up(&self, cache: &'static str, lookup: Lookup) {
        let outcome = match lookup {
            Lookup::Hit => CacheOutcome::Hit,
            Lookup::Miss => CacheOutcome::Miss,
            Lookup::Failed => CacheOutcome::Failed,
        };
        self.0.hub.cache(cache, outcome);
    }
}

/// What the doors of a process are made of.
pub struct Doors<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The ports.
    pub assembly: &'a Assembly,
    /// Which doors.
    pub roles: &'a Roles,
    /// What happens and is counted.
    pub observed: Arc<Observed>,
    /// Where the chains stand.
    pub heads: watch::Receiver<Heads>,
    /// The newest checkpoint.
    pub checkpoint: NewestCheckpoint,
    /// Whether the log holds its mark, where this process looks.
    pub marks: Option<MarkStanding>,
    /// The views, where this process reads them.
    pub reads: Option<Reads>,
    /// The built dashboard.
    pub dashboard: Dashboard,
    /// Tells when callers are to go elsewhere.
    pub drain: Drain,
}

/// An address as a Host header names it.
fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

impl Doors<'_> {
    /// Everything this process answers.
    pub async fn router(self) -> Result<Router> {
        let hub = self.hub().await?;
        let health = health::router(Health {
            log: self.assembly.engines.log.clone(),
            reads: self.reads.clone(),
            chains: self.chains().into(),
            chain_heads: self.heads.clone(),
            hub: hub.clone(),
            clock: self.assembly.clock.clone(),
            observed: self.observed.clone(),
            leases: self.assembly.leases.clone(),
            executor: self.assembly.executor.clone(),
            progress: self.assembly.engines.progress.clone(),
            checkpoint: self.checkpoint.clone(),
            marks: self.marks.clone(),
            relays: self.roles.has(Role::Relay) && self.assembly.engines.publisher.is_some(),
            waiting: Arc::default(),
            measuring: Arc::default(),
            draining: self.drain.begun(),
        });
        let mut router = Router::new().merge(health);
        if self.roles.has_doors() {
            router = self.open(router, hub).await?;
        }
        let gateway = &self.config.gateway;
        let options = EdgeOptions {
            hosts: gateway.hosts(host_of(self.config.listen.ip())),
            https_only: gateway.https_only,
            ..EdgeOptions::default()
        };
        let router = Edge::new(&options, self.assembly.ids.clone()).wrap(router);
        let metrics = Arc::new(self.observed.metrics.clone());
        let router = router.layer(from_fn_with_state(metrics, requests::count));
        Ok(match self.config.telemetry.otlp_endpoint {
            Some(_) => router.layer(from_fn(requests::trace)),
            None => router,
        })
    }

    fn chains(&self) -> Vec<vaultstream_event_schemas::chain::ChainSettings> {
        self.assembly
            .chains
            .iter()
            .map(|c| c.chain.settings.clone())
            .collect()
    }

    /// The hub, where subscriptions are served.
    async fn hub(&self) -> Result<Option<Hub>> {
        let (true, Some(reads)) = (self.roles.has(Role::QueryApi), &self.reads) else {
            return Ok(None);
        };
        let parts = HubParts {
            log: self.assembly.engines.log.clone(),
            folded: Arc::new(reads.clone()),
            clock: self.assembly.clock.clone(),
            observer: self.observed.clone(),
        };
        let hub = Hub::init(parts, self.assembly.spawn.as_ref()).await;
        hub.map(Some).map_err(|refusal| anyhow::anyhow!(refusal.detail))
    }

    async fn open(&self, mut router: Router, hub: Option<Hub>) -> Result<Router> {
        let (assembly, log) = (self.assembly, &self.assembly.engines.log);
        let directory = Directory::start(
            log.clone(),
            assembly.log_bus.clone(),
            assembly.clock.clone(),
            assembly.spawn.as_ref(),
        )
        .await?;
        let credentials = Credentials::new(directory.clone(), assembly.clock.clone());
        let quotas = self.config.gateway.quotas;
        let parts = DoorParts {
            credentials: credentials.clone(),
            clock: assembly.clock.clone(),
            per_credential: quotas.per_credential.into(),
            per_address: quotas.per_address.into(),
        };
        let door = match &assembly.engines.rate_limits {
            Some(limits) => Door::sharing(parts, limits),
            None => Door::new(parts),
        };
        let mac = MacKey::new(assembly.keystore.platform_secret("token-mac").await?);
        let counts = Arc::new(Counted(self.observed.metrics.clone()));
        let kept = Kept::new(assembly.engines.cache.clone(), counts, mac.clone());
        if self.roles.has(Role::CommandApi) {
            let services = self.commands(directory, credentials, (mac.clone(), kept.clone()));
            router = router.merge(vaultstream_command_api::router(services, &door));
        }
        if let (Some(hub), Some(reads)) = (hub, self.reads.clone()) {
            let services = self.queries(reads, hub, (mac, kept));
            let rest = vaultstream_query_api::rest::RestParts {
                services: services.clone(),
                platform: platform_organization(&log.registry()),
                executor: assembly.executor.clone(),
                spawn: assembly.spawn.clone(),
            };
            router = router
                .merge(vaultstream_query_api::rest::router(rest, &door))
                .merge(vaultstream_query_api::router(services, door));
        }
        router = router.layer(from_fn_with_state(self.drain.begun(), requests::let_go));
        if self.dashboard.is_present() && self.roles.has(Role::QueryApi) {
            let dashboard = axum::routing::any(web::serve).with_state(self.dashboard.clone());
            router = router.fallback_service(dashboard);
        }
        Ok(router)
    }

    fn queries(
        &self,
        reads: Reads,
        hub: Hub,
        (mac, kept): (MacKey, Kept),
    ) -> vaultstream_query_api::Services {
        let assembly = self.assembly;
        let chains = self.chains();
        vaultstream_query_api::Services {
            log: assembly.engines.log.clone(),
            reads,
            hub,
            answers: Answers::new(kept, &chains),
            keyring: assembly.keystore.clone(),
            chains: chains.into(),
            heads: self.heads.clone(),
            mac,
            clock: assembly.clock.clone(),
            observer: self.observed.clone(),
            drain: self.drain.clone(),
        }
    }

    fn commands(
        &self,
        directory: Arc<Directory>,
        credentials: Credentials,
        (tokens, kept): (MacKey, Kept),
    ) -> Arc<vaultstream_command_api::Services> {
        let (assembly, log) = (self.assembly, &self.assembly.engines.log);
        let id = |chain: &crate::assembly::ChainParts| chain.chain.settings.id.clone();
        vaultstream_command_api::Services::new(ServicesParts {
            log: log.clone(),
            executor: assembly.executor.clone(),
            directory,
            credentials,
            keyring: assembly.keystore.clone(),
            clock: assembly.clock.clone(),
            ids: assembly.ids.clone(),
            rng: assembly.rng.clone(),
            catalogue: Catalogue::new(self.chains()),
            heads: Arc::new(HeadsOf(self.heads.clone())),
            nodes: assembly
                .chains
                .iter()
                .map(|c| (id(c), c.chain.node.clone()))
                .collect(),
            faucets: assembly
                .chains
                .iter()
                .filter_map(|c| Some((id(c), c.faucet.clone()?)))
                .collect(),
            tokens,
            kept,
            platform: platform_organization(&log.registry()),
            checkpoint: self.checkpoint.clone(),
            marks: self.marks.clone().unwrap_or_else(MarkStanding::holds),
            views: ViewName::ALL
                .into_iter()
                .map(|name| (name.as_str(), name.families(&log.registry())))
                .collect(),
            options: CommandOptions {
                secure_cookies: self.config.gateway.secure_cookies,
                ..CommandOptions::default()
            },
        })
    }
}
