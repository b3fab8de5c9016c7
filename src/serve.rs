//! `vaultstream serve`: opens the configured assembly, starts the parts of this process in order, and stops them in the
//! other.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::SealText;
use vaultstream_infra_runtime::give_way;
use vaultstream_infra_telemetry::{LogFormat, LogOptions, Metrics, SpanOptions, Telemetry};
use vaultstream_kernel::{Marking, NewestCheckpoint};
use vaultstream_query_api::Drain;
use vaultstream_workflows::{Barrier, Closed, Services as WorkflowServices};

use crate::assembly::{Assembly, checkpoint_keys};
use crate::config::{Config, Kind, LogFormat as ConfiguredFormat, Overrides};
use crate::event_versions::Overtaken;
use crate::faults::HaltAt;
use crate::observer::Observed;
use crate::parts::doors::Doors;
use crate::parts::heads::HeadBoard;
use crate::parts::projectors::Views;
use crate::parts::{marks, relay, sealer, watchers, workflows};
use crate::roles::{Role, Roles};
use crate::seed::Seeds;
use crate::web::Dashboard;

/// How long open requests may take when the process stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a process that stops still answers, so that whoever routes to it sees that it is not ready any more.
const NOTICE: Duration = Duration::from_secs(2);
/// Over how long sockets are then closed, each at a moment of its own, so that their clients do not come back at once.
const SPREAD: Duration = Duration::from_secs(5);

/// Runs the product until it is told to stop.
pub fn run(file: Option<&Path>, overrides: &Overrides, roles: &Roles, demo: bool) -> Result<()> {
    let config = Config::load(file, overrides)?;
    let format = match config.log_format {
        ConfiguredFormat::Json => LogFormat::Json,
        ConfiguredFormat::Text => LogFormat::Text,
    };
    let logs = LogOptions {
        format,
        filter: config.log_filter.clone(),
    };
    let metrics = Metrics::new();
    metrics
        .process
        .build(&roles.to_string(), env!("CARGO_PKG_VERSION"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Folding may be late; a command that somebody waits for may not. In a cluster nobody shares a process with doors.
    let folding = give_way::runtime(config.assembly.kind == Kind::Embedded)?;
    // Deciding is one task that everybody waits for: it does not stand in line behind those whom it has just answered.
    let deciding = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("deciding")
        .enable_all()
        .build()?;
    let telemetry = {
        let _inside = runtime.enter();
        let spans = SpanOptions {
            endpoint: config.telemetry.otlp_endpoint.clone(),
            ratio: config.telemetry.sample_ratio,
            follows_caller: config.telemetry.follows_caller,
            instance: config.telemetry.instance.clone(),
            role: roles.to_string(),
            ..SpanOptions::default()
        };
        Telemetry::start(&logs, &spans, &metrics)?
    };
    let served = runtime.block_on(serve(
        config,
        roles,
        &metrics,
        (folding.handle(), deciding.handle()),
        demo,
    ));
    folding.shutdown_background();
    deciding.shutdown_background();
    telemetry.shutdown();
    served
}

async fn serve(
    config: Config,
    roles: &Roles,
    metrics: &Metrics,
    apart: (&Handle, &Handle),
    demo: bool,
) -> Result<()> {
    let stop = CancellationToken::new();
    let dashboard = Dashboard::read(&config.web_dir)?;
    // The port is taken first: a second process fails before it touches anything.
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "{} cannot be listened on; choose another with --listen",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    let observed = Arc::new(Observed::new(metrics.clone()));
    let assembly = Assembly::open(&config, roles, &observed, apart, &stop).await?;
    let seeds = seeds(&config, &assembly);
    if roles.has(Role::Migrate) {
        seeds.platform().await?;
        if roles.is_migration() {
            println!("Vaultstream is migrated");
            if demo {
                // The other roles open the accounts.
                announce_demo(&seeds, &assembly, address).await?;
            }
            stop.cancel();
            assembly.ended().await;
            return Ok(());
        }
    }
    let (begin, drain) = drain_of(&assembly);
    let marking = marks::start(&config, &assembly, roles, &observed, &stop).await?;
    let (heads, reads) = start_parts(&config, &assembly, (roles, marking.as_ref()), &observed, &stop).await?;
    let doors = Doors {
        config: &config,
        assembly: &assembly,
        roles,
        observed,
        heads: heads.subscribe(),
        checkpoint: newest_checkpoint(&assembly, &stop),
        marks: marking.as_ref().map(Marking::standing),
        reads,
        dashboard,
        drain: drain.clone(),
    };
    let app = doors.router().await?;
    let quiet = CancellationToken::new();
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(quiet.clone().cancelled_owned());
    let server = tokio::spawn(serving.into_future());
    println!("Vaultstream is ready at http://{address}");
    if demo && roles.is_all() {
        announce_demo(&seeds, &assembly, address).await?;
    }
    let overtaken = wait_for_the_end(assembly.overtaken.clone()).await?;
    tracing::info!("stopping");
    begin.send_replace(true);
    if roles.has_doors() {
        // Until whoever routes here has noticed, requests still come and are still answered.
        tokio::time::sleep(drain.notice()).await;
    }
    quiet.cancel();
    let ending = async { tokio::join!(server, drain.ended()) };
    if tokio::time::timeout(DRAIN, ending).await.is_err() {
        tracing::warn!("some requests or sockets did not end in time");
    }
    stop.cancel();
    // Leases are given back and cursors kept by their own tasks, which have seen the stop.
    assembly.ended().await;
    overtaken.map_or(Ok(()), |reason| Err(anyhow!(reason)))
}

/// How callers are let go, and what begins it.
fn drain_of(assembly: &Assembly) -> (watch::Sender<bool>, Drain) {
    let (begin, begun) = watch::channel(false);
    let (notice, spread) = if assembly.is_shared {
        (NOTICE, SPREAD)
    } else {
        // There is no other process to come back to.
        (Duration::ZERO, Duration::ZERO)
    };
    (begin, Drain::new(begun, notice, spread))
}

fn seeds<'a>(config: &'a Config, assembly: &Assembly) -> Seeds<'a> {
    Seeds {
        log: assembly.engines.log.clone(),
        executor: assembly.executor.clone(),
        ids: assembly.ids.clone(),
        rng: assembly.rng.clone(),
        clock: assembly.clock.clone(),
        data_dir: &config.data_dir,
    }
}

