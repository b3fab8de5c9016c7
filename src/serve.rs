//! `vaultstream serve`: opens the embedded assembly, starts its parts in order, and stops them in the other.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vaultstream_command_api::{Options as CommandOptions, ServicesParts};
use vaultstream_domain::platform::platform_organization;
use vaultstream_domain::ports::Keyring;
use vaultstream_event_schemas::token::MacKey;
use vaultstream_event_schemas::{ChainId, chain::ChainHead};
use vaultstream_gateway::catalogue::{Catalogue, ChainHeads};
use vaultstream_gateway::hosts::Hosts;
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Edge, EdgeOptions};
use vaultstream_infra_telemetry::{LogFormat, LogOptions, Metrics};
use vaultstream_projectors::projector::{Projector, ProjectorOptions, ProjectorParts};
use vaultstream_projectors::{ExecutorSwitch, Generations, Reads, ReadsParts, Watermarks, switched};
use vaultstream_query_api::hub::Hub;
use vaultstream_query_api::services::Heads;
use vaultstream_workflows::Services as WorkflowServices;

use crate::config::{Config, LogFormat as ConfiguredFormat, Overrides};
use crate::embedded::Embedded;
use crate::faults::HaltAt;
use crate::health::{self, Health};
use crate::observer::Observed;
use crate::seed::Seeds;
use crate::web::{self, Dashboard};
use crate::{requests, tasks};

/// How long open requests may take when the process stops.
const DRAIN_SECONDS: u64 = 10;

/// Runs the product until it is told to stop.
pub fn run(file: Option<&Path>, overrides: &Overrides, demo: bool) -> Result<()> {
    let config = Config::load(file, overrides)?;
    let format = match config.log_format {
        ConfiguredFormat::Json => LogFormat::Json,
        ConfiguredFormat::Text => LogFormat::Text,
    };
    vaultstream_infra_telemetry::init(&LogOptions {
        format,
        filter: config.log_filter.clone(),
    })?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(config, demo))
}

async fn serve(config: Config, demo: bool) -> Result<()> {
    let stop = CancellationToken::new();
    let metrics = Metrics::new();
    let dashboard = Dashboard::read(&config.web_dir)?;
    // The port is taken first: a second process fails before it touches anything.
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "{} cannot be listened on; choose another with --listen",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    let embedded = Embedded::open(&config, Arc::new(Observed(metrics.clone())), &stop).await?;
    let (drain, draining) = watch::channel(false);
    let app = assemble(&config, &embedded, &metrics, dashboard, draining, &stop).await?;
    let seeds = Seeds {
        log: embedded.log.clone(),
        executor: embedded.executor.clone(),
        ids: embedded.ids.clone(),
        rng: embedded.rng.clone(),
        clock: embedded.clock.clone(),
        data_dir: &config.data_dir,
    };
    seeds.platform().await?;
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let server = tokio::spawn(serving.into_future());
    println!("Vaultstream is ready at http://{address}");
    if demo {
        announce_demo(&seeds, &embedded, address).await?;
    }
    wait_for_signal().await?;
    tracing::info!("stopping");
    drain.send_replace(true);
    stop.cancel();
    if tokio::time::timeout(std::time::Duration::from_secs(DRAIN_SECONDS), server)
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
    for sandbox in embedded.sandboxes {
        sandbox.shutdown().await;
    }
    Ok(())
}

async fn announce_demo(seeds: &Seeds<'_>, embedded: &Embedded, address: SocketAddr) -> Result<()> {
    let demo = seeds
        .demo(&embedded.chains)
        .await
        .context("the demo cannot be seeded")?;
    println!("Demo API key: {}", demo.key_file.display());
    println!("One-time sign-in link: http://{address}{}", demo.link_path);
    Ok(())
}

async fn wait_for_signal() -> Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}

/// Heads as the command side asks for them.
struct HeadsOf(watch::Receiver<Heads>);

impl ChainHeads for HeadsOf {
    fn head(&self, chain: &ChainId) -> Option<ChainHead> {
        self.0.borrow().get(chain).map(|seen| seen.head.clone())
    }
}

async fn start_projectors(embedded: &Embedded, stop: &CancellationToken) -> Result<Reads> {
    let registry = embedded.log.registry();
    let generations = Arc::new(Generations::new(
        &switched(embedded.log.as_ref(), &registry).await?,
    ));
    let watermarks = Arc::new(Watermarks::default());
    let projector = Projector::new(ProjectorParts {
        store: embedded.views.clone(),
        log: embedded.log.clone(),
        tailer: embedded.tailer.clone(),
        clock: embedded.clock.clone(),
        spawn: embedded.spawn.clone(),
        registry: embedded.log.registry(),
        generations: generations.clone(),
        watermarks: watermarks.clone(),
        switch: Arc::new(ExecutorSwitch::new(
            embedded.executor.clone(),
            embedded.ids.clone(),
            registry.clone(),
        )),
        options: ProjectorOptions::default(),
    });
    projector.prepare().await?;
    let running = stop.clone();
    embedded.spawn.spawn(
        "projector",
        Box::pin(async move {
            if let Err(error) = projector.run(running).await {
                tracing::error!(%error, "the projectors ended");
            }
        }),
    );
    Ok(Reads::new(ReadsParts {
        store: embedded.views.clone(),
        clock: embedded.clock.clone(),
        registry: embedded.log.registry(),
        chains: embedded
            .chains
            .iter()
            .map(|c| (c.chain.settings.id.clone(), c.chain.settings.slug.clone()))
            .collect(),
        generations,
        watermarks,
    }))
}

