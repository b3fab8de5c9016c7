//! The engine's own tables: what is there, and how definitions are changed.
//!
//! Definitions go to one node, the same from every process, and each is tried again when nodes disagree for a moment; all
//! of them say `IF NOT EXISTS` or `IF EXISTS`. So processes that start together make a table once.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use scylla::client::execution_profile::ExecutionProfileHandle;
use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::ExecutionError;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::serialize::row::SerializeRow;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use vaultstream_domain::ports::view_store::KeyType;

/// Tries of one definition.
const TRIES: u32 = 6;
/// How long the engine may take for one definition.
const PATIENCE: Duration = Duration::from_secs(60);

/// Any error on the way.
pub(crate) type Source = Box<dyn Error + Send + Sync>;

/// What engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EngineVersion {
    Scylla(String),
    Cassandra(String),
}

impl EngineVersion {
    pub(crate) fn is_supported(&self) -> bool {
        match self {
            // Releases of ScyllaDB count years now, which are larger than any release before.
            Self::Scylla(text) => numbers(text) >= (5, 2),
            Self::Cassandra(text) => numbers(text) >= (4, 0),
        }
    }
}

impl fmt::Display for EngineVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scylla(text) => write!(f, "ScyllaDB {text}"),
            Self::Cassandra(text) => write!(f, "Apache Cassandra {text}"),
        }
    }
}

/// Major and minor; what is no number counts as nothing.
fn numbers(text: &str) -> (u32, u32) {
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// ScyllaDB says a version of Cassandra in `system.local`, and its own in a table of its own.
pub(crate) async fn engine_version(session: &Session) -> Result<EngineVersion, Source> {
    let has_own = tables_of(session, "system").await?.contains_key("versions");
    let text = if has_own {
        "SELECT version FROM system.versions WHERE key = 'local'"
    } else {
        "SELECT release_version FROM system.local WHERE key = 'local'"
    };
    let rows: Vec<(String,)> = all(session, text, ()).await?;
    let version = rows.into_iter().next().map_or_else(String::new, |(v,)| v);
    Ok(if has_own {
        EngineVersion::Scylla(version)
    } else {
        EngineVersion::Cassandra(version)
    })
}

pub(crate) async fn has_keyspace(session: &Session, keyspace: &str) -> Result<bool, Source> {
    let text = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let rows: Vec<(String,)> = all(session, text, (keyspace,)).await?;
    Ok(!rows.is_empty())
}

/// The tables of a keyspace with their comments.
pub(crate) async fn tables_of(session: &Session, keyspace: &str) -> Result<BTreeMap<String, String>, Source> {
    let text = "SELECT table_name, comment FROM system_schema.tables WHERE keyspace_name = ?";
    let rows: Vec<(String, Option<String>)> = all(session, text, (keyspace,)).await?;
    Ok(rows
        .into_iter()
        .map(|(name, comment)| (name, comment.unwrap_or_default()))
        .collect())
}

/// A key column as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyColumn {
    pub(crate) name: String,
    pub(crate) kind: KeyType,
}

/// The key of a table as the engine has it, partition and clustering; none when it is no table of views.
pub(crate) async fn key_of(
    session: &Session,
    keyspace: &str,
    table: &str,
) -> Result<Option<(Vec<KeyColumn>, Vec<KeyColumn>)>, Source> {
    let text = "SELECT column_name, kind, position, type FROM system_schema.columns \
                WHERE keyspace_name = ? AND table_name = ?";
    let mut rows: Vec<(String, String, i32, String)> = all(session, text, (keyspace, table)).await?;
    rows.sort_by_key(|(_, _, position, _)| *position);
    let (mut partition, mut clustering, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (name, kind, _, column_type) in rows {
        let part = match kind.as_str() {
            "partition_key" => &mut partition,
            "clustering" => &mut clustering,
            _ => {
                values.push((name, column_type));
                continue;
            }
        };
        let kind = match column_type.as_str() {
            "text" => KeyType::Text,
            "bigint" => KeyType::Number,
            _ => return Ok(None),
        };
        part.push(KeyColumn { name, kind });
    }
    let is_ours = matches!(values.as_slice(), [(name, kind)] if name == "value" && kind == "blob");
    Ok(is_ours.then_some((partition, clustering)))
}

async fn all<Row>(session: &Session, text: &str, values: impl SerializeRow) -> Result<Vec<Row>, Source>
where
    Row: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static,
{
    let mut statement = Statement::new(text).with_page_size(1_000);
    statement.set_is_idempotent(true);
    // The engine's own tables are kept by every node for itself.
    statement.set_consistency(Consistency::One);
    let pager = session.query_iter(statement, values).await?;
    Ok(pager.rows_stream::<Row>()?.try_collect().await?)
}

/// Changes definitions.
pub(crate) struct Ddl {
    profile: ExecutionProfileHandle,
}

impl Ddl {
    /// Through the node with the lowest id, so that definitions from all processes meet in one place.
    pub(crate) fn new(session: &Session) -> Self {
        let state = session.get_cluster_state();
        let lowest = state.get_nodes_info().iter().map(|node| node.host_id).min();
        let base = session.get_default_execution_profile_handle().to_profile();
        let mut profile = base.to_builder().request_timeout(Some(PATIENCE));
        if let Some(id) = lowest {
            let node = NodeIdentifier::HostId(id);
            profile = profile.load_balancing_policy(SingleTargetLoadBalancingPolicy::new(node, None));
        }
        Self {
            profile: profile.build().into_handle(),
        }
    }

    /// Runs a definition that may be repeated, and waits until the nodes agree.
    pub(crate) async fn run(&self, session: &Session, text: &str) -> Result<(), ExecutionError> {
        let mut statement = Statement::new(text);
        statement.set_is_idempotent(true);
        statement.set_execution_profile_handle(Some(self.profile.clone()));
        let mut pause = Duration::from_millis(100);
        for _ in 1..TRIES {
            match session.query_unpaged(statement.clone(), ()).await {
                Ok(_) => return Ok(()),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => tracing::debug!(%error, "a definition is tried again"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        // The chosen node may be the one that is down; any other can do it.
        statement.set_execution_profile_handle(None);
        statement.set_request_timeout(Some(PATIENCE));
        session.query_unpaged(statement, ()).await.map(|_| ())
    }
}

/// Whether trying again cannot help.
fn is_final(error: &ExecutionError) -> bool {
    use scylla::errors::DbError::{ConfigError, SyntaxError, Unauthorized};
    matches!(
        crate::error::db_error(error),
        Some(SyntaxError | Unauthorized | ConfigError)
    )
}

/// Shared by everything that changes definitions.
pub(crate) type SharedDdl = Arc<Ddl>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_that_are_too_old_should_be_known() {
        let scylla = |text: &str| EngineVersion::Scylla(text.into()).is_supported();
        let cassandra = |text: &str| EngineVersion::Cassandra(text.into()).is_supported();
        assert!(scylla("2025.1.4-0.20250801") && scylla("6.2.0-rc1") && scylla("5.2.0"));
        assert!(!scylla("5.1.9") && !scylla("4.6.0") && !scylla(""));
        assert!(cassandra("5.0.5") && cassandra("4.0.0") && cassandra("5.0-beta1"));
        assert!(!cassandra("3.11.19") && !cassandra("unknown"));
    }
}
