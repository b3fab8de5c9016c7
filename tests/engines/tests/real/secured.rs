//! Kafka behind TLS and a password, asked by Kafka's own client.

use crate::speak::has_topic;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::process::Command;
use vaultstream_engines::{SecuredKafka, Set, home, java_home};

/// Properties of a client; `trust` is a PEM file.
fn client(user: &str, password: &str, trust: &str) -> String {
    format!(
        "security.protocol=SASL_SSL\n\
         sasl.mechanism=SCRAM-SHA-512\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"{user}\" password=\"{password}\";\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={trust}\n\
         default.api.timeout.ms=8000\nrequest.timeout.ms=4000\n"
    )
}

/// Makes a topic; whether it went well, and what was said.
fn makes_topic(kafka: &SecuredKafka, properties: &str) -> Result<(bool, String)> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("client.properties");
    fs::write(&file, properties)?;
    let jars = Set::Kafka.place_in(&home()?).join("*");
    let output = Command::new(java_home()?.join("bin/java"))
        .args(["-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp"])
        .arg(jars)
        .args([
            "org.apache.kafka.tools.TopicCommand",
            "--create",
            "--topic",
            "kept",
        ])
        .args(["--bootstrap-server", &kafka.bootstrap(), "--command-config"])
        .arg(&file)
        .output()
        .context("cannot start java")?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[test]
fn secured_kafka_should_let_in_only_who_trusts_and_knows() -> Result<()> {
    let kafka = SecuredKafka::start()?;
    ensure!(kafka.ca_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    ensure!(fs::read_to_string(kafka.ca_file())? == kafka.ca_pem());
    let ca = kafka.ca_file().display().to_string();

    let (done, said) = makes_topic(&kafka, &client(kafka.user(), "wrong", &ca))?;
    ensure!(
        !done && said.contains("SaslAuthentication"),
        "a wrong password: {said}"
    );
    ensure!(
        has_topic(&kafka.bootstrap(), "kept").is_err(),
        "plain words must not be answered"
    );

    let (done, said) = makes_topic(&kafka, &client(kafka.user(), kafka.password(), &ca))?;
    ensure!(done, "{said}");
    kafka.restart()?;
    let (done, said) = makes_topic(&kafka, &client(kafka.user(), kafka.password(), &ca))?;
    ensure!(
        !done && said.contains("already exists"),
        "user and topic outlive a restart: {said}"
    );

    let trusting = client(kafka.user(), kafka.password(), &ca);
    let wary: String = trusting
        .lines()
        .filter(|line| !line.contains("truststore"))
        .map(|line| format!("{line}\n"))
        .collect();
    let (done, said) = makes_topic(&kafka, &wary)?;
    ensure!(
        !done && said.contains("SSL"),
        "an authority that nobody told it to trust: {said}"
    );
    Ok(())
}
