//! The doors: commands, queries, the dashboard, health and metrics, behind one edge.

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
use vaultstream_gateway::hosts::Hosts;
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions};
use vaultstream_projectors::Reads;
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
    /// The views, where this process reads them.
    pub reads: Option<Reads>,
    /// The built dashboard.
    pub dashboard: Dashboard,
    /// Tells when sockets are to go elsewhere.
    pub draining: watch::Receiver<bool>,
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
            relays: self.roles.has(Role::Relay) && self.assembly.engines.publisher.is_some(),
            waiting: Arc::default(),
            measuring: Arc::default(),
            draining: self.draining.clone(),
        });
        let mut router = Router::new().merge(health);
        if self.roles.has_doors() {
            router = self.open(router, hub).await?;
        }
        let names = self
            .config
            .gateway
            .hosts
            .iter()
            .cloned()
            .chain([self.config.listen.ip().to_string()]);
        let options = EdgeOptions {
            hosts: Hosts::new(names, [] as [&str; 0]),
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
        let (per_credential, per_address) = DoorParts::DEFAULT_QUOTAS;
        let parts = DoorParts {
            credentials: credentials.clone(),
            clock: assembly.clock.clone(),
            per_credential,
            per_address,
        };
        let door = match &assembly.engines.rate_limits {
            Some(limits) => Door::sharing(parts, limits),
            None => Door::new(parts),
        };
        let mac = MacKey::new(assembly.keystore.platform_secret("token-mac").await?);
        if self.roles.has(Role::CommandApi) {
            let services = self.commands(directory, credentials, mac.clone());
            router = router.merge(vaultstream_command_api::router(services, &door));
        }
        if let (Some(hub), Some(reads)) = (hub, self.reads.clone()) {
            let services = vaultstream_query_api::Services {
                log: log.clone(),
                reads,
                hub,
                chains: self.chains().into(),
                heads: self.heads.clone(),
                mac,
                clock: assembly.clock.clone(),
                observer: self.observed.clone(),
                drain: self.draining.clone(),
            };
            let rest = vaultstream_query_api::rest::RestParts {
                services: services.clone(),
                keyring: assembly.keystore.clone(),
                platform: platform_organization(&log.registry()),
            };
            router = router
                .merge(vaultstream_query_api::rest::router(rest, &door))
                .merge(vaultstream_query_api::router(services, door));
        }
        if self.dashboard.is_present() && self.roles.has(Role::QueryApi) {
            let dashboard = axum::routing::any(web::serve).with_state(self.dashboard.clone());
            router = router.fallback_service(dashboard);
        }
        Ok(router)
    }

    fn commands(
        &self,
        directory: Arc<Directory>,
        credentials: Credentials,
        tokens: MacKey,
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
            platform: platform_organization(&log.registry()),
            options: CommandOptions::default(),
        })
    }
}
