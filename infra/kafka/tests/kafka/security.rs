//! A broker that demands TLS and a password: the right ones work, each wrong one is told apart.

use std::error::Error;

use vaultstream_domain::ports::Publisher;
use vaultstream_domain::ports::conformance::publisher::{consume, history};
use vaultstream_engines::SecuredKafka;
use vaultstream_infra_kafka::{
    Authority, KafkaError, KafkaOptions, Password, Security, check_topics, create_topics,
};

use crate::place::{Place, SHARD, options, registry};

/// An authority that vouches for nobody here; its key is forgotten.
const STRANGER: &str = "-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUY7l0Y0Y0mC7m0cC3w2mWv1m1v0kwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
";

fn secured(kafka: &SecuredKafka) -> KafkaOptions {
    KafkaOptions {
        security: Security::TlsScram {
            authority: Authority::Pem(kafka.ca_pem().to_owned()),
            user: kafka.user().to_owned(),
            password: Password::new(kafka.password()),
        },
        patience_ms: 30_000,
        ..options(kafka.bootstrap())
    }
}

fn changed(options: &KafkaOptions, authority: Option<Authority>, password: Option<&str>) -> KafkaOptions {
    let Security::TlsScram {
        authority: right,
        user,
        password: known,
    } = options.security.clone()
    else {
        panic!("secured");
    };
    KafkaOptions {
        security: Security::TlsScram {
            authority: authority.unwrap_or(right),
            user,
            password: password.map_or(known, Password::new),
        },
        ..options.clone()
    }
}

async fn refused(options: &KafkaOptions) -> KafkaError {
    check_topics(options, &registry()).await.expect_err("refused")
}

fn whole(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", whole(source)),
        None => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secured_broker_should_take_the_right_secrets_and_name_the_wrong_ones() {
    let kafka = tokio::task::spawn_blocking(SecuredKafka::start)
        .await
        .expect("started")
        .expect("a secured broker");
    let right = secured(&kafka);
    create_topics(&right, &registry()).await.expect("made");
    let by_file = changed(&right, Some(Authority::File(kafka.ca_file().to_owned())), None);
    check_topics(&by_file, &registry())
        .await
        .expect("the file is as good");

    let place = Place::with(right.clone());
    let events = history(1, 200);
    let publisher = place.publisher();
    publisher.publish(SHARD, 1, &events).await.expect("acknowledged");
    assert!(consume(&place.bus(), SHARD, 200).await == events);

    let wrong = refused(&changed(&right, None, Some("not-this-one"))).await;
    assert!(
        matches!(wrong, KafkaError::Credentials { .. }),
        "{}",
        whole(&wrong)
    );
    let text = whole(&wrong);
    assert!(
        text.contains(kafka.user()) && text.contains("security.password"),
        "{text}"
    );
    assert!(!text.contains("not-this-one"), "secrets stay out of errors");

    let untrusted = refused(&changed(&right, Some(Authority::System), None)).await;
    assert!(
        matches!(untrusted, KafkaError::Tls { .. }),
        "{}",
        whole(&untrusted)
    );
    assert!(whole(&untrusted).contains("security.authority"));

    let damaged = refused(&changed(&right, Some(Authority::Pem(STRANGER.into())), None)).await;
    assert!(matches!(damaged, KafkaError::Refused(_)), "{}", whole(&damaged));

    let plain = KafkaOptions {
        security: Security::Plain,
        patience_ms: 3_000,
        ..right.clone()
    };
    let plain = refused(&plain).await;
    assert!(whole(&plain).contains("TLS"), "{}", whole(&plain));

    let mut publishing = Place::with(changed(&right, None, Some("not-this-one")));
    publishing.options.patience_ms = 3_000;
    let failed = publishing
        .publisher()
        .publish(SHARD, 1, &events)
        .await
        .expect_err("no acknowledgement");
    assert!(
        whole(&failed).to_lowercase().contains("auth"),
        "{}",
        whole(&failed)
    );
}
