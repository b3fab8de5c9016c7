//! The cluster assembly: PostgreSQL, Kafka and ScyllaDB, as configured.
//!
//! Refuses to start on engines that are not as this build needs them; only `migrate` changes them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use vaultstream_domain::ports::{Bus, Cache, Clock, EventLog, NoteList, Publisher, RateLimits, ViewStore};
use vaultstream_event_schemas::{Family, Registry};
use vaultstream_infra_kafka::{
    Authority, KafkaBus, KafkaEcho, KafkaOptions, KafkaPublisher, Password, Security, check_topics,
    create_topics,
};
use vaultstream_infra_postgres::{
    DatabaseConfig, Migrate, Part, PgLeases, PgLog, PgLogOptions, PgNoteList, PgProgress, PgVersionGate,
    Shards,
};
use vaultstream_infra_redis::{Link, RedisCache, RedisOptions, RedisRateLimits};
use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, MemoryCache, MemoryRateLimits};
use vaultstream_infra_scylla::{Credentials, Replication, ScyllaOptions, ScyllaViews};
use vaultstream_kernel::LogBus;

use super::Engines;
use crate::config::{self, Config, Database, Kafka, KafkaSecurity, Redis, Scylla};
use crate::roles::{Role, Roles};

/// Connections of a process to each database: a role needs few, and a server has about a hundred for all of them.
const CONNECTIONS: u32 = 4;
/// How long a kept answer may take to come: the views themselves answer in a few milliseconds.
const CACHE_PATIENCE: Duration = Duration::from_millis(10);

/// Opens the engines that the roles need; brings them up to date where this process migrates.
pub async fn open(config: &Config, roles: &Roles, clock: &Arc<dyn Clock>) -> Result<Engines> {
    let engines = config.engines()?;
    let migrates = roles.has(Role::Migrate);
    let log = open_log(config, migrates, clock).await?;
    let first = log.first_database();
    let (progress, leases) = (PgProgress::new(first.clone()), PgLeases::new(first.clone()));
    let log: Arc<dyn EventLog> = Arc::new(log);
    let (bus, publisher) = ways(engines.kafka, roles, &log).await?;
    // Commands need no views, and go on without them.
    let reads = [
        Role::QueryApi,
        Role::Projectors,
        Role::Workflows,
        Role::Watchers,
        Role::Migrate,
    ];
    let views: Option<Arc<dyn ViewStore>> = if reads.iter().any(|role| roles.has(*role)) {
        let registry = log.registry();
        let families: BTreeSet<Family> = registry
            .entries()
            .iter()
            .map(|entry| entry.family.clone())
            .collect();
        let options = scylla(engines.scylla, families.into_iter().collect(), migrates)?;
        let views = ScyllaViews::open(options)
            .await
            .context("the views on ScyllaDB cannot be used")?;
        Some(Arc::new(views))
    } else {
        None
    };
    let (checkpoints, marks) = lists(config, roles).await?;
    // Only doors answer and count, so a Redis that is not as it should be stops nobody else.
    let redis = engines.redis.filter(|_| roles.has_doors());
    let (cache, rate_limits) = shared(redis, clock).await?;
    Ok(Engines {
        log,
        bus,
        publisher,
        views,
        checkpoints,
        marks,
        progress: Arc::new(progress),
        leases: Arc::new(leases),
        version_gate: Arc::new(PgVersionGate::new(first)),
        cache,
        rate_limits,
    })
}

type Lists = (Option<Arc<dyn NoteList>>, Option<Arc<dyn NoteList>>);

/// Checkpoints and marks, for who seals, signs, takes what is signed, or lets it lapse.
async fn lists(config: &Config, roles: &Roles) -> Result<Lists> {
    let needs = [
        Role::Sealer,
        Role::CommandApi,
        Role::Workflows,
        Role::Watchers,
        Role::Migrate,
    ];
    if !needs.iter().any(|role| roles.has(*role)) {
        return Ok((None, None));
    }
    let migrates = roles.has(Role::Migrate);
    let checkpoints = open_checkpoints(config, migrates).await?;
    let migrate = if migrates { Migrate::Apply } else { Migrate::Refuse };
    let marks = checkpoints.marks(migrate).await;
    let marks = marks.context("the list of marks on PostgreSQL cannot be used")?;
    Ok((Some(Arc::new(checkpoints)), Some(Arc::new(marks))))
}

/// Opens the list of checkpoints alone.
pub async fn open_checkpoints(config: &Config, migrates: bool) -> Result<PgNoteList> {
    let url =
        config::secret(&config.engines()?.postgres.checkpoints.url).context("postgres.checkpoints: url")?;
    let migrate = if migrates { Migrate::Apply } else { Migrate::Refuse };
    PgNoteList::open(&url, &config.assembly.cluster, migrate)
        .await
        .context("the list of checkpoints on PostgreSQL cannot be used")
}

/// Opens the log alone.
pub async fn open_log(config: &Config, migrates: bool, clock: &Arc<dyn Clock>) -> Result<PgLog> {
    let databases = &config.engines()?.postgres.databases;
    let options = PgLogOptions {
        migrate: if migrates { Migrate::Apply } else { Migrate::Refuse },
        ..PgLogOptions::new(
            config.assembly.cluster.clone(),
            databases.iter().map(database).collect::<Result<_>>()?,
            config.families(),
            clock.clone(),
        )
    };
    PgLog::open(&options)
        .await
        .context("the event log on PostgreSQL cannot be used")
}

