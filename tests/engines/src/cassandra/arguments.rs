//! What Java is started with.

use crate::java;
use std::ffi::OsString;
use std::path::Path;

const MAIN_CLASS: &str = "org.apache.cassandra.service.CassandraDaemon";

/// What Cassandra 5 reaches into on Java 17.
const EXPORTS: [&str; 14] = [
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/java.lang.ref",
    "java.base/java.lang.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
];
const OPENS: [&str; 20] = [
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util",
    "java.base/jdk.internal.vm",
    "java.base/sun.security.provider",
    "java.management/com.sun.jmx.remote.security",
    "jdk.management/com.sun.management.internal",
];

pub(super) fn arguments(jars: &Path, dir: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = [
        "-Xms1g",
        "-Xmx1g",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Djdk.attach.allowAttachSelf=true",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.ring_delay_ms=100",
        "-Dcassandra-foreground=yes",
    ]
    .iter()
    .map(Into::into)
    .collect();
    let at = |name: &str, scheme: &str, file: &str| -> OsString {
        format!("-D{name}={scheme}{}", dir.join(file).display()).into()
    };
    words.push(at("cassandra.config", "file://", "cassandra.yaml"));
    words.push(at("logback.configurationFile", "", "logback.xml"));
    words.push(at("cassandra.storagedir", "", ""));
    words.extend(EXPORTS.map(|name| format!("--add-exports={name}=ALL-UNNAMED").into()));
    words.extend(OPENS.map(|name| format!("--add-opens={name}=ALL-UNNAMED").into()));
    words.push("--add-opens=jdk.naming.dns/com.sun.jndi.dns=java.naming".into());
    words.extend(java::class_path(jars));
    words.push(MAIN_CLASS.into());
    words
}