async fn start_workflows(
    embedded: &Embedded,
    reads: &Reads,
    stop: &CancellationToken,
) -> Result<watch::Receiver<Heads>> {
    let chains: BTreeMap<_, _> = embedded
        .chains
        .iter()
        .map(|c| (c.chain.settings.id.clone(), c.chain.clone()))
        .collect();
    let services = WorkflowServices {
        log: embedded.log.clone(),
        bus: embedded.bus.clone(),
        commands: Arc::new(embedded.executor.clone()),
        clock: embedded.clock.clone(),
        ids: embedded.ids.clone(),
        progress: embedded.progress.clone(),
        account_keys: embedded.keystore.clone(),
        signing: embedded.keystore.clone(),
        chains: Arc::new(chains),
        boundary: Arc::new(HaltAt::from_env()),
    };
    let lanes = tasks::start_workflows(&services, reads, &embedded.spawn, stop).await?;
    Ok(tasks::watch_heads(&lanes, &embedded.clock, &embedded.spawn, stop))
}

async fn assemble(
    config: &Config,
    embedded: &Embedded,
    metrics: &Metrics,
    dashboard: Dashboard,
    draining: watch::Receiver<bool>,
    stop: &CancellationToken,
) -> Result<Router> {
    let reads = start_projectors(embedded, stop).await?;
    let heads = start_workflows(embedded, &reads, stop).await?;
    let hub = Hub::init(
        embedded.log.clone(),
        Arc::new(reads.clone()),
        embedded.spawn.as_ref(),
    )
    .await
    .map_err(|refusal| anyhow::anyhow!(refusal.detail))?;
    let directory = Directory::start(
        embedded.log.clone(),
        embedded.bus.clone(),
        embedded.clock.clone(),
        embedded.spawn.as_ref(),
    )
    .await?;
    let credentials = Credentials::new(directory.clone(), embedded.clock.clone());
    let (per_credential, per_address) = DoorParts::DEFAULT_QUOTAS;
    let door = Door::new(DoorParts {
        credentials: credentials.clone(),
        clock: embedded.clock.clone(),
        per_credential,
        per_address,
    });
    let mac = MacKey::new(embedded.keystore.platform_secret("token-mac").await?);
    let settings: Vec<_> = embedded.chains.iter().map(|c| c.chain.settings.clone()).collect();
    let query = vaultstream_query_api::Services {
        log: embedded.log.clone(),
        reads,
        hub,
        chains: settings.clone().into(),
        heads: heads.clone(),
        mac: mac.clone(),
        clock: embedded.clock.clone(),
        drain: draining,
    };
    let commands = vaultstream_command_api::Services::new(ServicesParts {
        log: embedded.log.clone(),
        executor: embedded.executor.clone(),
        directory,
        credentials,
        keyring: embedded.keystore.clone(),
        clock: embedded.clock.clone(),
        ids: embedded.ids.clone(),
        rng: embedded.rng.clone(),
        catalogue: Catalogue::new(settings),
        heads: Arc::new(HeadsOf(heads)),
        nodes: embedded
            .chains
            .iter()
            .map(|c| (c.chain.settings.id.clone(), c.chain.node.clone()))
            .collect(),
        faucets: embedded
            .chains
            .iter()
            .filter_map(|c| Some((c.chain.settings.id.clone(), c.faucet.clone()?)))
            .collect(),
        tokens: mac,
        platform: platform_organization(&embedded.log.registry()),
        options: CommandOptions::default(),
    });
    let rest = vaultstream_query_api::rest::RestParts {
        services: query.clone(),
        keyring: embedded.keystore.clone(),
        platform: platform_organization(&embedded.log.registry()),
    };
    let router = Router::new()
        .merge(vaultstream_command_api::router(commands, &door))
        .merge(vaultstream_query_api::rest::router(rest, &door))
        .merge(vaultstream_query_api::router(query.clone(), door))
        .merge(health::router(Health {
            services: query,
            metrics: metrics.clone(),
        }))
        .layer(from_fn_with_state(metrics.clone(), requests::count));
    let router = if dashboard.is_present() {
        router.fallback_service(axum::routing::any(web::serve).with_state(dashboard))
    } else {
        router
    };
    let names = config
        .gateway
        .hosts
        .iter()
        .cloned()
        .chain([config.listen.ip().to_string()]);
    let options = EdgeOptions {
        hosts: Hosts::new(names, [] as [&str; 0]),
        ..EdgeOptions::default()
    };
    Ok(Edge::new(&options, embedded.ids.clone()).wrap(router))
}
