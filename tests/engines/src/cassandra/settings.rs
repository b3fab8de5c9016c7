//! What Cassandra is told in its files.

use std::net::SocketAddr;
use std::path::Path;

/// Console only; the console is the engine's log.
pub(super) const LOGBACK: &str = r#"<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{HH:mm:ss.SSS} %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="CONSOLE"/></root>
</configuration>
"#;

pub(super) fn configuration(
    dir: &Path,
    address: SocketAddr,
    storage: SocketAddr,
    settings: &[(&str, &str)],
) -> String {
    let own: Vec<&str> = settings.iter().map(|(name, _)| *name).collect();
    let dir = dir.display();
    let ours = [
        ("cluster_name", "vaultstream-tests".to_owned()),
        ("num_tokens", "1".to_owned()),
        (
            "partitioner",
            "org.apache.cassandra.dht.Murmur3Partitioner".to_owned(),
        ),
        ("endpoint_snitch", "SimpleSnitch".to_owned()),
        (
            "seed_provider",
            format!(
                "[{{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{{seeds: \"{storage}\"}}]}}]"
            ),
        ),
        ("listen_address", "127.0.0.1".to_owned()),
        ("storage_port", storage.port().to_string()),
        ("rpc_address", "127.0.0.1".to_owned()),
        ("native_transport_port", address.port().to_string()),
        ("commitlog_sync", "periodic".to_owned()),
        ("commitlog_sync_period", "10s".to_owned()),
        ("commitlog_directory", format!("{dir}/commitlog")),
        ("data_file_directories", format!("[{dir}/data]")),
        ("saved_caches_directory", format!("{dir}/saved_caches")),
        ("hints_directory", format!("{dir}/hints")),
        ("cdc_raw_directory", format!("{dir}/cdc")),
        // A dropped table would be kept on disk, and dropping would wait for it.
        ("auto_snapshot", "false".to_owned()),
    ];
    let given = settings.iter().map(|(name, value)| format!("{name}: {value}\n"));
    // A period beside `batch` would be refused.
    let replaced = |name: &str| {
        own.iter()
            .any(|given| *given == name || name == format!("{given}_period"))
    };
    let ours = ours
        .iter()
        .filter(|(name, _)| !replaced(name))
        .map(|(name, value)| format!("{name}: {value}\n"));
    ours.chain(given).collect()
}
