//! Topics at start: made once, checked always, refused with the remedy.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use vaultstream_infra_kafka::{KafkaError, check_topics, create_topics};

use crate::place::{client, options, registry, topics};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_should_be_made_once_and_then_be_right() {
    let made = topics().await;
    check_topics(&made, &registry()).await.expect("right");
    let shards = registry();
    let (one, two) = tokio::join!(create_topics(&made, &shards), create_topics(&made, &shards));
    one.expect("twice is fine");
    two.expect("twice at once is fine");
    let mut several = made.clone();
    several.bootstrap.insert(0, "127.0.0.1:1".into());
    check_topics(&several, &registry())
        .await
        .expect("one server that answers is enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_topics_should_be_refused_with_the_remedy() {
    let made = topics().await;
    let missing = options(made.bootstrap[0].clone());
    let refused = check_topics(&missing, &registry()).await.expect_err("missing");
    assert!(matches!(refused, KafkaError::Missing(_)));
    let text = refused.to_string();
    assert!(
        text.contains(&missing.prefix) && text.contains("serve --role migrate"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_should_be_the_shards() {
    let made = topics().await;
    for (topic, count) in [("eth_test.events", 3), ("public.core", 1)] {
        let wrong = options(made.bootstrap[0].clone());
        let admin: AdminClient<DefaultClientContext> = client(&wrong).create().expect("a client");
        let name = format!("{}.{topic}", wrong.prefix);
        let new = NewTopic::new(&name, count, TopicReplication::Fixed(1));
        admin
            .create_topics([&new], &AdminOptions::new())
            .await
            .expect("asked")[0]
            .as_ref()
            .expect("made");
        let refused = create_topics(&wrong, &registry())
            .await
            .expect_err("another count");
        assert!(
            matches!(&refused, KafkaError::Partitions { topic, found, wanted: 2 } if *topic == name && *found == usize::try_from(count).expect("small")),
            "{refused}"
        );
        assert!(refused.to_string().contains("choose another prefix"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_server_should_be_named() {
    let mut nobody = options("127.0.0.1:1".into());
    nobody.patience_ms = 1_500;
    let refused = check_topics(&nobody, &registry())
        .await
        .expect_err("nobody there");
    assert!(matches!(refused, KafkaError::Unreachable { .. }), "{refused}");
    assert!(refused.to_string().contains("127.0.0.1:1"), "{refused}");
}
