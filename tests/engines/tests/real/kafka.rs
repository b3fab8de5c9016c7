//! Kafka with a plain listener.

use crate::speak::{has_topic, make_topic};
use crate::{bears_faults, says};
use anyhow::{Result, ensure};
use vaultstream_engines::Kafka;

#[test]
fn kafka_should_bear_faults() -> Result<()> {
    let kafka = Kafka::start()?;
    let bootstrap = kafka.bootstrap();
    ensure!(!has_topic(&bootstrap, "one")?);
    ensure!(
        !has_topic(&bootstrap, "one")?,
        "asking for a topic must not make it"
    );
    bears_faults(
        &kafka,
        |word| make_topic(&bootstrap, word),
        |word| has_topic(&bootstrap, word),
    )
}

#[test]
fn wrong_setting_should_be_named() -> Result<()> {
    says(
        Kafka::with(&[("log.segment.bytes", "many")]),
        "Kafka",
        "log.segment.bytes",
    )
}