/// What the topics still have of the log.
pub fn open_echo(config: &Config, registry: &Registry) -> Result<KafkaEcho> {
    let options = options(config.engines()?.kafka)?;
    Ok(KafkaEcho::try_new(&options, registry)?)
}

/// The bus for those who fold, the publisher for those who relay; everybody else follows the log.
async fn ways(
    kafka: &Kafka,
    roles: &Roles,
    log: &Arc<dyn EventLog>,
) -> Result<(Arc<dyn Bus>, Option<Arc<dyn Publisher>>)> {
    let (registry, options) = (log.registry(), options(kafka)?);
    let (folds, relays) = (roles.has(Role::Projectors), roles.has(Role::Relay));
    if roles.has(Role::Migrate) {
        create_topics(&options, &registry)
            .await
            .context("topics cannot be made")?;
    }
    if folds || relays {
        check_topics(&options, &registry)
            .await
            .context("Kafka cannot be used")?;
    }
    let bus: Arc<dyn Bus> = if folds {
        Arc::new(KafkaBus::try_new(&options, log.clone())?)
    } else {
        Arc::new(LogBus::new(log.clone()))
    };
    let publisher: Option<Arc<dyn Publisher>> = if relays {
        Some(Arc::new(KafkaPublisher::try_new(&options, &registry)?))
    } else {
        None
    };
    Ok((bus, publisher))
}

/// Answers and rates in Redis, over a connection each: a cache that is slow is no reason to count rates alone. Without it,
/// and while it is away, every process keeps its own.
async fn shared(
    redis: Option<&Redis>,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<dyn Cache>, Option<Arc<dyn RateLimits>>)> {
    let Some(redis) = redis else {
        return Ok((
            Arc::new(MemoryCache::new(clock.clone(), DEFAULT_CACHE_BYTES)),
            None,
        ));
    };
    let is_reference = redis.url.starts_with("file:") || redis.url.starts_with("env:");
    let options = RedisOptions {
        source: if is_reference {
            format!("redis.url = {}", redis.url)
        } else {
            "redis.url".to_owned()
        },
        ..RedisOptions::new(
            config::endpoint(&redis.url).context("redis.url")?,
            redis.prefix.clone(),
        )
    };
    let brief = RedisOptions {
        timeout: CACHE_PATIENCE,
        ..options.clone()
    };
    let open = |options| Link::try_new(options).context("Redis cannot be used");
    let (limits, cache) = (Arc::new(open(&options)?), Arc::new(open(&brief)?));
    limits.check().await.context("Redis cannot be used")?;
    let alone = Arc::new(MemoryRateLimits::new(clock.clone()));
    Ok((
        Arc::new(RedisCache::new(cache)),
        Some(Arc::new(RedisRateLimits::new(limits, alone))),
    ))
}

fn database(database: &Database) -> Result<DatabaseConfig> {
    let url = config::secret(&database.url)
        .with_context(|| format!("postgres.databases: the url of {}", database.name))?;
    let shards = database.shards.parts()?.map_or(Shards::All, |parts| {
        Shards::Parts(parts.into_iter().map(|(family, k)| Part { family, k }).collect())
    });
    let mut options = DatabaseConfig::new(database.name.clone(), url).keeping(shards);
    (options.append_connections, options.read_connections) = (CONNECTIONS, CONNECTIONS);
    Ok(options)
}

fn options(kafka: &Kafka) -> Result<KafkaOptions> {
    let security = match &kafka.security {
        KafkaSecurity::Plain => Security::Plain,
        KafkaSecurity::TlsScram {
            user,
            password,
            ca_file,
        } => Security::TlsScram {
            authority: ca_file
                .clone()
                .map_or(Authority::System, |file: PathBuf| Authority::File(file)),
            user: user.clone(),
            password: Password::new(config::secret(password).context("kafka.security.password")?),
        },
    };
    Ok(KafkaOptions {
        bootstrap: kafka.bootstrap.clone(),
        security,
        replication: kafka.replication,
        min_insync: kafka.min_insync,
        ..KafkaOptions::new("", kafka.prefix.clone())
    })
}

fn scylla(scylla: &Scylla, families: Vec<Family>, migrates: bool) -> Result<ScyllaOptions> {
    let credentials = match (&scylla.user, &scylla.password) {
        (Some(user), Some(password)) => Some(Credentials {
            user: user.clone(),
            password: config::secret(password).context("scylla.password")?,
        }),
        (None, None) => None,
        _ => bail!("scylla.user and scylla.password belong together; give both or neither"),
    };
    let replication = if scylla.replication.is_empty() {
        Replication::Simple(1)
    } else {
        Replication::Networks(scylla.replication.clone())
    };
    Ok(ScyllaOptions {
        credentials,
        replication,
        datacenter: scylla.datacenter.clone(),
        create_keyspaces: migrates,
        ..ScyllaOptions::new(scylla.nodes.clone(), scylla.prefix.clone(), families)
    })
}
