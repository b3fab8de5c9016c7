//! How to reach Kafka and how much of it to hold in memory.
//!
//! Refuses: no server, a server without a port, a prefix that is no topic name, a certificate that cannot be read.

use std::fmt;
use std::path::PathBuf;

use rdkafka::ClientConfig;

use crate::error::KafkaError;

/// Longest prefix of topics; a family's name and a few words follow it in the 249 characters of a topic.
const MAX_PREFIX: usize = 100;

/// A password that does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes it.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// Who vouches for the brokers' certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// The authorities this machine trusts.
    System,
    /// A PEM file.
    File(PathBuf),
    /// PEM text.
    Pem(String),
}

/// How the brokers are spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// In the clear and without a name: for one machine and tests.
    Plain,
    /// TLS, and SASL/SCRAM-SHA-512 inside it.
    TlsScram {
        /// Who vouches for the brokers.
        authority: Authority,
        /// The user.
        user: String,
        /// Its password.
        password: Password,
    },
}

/// Everything there is to choose about Kafka.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// `host:port` of some brokers; the others are learnt from them.
    pub bootstrap: Vec<String>,
    /// What all topics begin with, so that several installations share a cluster.
    pub prefix: String,
    /// How the brokers are spoken to.
    pub security: Security,
    /// Copies of each partition; 3 in production.
    pub replication: u16,
    /// Copies that must have a record before it is acknowledged; 2 in production.
    pub min_insync: u16,
    /// How long records stay; the log keeps everything anyway. Milliseconds.
    pub retention_ms: u64,
    /// How long acknowledgements, or an answer, may stay away before that is an error. Milliseconds.
    pub patience_ms: u64,
    /// Records a publisher holds at most.
    pub queue_records: u32,
    /// Kilobytes a publisher holds at most.
    pub queue_kib: u32,
    /// Kilobytes a bus fetches ahead for each shard it reads.
    pub prefetch_kib: u32,
}

impl KafkaOptions {
    /// One broker without copies, spoken to in the clear.
    pub fn new(bootstrap: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            bootstrap: vec![bootstrap.into()],
            prefix: prefix.into(),
            security: Security::Plain,
            replication: 1,
            min_insync: 1,
            retention_ms: 7 * 24 * 3_600_000,
            patience_ms: 10_000,
            queue_records: 50_000,
            queue_kib: 65_536,
            prefetch_kib: 2_048,
        }
    }

    pub(crate) fn servers(&self) -> String {
        self.bootstrap.join(",")
    }

    /// The settings all clients share, after a look at what was given.
    pub(crate) fn client(&self) -> Result<ClientConfig, KafkaError> {
        self.check()?;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.servers())
            .set("client.id", "vaultstream")
            .set("allow.auto.create.topics", "false")
            .set("socket.keepalive.enable", "true")
            .set("log.connection.close", "false")
            .set("socket.connection.setup.timeout.ms", "5000")
            // A broker that has vanished leaves connections that say nothing: they are given up after this, not after a
            // minute.
            .set("socket.timeout.ms", "10000")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000");
        if let Security::TlsScram {
            authority,
            user,
            password,
        } = &self.security
        {
            config
                .set("security.protocol", "SASL_SSL")
                .set("sasl.mechanisms", "SCRAM-SHA-512")
                .set("sasl.username", user)
                .set("sasl.password", &password.0)
                .set("ssl.endpoint.identification.algorithm", "https");
            if let Some(pem) = pem(authority)? {
                config.set("ssl.ca.pem", pem);
            }
        }
        Ok(config)
    }

    pub(crate) fn user(&self) -> Option<&str> {
        match &self.security {
            Security::Plain => None,
            Security::TlsScram { user, .. } => Some(user),
        }
    }

    fn check(&self) -> Result<(), KafkaError> {
        let wrong = |field, problem: String| Err(KafkaError::Option { field, problem });
        let is_server = |text: &String| {
            text.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty()
                    && !host.contains([',', '/', ' '])
                    && port.parse::<u16>().is_ok_and(|p| p > 0)
            })
        };
        if self.bootstrap.is_empty() {
            return wrong("bootstrap", "no server is named; name one as host:port".into());
        }
        if let Some(bad) = self.bootstrap.iter().find(|text| !is_server(text)) {
            return wrong("bootstrap", format!("`{bad}` is no server such as kafka-1:9092"));
        }
        let in_topic = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.prefix.is_empty() || self.prefix.len() > MAX_PREFIX || !self.prefix.chars().all(in_topic) {
            return wrong(
                "prefix",
                format!(
                    "`{}` cannot begin a topic; use 1 to {MAX_PREFIX} of a-z A-Z 0-9 . _ -",
                    self.prefix.chars().take(MAX_PREFIX).collect::<String>()
                ),
            );
        }
        if self.replication == 0 || self.min_insync == 0 || self.min_insync > self.replication {
            return wrong(
                "min_insync",
                format!(
                    "{} of {} copies cannot be waited for; production has 2 of 3",
                    self.min_insync, self.replication
                ),
            );
        }
        if let Security::TlsScram { user, password, .. } = &self.security
            && (user.is_empty() || password.0.is_empty())
        {
            return wrong("security", "user and password must not be empty".into());
        }
        Ok(())
    }
}