/// Starts what runs without being asked; answers where chains stand and, where this process reads views, the views.
async fn start_parts(
    config: &Config,
    assembly: &Assembly,
    (roles, marking): (&Roles, Option<&Marking>),
    observed: &Arc<Observed>,
    stop: &CancellationToken,
) -> Result<(HeadBoard, Option<vaultstream_projectors::Reads>)> {
    let heads = HeadBoard::default();
    if assembly.is_shared {
        heads.follow_notes(assembly, stop);
    }
    if roles.has(Role::Relay) && assembly.engines.publisher.is_some() {
        relay::start(assembly, observed.clone(), stop)?;
    }
    if roles.has(Role::Sealer) {
        sealer::start(assembly, seal_keys(config, assembly)?, observed.clone(), stop)?;
    }
    if assembly.engines.views.is_none() {
        return Ok((heads, None));
    }
    let views = Views::open(assembly, observed.clone(), stop).await?;
    if roles.has(Role::Projectors) {
        views.prepare().await?;
        views.project(assembly, stop);
    }
    let services = workflow_services(assembly, marking);
    if roles.has(Role::Workflows) {
        workflows::start(assembly, &services, &views.reads, stop);
    }
    if roles.has(Role::Watchers) {
        watchers::start(assembly, &services, &views.reads, &heads, stop);
    }
    Ok((heads, Some(views.reads)))
}

/// The newest checkpoint, where this process reads the list.
fn newest_checkpoint(assembly: &Assembly, stop: &CancellationToken) -> NewestCheckpoint {
    let Some(checkpoints) = &assembly.engines.checkpoints else {
        return NewestCheckpoint::none();
    };
    let spawn = assembly.spawn.as_ref();
    NewestCheckpoint::follow(checkpoints.clone(), assembly.clock.clone(), spawn, stop)
}

fn seal_keys(config: &Config, assembly: &Assembly) -> Result<Arc<dyn SealText>> {
    let keystore = assembly.keystore.as_ref().clone();
    Ok(Arc::new(checkpoint_keys(config, keystore)?))
}

fn workflow_services(assembly: &Assembly, marking: Option<&Marking>) -> WorkflowServices {
    let barrier: Arc<dyn Barrier> = match marking {
        Some(marking) => Arc::new(marking.clone()),
        None => Arc::new(Closed),
    };
    let chains = assembly
        .chains
        .iter()
        .map(|c| (c.chain.settings.id.clone(), c.chain.clone()));
    WorkflowServices {
        log: assembly.engines.log.clone(),
        tailer: assembly.tailer.clone(),
        commands: Arc::new(assembly.executor.clone()),
        clock: assembly.clock.clone(),
        ids: assembly.ids.clone(),
        progress: assembly.engines.progress.clone(),
        account_keys: assembly.keystore.clone(),
        signing: assembly.keystore.clone(),
        barrier,
        chains: Arc::new(chains.collect()),
        boundary: Arc::new(HaltAt::from_env()),
    }
}

async fn announce_demo(seeds: &Seeds<'_>, assembly: &Assembly, address: SocketAddr) -> Result<()> {
    let demo = seeds
        .demo(&assembly.chains)
        .await
        .context("the demo cannot be seeded")?;
    println!("Demo API key: {}", demo.key_file.display());
    println!("One-time sign-in link: http://{address}{}", demo.link_path);
    Ok(())
}

/// Returns when the process is told to stop, or must; the reason then.
async fn wait_for_the_end(overtaken: Option<Overtaken>) -> Result<Option<String>> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let must = async {
        if let Some(mut told) = overtaken
            && let Ok(reason) = told.wait_for(Option::is_some).await
        {
            return reason.clone();
        }
        std::future::pending().await
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| None).map_err(Into::into),
        _ = terminate.recv() => Ok(None),
        reason = must => Ok(reason),
    }
}
