//! Opening: what cannot work is refused, with words that say what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::conformance::view_store as suite;
use vaultstream_engines::Cassandra;
use vaultstream_infra_scylla::{Credentials, OpenError, Replication, ScyllaOptions, ScyllaViews};

use crate::setup::{open, options, plain};

async fn refused(options: ScyllaOptions) -> OpenError {
    match ScyllaViews::open(options).await {
        Ok(_) => panic!("it should be refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn bad_settings_should_be_refused_by_name() {
    let good = ScyllaOptions::new(vec!["127.0.0.1:1".into()], "good", suite::families());
    let networks = |name: &str, copies| Replication::Networks(BTreeMap::from([(name.to_owned(), copies)]));
    let bad = [
        ScyllaOptions {
            nodes: vec![],
            ..good.clone()
        },
        ScyllaOptions {
            prefix: "Upper".into(),
            ..good.clone()
        },
        ScyllaOptions {
            prefix: "a".repeat(21),
            ..good.clone()
        },
        ScyllaOptions {
            families: vec![],
            ..good.clone()
        },
        ScyllaOptions {
            replication: Replication::Simple(0),
            ..good.clone()
        },
        ScyllaOptions {
            replication: networks("dc1': 3}; --", 3),
            ..good.clone()
        },
        ScyllaOptions {
            replication: networks("dc1", 0),
            ..good.clone()
        },
        ScyllaOptions {
            timeout: Duration::from_millis(1),
            ..good.clone()
        },
        ScyllaOptions {
            in_flight: 0,
            ..good.clone()
        },
        ScyllaOptions {
            dump_bytes: 1,
            ..good
        },
    ];
    let mut fields = Vec::new();
    for options in bad {
        match refused(options).await {
            OpenError::Setting { field, .. } => fields.push(field),
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        "nodes",
        "prefix",
        "prefix",
        "families",
        "replication",
        "replication",
        "replication",
        "timeout",
        "in_flight",
        "dump_bytes",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_should_be_said_with_the_addresses() {
    let options = ScyllaOptions {
        timeout: Duration::from_secs(2),
        ..ScyllaOptions::new(vec!["127.0.0.1:1".into()], "none", suite::families())
    };
    let said = refused(options).await;
    assert!(matches!(said, OpenError::Unreachable { .. }), "{said:?}");
    assert!(said.to_string().contains("127.0.0.1:1"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_data_centre_should_be_refused_with_the_known_ones() {
    let good = options(suite::families()).await;
    let replicated = ScyllaOptions {
        replication: Replication::Networks(BTreeMap::from([("dc9".to_owned(), 3)])),
        ..good.clone()
    };
    let said = refused(replicated).await;
    assert!(
        matches!(
            said,
            OpenError::Setting {
                field: "datacenter",
                ..
            }
        ),
        "{said:?}"
    );
    assert!(
        said.to_string().contains("dc9") && said.to_string().contains("datacenter1"),
        "{said}"
    );
    // The one that is there, by the strategy that production uses.
    let networks = ScyllaOptions {
        replication: Replication::Networks(BTreeMap::from([("datacenter1".to_owned(), 1)])),
        datacenter: Some("datacenter1".into()),
        ..good
    };
    let store = open(&networks).await;
    store
        .create(&suite::view(1), &suite::TABLES)
        .await
        .expect("created");
    store
        .flush(&suite::view(1), suite::one_row(1))
        .await
        .expect("written");
}

/// The engine, but that it calls itself by another version of as many letters.
async fn aged(engine: String, found: String, said: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            let server = TcpStream::connect(&engine).await.expect("the engine runs");
            let ((mut from, mut to), (mut answers, mut back)) = (caller.into_split(), server.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from, &mut back).await });
            let (found, said) = (found.clone().into_bytes(), said.clone().into_bytes());
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 20];
                while let Ok(count @ 1..) = answers.read(&mut bytes).await {
                    let part = &mut bytes[..count];
                    for at in 0..=count.saturating_sub(found.len()) {
                        if part[at..].starts_with(&found) {
                            part[at..at + said.len()].copy_from_slice(&said);
                        }
                    }
                    if to.write_all(part).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_engine_should_be_refused_with_its_version_and_those_that_will_do() {
    let good = options(suite::families()).await;
    let rows = plain(&good.nodes[0])
        .await
        .query_unpaged("SELECT release_version FROM system.local", ())
        .await
        .expect("answered")
        .into_rows_result()
        .expect("rows");
    let (found,) = rows.single_row::<(String,)>().expect("a row");
    let old = format!("3{}", &found[1..]);
    let options = ScyllaOptions {
        nodes: vec![aged(good.nodes[0].clone(), found, old.clone()).await],
        ..good
    };
    let said = refused(options).await.to_string();
    assert_eq!(
        said,
        format!(
            "the engine is version Apache Cassandra {old}; use ScyllaDB 5.2 or newer, or Apache Cassandra 4.0 or newer"
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layout_from_the_future_should_be_refused() {
    let options = options(suite::families()).await;
    drop(open(&options).await);
    let session = plain(&options.nodes[0]).await;
    let newer = format!(
        "UPDATE {}_core.layout USING TIMESTAMP 9 SET version = 9 WHERE name = 'views'",
        options.prefix
    );
    session.query_unpaged(newer, ()).await.expect("written");
    let said = refused(options.clone()).await;
    assert!(
        matches!(
            said,
            OpenError::Future {
                found: 9,
                known: 1,
                ..
            }
        ),
        "{said:?}"
    );
    // An older program that starts now must not take the newer version away.
    let said = refused(options).await;
    assert!(said.to_string().contains("run the newer program"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_keyspace_should_not_be_made_against_the_settings() {
    let options = ScyllaOptions {
        create_keyspaces: false,
        ..options(suite::families()).await
    };
    let said = refused(options.clone()).await;
    assert!(matches!(said, OpenError::Missing { .. }), "{said:?}");
    let made = ScyllaOptions {
        create_keyspaces: true,
        ..options.clone()
    };
    drop(open(&made).await);
    drop(open(&options).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_made_for_something_else_should_be_refused() {
    let options = options(suite::families()).await;
    let store = open(&options).await;
    let session = plain(&options.nodes[0]).await;
    let keyspace = format!("{}_core", options.prefix);
    for table in ["suite_g1_by_id", "suite_g2_by_id"] {
        let other = format!("CREATE TABLE {keyspace}.{table} (owner text PRIMARY KEY, amount counter)");
        session.query_unpaged(other, ()).await.expect("made");
    }
    let said = store
        .create(&suite::view(1), &suite::TABLES)
        .await
        .expect_err("not ours");
    let said = format!("{said:?}");
    assert!(
        said.contains("no table of views") && said.contains("by_id"),
        "{said}"
    );
    // One of ours with another key: made by another version of the program.
    let mut tables = suite::TABLES;
    tables[0] = suite::COUNTED;
    tables[0].name = "by_id";
    store
        .drop_generation(&suite::view(2))
        .await
        .expect("dropped, whatever it was");
    store.create(&suite::view(2), &tables).await.expect("created");
    let said = store
        .create(&suite::view(2), &suite::TABLES)
        .await
        .expect_err("another key");
    let said = format!("{said:?}");
    assert!(
        said.contains("made by another version") && said.contains("rebuild"),
        "{said}"
    );
}

/// An engine that asks for credentials: none, wrong ones, good ones, and a role that may do nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_should_be_checked_and_never_shown() {
    let start = || {
        Cassandra::with(&[
            ("authenticator", "PasswordAuthenticator"),
            ("authorizer", "CassandraAuthorizer"),
        ])
    };
    let engine = tokio::task::spawn_blocking(start)
        .await
        .expect("starts")
        .expect("cassandra starts");
    let none = ScyllaOptions::new(vec![engine.contact_point()], "auth", suite::families());
    let said = refused(none.clone()).await;
    assert!(matches!(said, OpenError::Credentials { .. }), "{said:?}");
    let with = |user: &str, password: &str| ScyllaOptions {
        credentials: Some(Credentials {
            user: user.into(),
            password: password.into(),
        }),
        ..none.clone()
    };
    let wrong = with("cassandra", "hunter2");
    assert!(!format!("{wrong:?}").contains("hunter2"));
    let said = refused(wrong).await;
    assert!(matches!(said, OpenError::Credentials { .. }), "{said:?}");
    assert!(!format!("{said:?}{said}").contains("hunter2"), "{said:?}");
    let admin = with("cassandra", "cassandra");
    // The engine makes its first role some seconds after it is up.
    let mut store = ScyllaViews::open(admin.clone()).await;
    for _ in 0..120 {
        if store.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        store = ScyllaViews::open(admin.clone()).await;
    }
    let store = store.expect("a known role opens");
    store
        .create(&suite::view(1), &suite::TABLES)
        .await
        .expect("created");
    let session = scylla::client::session_builder::SessionBuilder::new()
        .known_node(engine.contact_point())
        .user("cassandra", "cassandra")
        .build()
        .await
        .expect("connects");
    let role = "CREATE ROLE guest WITH PASSWORD = 'guest' AND LOGIN = true";
    session.query_unpaged(role, ()).await.expect("made");
    let said = refused(with("guest", "guest")).await;
    assert!(matches!(said, OpenError::Forbidden { .. }), "{said:?}");
    assert!(said.to_string().contains("grant it"), "{said}");
}
