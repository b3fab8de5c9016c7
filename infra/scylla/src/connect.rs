//! Opening: a session, what engine it is, and the keyspaces with their layout version.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::DefaultRetryPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::statement::unprepared::Statement;

use crate::OpenError;
use crate::options::{Replication, ScyllaOptions};
use crate::schema::{self, Ddl};

/// The newest layout of keyspaces that is known here.
const LAYOUT_VERSION: i64 = 1;
/// How long nodes may take to agree about the schema.
const AGREEMENT: Duration = Duration::from_secs(30);
/// How often a connection is asked whether somebody is there, and how long the answer may take: one whose peer has
/// vanished says nothing, and is given up after both.
const STILL_THERE: Duration = Duration::from_secs(5);

/// Looks for a table that is listed.
const LOOKS: u32 = 200;

/// A session whose statements have the options' consistency, time limit, retries and second tries.
pub(crate) async fn session(options: &ScyllaOptions) -> Result<Session, OpenError> {
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = &options.datacenter {
        policy = policy
            .prefer_datacenter(datacenter.clone())
            .permit_dc_failover(false);
    }
    let mut profile = ExecutionProfile::builder()
        .consistency(options.consistency.into())
        .request_timeout(Some(options.timeout))
        .load_balancing_policy(policy.build())
        .retry_policy(Arc::new(DefaultRetryPolicy::new()));
    if let Some(after) = options.speculate_after {
        let second = SimpleSpeculativeExecutionPolicy {
            max_retry_count: 1,
            retry_interval: after,
        };
        profile = profile.speculative_execution_policy(Some(Arc::new(second)));
    }
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.nodes)
        .connection_timeout(options.timeout)
        .keepalive_interval(STILL_THERE)
        .keepalive_timeout(STILL_THERE)
        .schema_agreement_interval(Duration::from_millis(50))
        .schema_agreement_timeout(AGREEMENT)
        .fetch_full_schema_metadata(false)
        .default_execution_profile_handle(profile.build().into_handle());
    if let Some(credentials) = &options.credentials {
        builder = builder.user(&credentials.user, &credentials.password);
    }
    let built = builder.build().await;
    built.map_err(|error| OpenError::of_connecting(options.nodes.join(", "), error))
}

/// Refuses an engine that is too old, and data centres that it does not have.
pub(crate) async fn check_engine(session: &Session, options: &ScyllaOptions) -> Result<(), OpenError> {
    let version = schema::engine_version(session)
        .await
        .map_err(engine("ask for the engine's version"))?;
    if !version.is_supported() {
        return Err(OpenError::Version {
            found: version.to_string(),
        });
    }
    let state = session.get_cluster_state();
    let known: Vec<&str> = state
        .get_nodes_info()
        .iter()
        .filter_map(|node| node.datacenter.as_deref())
        .collect();
    let mut wanted: Vec<&String> = options.datacenter.iter().collect();
    if let Replication::Networks(copies) = &options.replication {
        wanted.extend(copies.keys());
    }
    for name in wanted {
        if !known.contains(&name.as_str()) {
            return Err(OpenError::Setting {
                field: "datacenter",
                problem: format!("the engine has no `{name}`; it has {}", known.join(", ")),
            });
        }
    }
    Ok(())
}

/// Makes a family's keyspace when it is missing, and refuses one that a newer version has written.
pub(crate) async fn prepare_keyspace(
    session: &Session,
    ddl: &Ddl,
    options: &ScyllaOptions,
    keyspace: &str,
) -> Result<(), OpenError> {
    let exists = schema::has_keyspace(session, keyspace)
        .await
        .map_err(engine("look for a keyspace"))?;
    if !exists {
        if !options.create_keyspaces {
            return Err(OpenError::Missing {
                keyspace: keyspace.to_owned(),
            });
        }
        let statement = format!(
            "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {}",
            replication(&options.replication)
        );
        let made = ddl.run(session, &statement).await;
        made.map_err(|e| OpenError::of_statement("make a keyspace", keyspace, e))?;
    }
    let tables = schema::tables_of(session, keyspace)
        .await
        .map_err(engine("look for tables"))?;
    if !tables.contains_key("layout") {
        let statement =
            format!("CREATE TABLE IF NOT EXISTS {keyspace}.layout (name text PRIMARY KEY, version bigint)");
        let made = ddl.run(session, &statement).await;
        made.map_err(|e| OpenError::of_statement("make a table", keyspace, e))?;
    }
    check_layout(session, keyspace).await
}

/// The version is its own stamp, so the newest stays whoever writes last.
async fn check_layout(session: &Session, keyspace: &str) -> Result<(), OpenError> {
    let mut found = read_layout(session, keyspace).await;
    let mut looked = 0;
    // A table that another process makes right now is listed before it can be read.
    while looked < LOOKS && found.as_ref().is_err_and(OpenError::is_absent) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        found = read_layout(session, keyspace).await;
        looked += 1;
    }
    let found = found?;
    if let Some(found) = found.filter(|found| *found > LAYOUT_VERSION) {
        return Err(OpenError::Future {
            keyspace: keyspace.to_owned(),
            found,
            known: LAYOUT_VERSION,
        });
    }
    if found == Some(LAYOUT_VERSION) {
        return Ok(());
    }
    let mut write = Statement::new(format!(
        "UPDATE {keyspace}.layout USING TIMESTAMP {LAYOUT_VERSION} SET version = {LAYOUT_VERSION} WHERE name = 'views'"
    ));
    write.set_is_idempotent(true);
    let written = session.query_unpaged(write, ()).await;
    written.map_err(|e| OpenError::of_statement("write the layout's version", keyspace, e))?;
    Ok(())
}

async fn read_layout(session: &Session, keyspace: &str) -> Result<Option<i64>, OpenError> {
    const DOING: &str = "read the layout's version";
    let mut read = Statement::new(format!(
        "SELECT version FROM {keyspace}.layout WHERE name = 'views'"
    ));
    read.set_is_idempotent(true);
    let found = session.query_unpaged(read, ()).await;
    let found = found.map_err(|e| OpenError::of_statement(DOING, keyspace, e))?;
    let rows = found.into_rows_result().map_err(|e| engine(DOING)(e.into()))?;
    let row = rows
        .maybe_first_row::<(Option<i64>,)>()
        .map_err(|e| engine(DOING)(e.into()))?;
    Ok(row.and_then(|(version,)| version))
}

fn engine(doing: &'static str) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> OpenError {
    move |source| OpenError::Engine { doing, source }
}

fn replication(replication: &Replication) -> String {
    match replication {
        Replication::Simple(copies) => {
            format!("{{'class': 'SimpleStrategy', 'replication_factor': {copies}}}")
        }
        Replication::Networks(copies) => {
            let copies: String = copies
                .iter()
                .map(|(name, copies)| format!(", '{name}': {copies}"))
                .collect();
            format!("{{'class': 'NetworkTopologyStrategy'{copies}}}")
        }
    }
}