fn pem(authority: &Authority) -> Result<Option<String>, KafkaError> {
    let pem = match authority {
        Authority::System => return Ok(None),
        Authority::Pem(text) => text.clone(),
        Authority::File(path) => std::fs::read_to_string(path).map_err(|error| KafkaError::Option {
            field: "security.authority",
            problem: format!("{} cannot be read: {error}", path.display()),
        })?,
    };
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(Some(pem));
    }
    Err(KafkaError::Option {
        field: "security.authority",
        problem: "it holds no PEM certificate (-----BEGIN CERTIFICATE-----)".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut KafkaOptions)) -> String {
        let mut options = KafkaOptions::new("localhost:9092", "vs");
        change(&mut options);
        options.client().expect_err("refused").to_string()
    }

    fn scram(authority: Authority) -> Security {
        Security::TlsScram {
            authority,
            user: "relay".into(),
            password: Password::new("s3cret"),
        }
    }

    #[test]
    fn options_should_name_the_field_that_is_wrong() {
        assert!(refused(|o| o.bootstrap.clear()).contains("bootstrap"));
        for bad in [
            "kafka",
            ":9092",
            "kafka:0",
            "kafka:99999",
            "kafka:9092/x,",
            "a b:1",
        ] {
            assert!(refused(|o| o.bootstrap.push(bad.into())).contains(bad), "{bad}");
        }
        for bad in ["", "a/b", "a b", &"x".repeat(101)] {
            assert!(refused(|o| o.prefix = bad.into()).contains("prefix"), "{bad}");
        }
        assert!(refused(|o| o.min_insync = 2).contains("2 of 1 copies"));
        assert!(refused(|o| o.security = scram(Authority::Pem("x".into()))).contains("BEGIN CERTIFICATE"));
        let missing = refused(|o| o.security = scram(Authority::File("/nowhere/ca.pem".into())));
        assert!(missing.contains("security.authority") && missing.contains("/nowhere/ca.pem"));
        KafkaOptions::new("[::1]:9092", "vs")
            .client()
            .expect("an address is fine");
    }

    #[test]
    fn password_should_not_show_itself() {
        let mut options = KafkaOptions::new("localhost:9092", "vs");
        options.security = scram(Authority::System);
        assert!(!format!("{options:?}").contains("s3cret"));
        let config = options.client().expect("fine");
        assert_eq!(config.get("sasl.password"), Some("s3cret"));
        assert!(
            !format!("{config:?}").contains("s3cret"),
            "librdkafka's own settings hide it too"
        );
    }
}
