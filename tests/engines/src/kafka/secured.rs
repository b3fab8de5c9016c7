//! A Kafka that lets nobody in without TLS and a password (SASL/SCRAM-SHA-512).
//!
//! The authority and the broker's certificate are made by Java's own `keytool` for this one engine and forgotten
//! with it. A plain listener exists for the node itself and is not handed out.

use super::{Listeners, NAME};
use crate::data::Data;
use crate::place::Set;
use crate::server::Server;
use crate::{java, port};
use anyhow::{Context, Result};
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

const USER: &str = "vaultstream";
const PASSWORD: &str = "only-for-this-test";
/// Guards the key store's file, which lives as long as the test.
const STORE_PASSWORD: &str = "key-store-of-a-test";
const SUBJECT: &str = "SAN=IP:127.0.0.1,DNS:localhost";

/// A running Kafka 4 that demands TLS and SASL/SCRAM-SHA-512; dereferences to its [`Server`] for faults.
pub struct SecuredKafka {
    server: Server,
    bootstrap: String,
    ca_file: PathBuf,
    ca_pem: String,
}

impl SecuredKafka {
    /// One with its own authority and one user.
    ///
    /// # Errors
    /// Kafka or Java 17 is absent, or it does not come up: then with the end of its log.
    pub fn start() -> Result<Self> {
        let jars = Set::Kafka.find()?;
        port::retrying(|| {
            let mut data = Data::new(NAME, "KILL")?;
            let certificates = Certificates::make(&data)?;
            let address = data.port()?;
            let listeners = Listeners {
                secured: Some(address),
                ..Listeners::plain(&mut data)?
            };
            let credential = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
            let format_with = ["--add-scram", credential.as_str()];
            Ok(Self {
                server: super::start(&jars, data, &listeners, &certificates.properties(), &format_with)?,
                bootstrap: address.to_string(),
                ca_file: certificates.ca_file,
                ca_pem: certificates.ca_pem,
            })
        })
    }

    /// `host:port` of the listener that demands both.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// The authority's certificate, the only one that vouches for the broker.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same in a file that lives as long as the engine.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The one user.
    #[must_use]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// Its password.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }
}

impl Deref for SecuredKafka {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

struct Certificates {
    store: PathBuf,
    ca_file: PathBuf,
    ca_pem: String,
}

impl Certificates {
    /// An authority, a broker's key, its request, the signed certificate, and both in one store.
    fn make(data: &Data) -> Result<Self> {
        let keytool = java::home()?.join("bin/keytool");
        let run = |step: &str, words: &str| {
            let mut command = Command::new(&keytool);
            // Seven short runs: compiling for a long life would take most of their time.
            command.args(["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"]);
            command.args(words.split_whitespace());
            command.args(["-storetype", "PKCS12", "-storepass", STORE_PASSWORD, "-noprompt"]);
            data.prepare(step, &mut command)
        };
        let key = "-genkeypair -keyalg EC -groupname secp256r1 -validity 30";
        run(
            "the authority's key",
            &format!("{key} -alias ca -keystore ca.p12 -dname CN=vaultstream-tests -ext bc:c"),
        )?;
        run(
            "the authority",
            "-exportcert -rfc -alias ca -keystore ca.p12 -file ca.pem",
        )?;
        run(
            "the broker's key",
            &format!("{key} -alias broker -keystore broker.p12 -dname CN=localhost"),
        )?;
        run(
            "the request",
            "-certreq -alias broker -keystore broker.p12 -file broker.csr",
        )?;
        run(
            "the broker's certificate",
            &format!(
                "-gencert -rfc -validity 30 -alias ca -keystore ca.p12 -infile broker.csr -outfile broker.pem -ext {SUBJECT}"
            ),
        )?;
        for (alias, file) in [("ca", "ca.pem"), ("broker", "broker.pem")] {
            let words = format!("-importcert -alias {alias} -keystore broker.p12 -file {file}");
            run("the key store", &words)?;
        }
        let ca_file = data.path().join("ca.pem");
        let ca_pem = fs::read_to_string(&ca_file).context("keytool left no certificate of the authority")?;
        Ok(Self {
            store: data.path().join("broker.p12"),
            ca_file,
            ca_pem,
        })
    }

    fn properties(&self) -> String {
        let listener = "listener.name.secured";
        format!(
            "{listener}.ssl.keystore.type=PKCS12\n\
             {listener}.ssl.keystore.location={}\n\
             {listener}.ssl.keystore.password={STORE_PASSWORD}\n\
             {listener}.ssl.key.password={STORE_PASSWORD}\n\
             {listener}.sasl.enabled.mechanisms=SCRAM-SHA-512\n\
             {listener}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n",
            self.store.display()
        )
    }
}
