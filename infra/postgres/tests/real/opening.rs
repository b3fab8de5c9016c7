//! What a start refuses, with the remedy in the message, and what starts do together.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use futures::future::join_all;
use sqlx::Row;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, stream};
use vaultstream_engines::Postgres;
use vaultstream_event_schemas::{Family, Slug};
use vaultstream_infra_postgres::{DatabaseConfig, Migrate, OpenError, PgLog, PgLogOptions, Shards};

use super::ground::{ShiftedClock, committed, connect, database, open, options, over, run, shared};

/// The message of a start that must be refused.
async fn refused(options: &PgLogOptions) -> (OpenError, String) {
    let error = PgLog::open(options).await.expect_err("refused");
    let said = error.to_string();
    (error, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_that_come_together_should_agree() {
    let url = database().await;
    let (here, mut logs) = (options(&url), Vec::new());
    for log in join_all((0..6).map(|_| PgLog::open(&here))).await {
        logs.push(log.expect("opens"));
    }
    for (log, n) in logs.iter().zip(0..) {
        assert_eq!(*log.registry(), *logs[0].registry());
        let outcomes = log
            .append(vec![Writer::new(stream(0, n)).command("together", 1)], None)
            .await;
        assert_eq!(committed(&outcomes.expect("taken")[0]), (n + 1, n + 1));
    }
}

#[tokio::test]
async fn database_of_another_cluster_should_be_refused() {
    let url = database().await;
    open(&options(&url)).await;
    let (error, said) = refused(&PgLogOptions {
        cluster: "other".into(),
        ..options(&url)
    })
    .await;
    assert!(matches!(error, OpenError::OtherCluster { .. }), "{error:?}");
    assert!(
        said.contains("belongs to cluster `test`") && said.contains("`other`"),
        "{said}"
    );
}

#[tokio::test]
async fn schemas_of_other_builds_should_be_refused() {
    let url = database().await;
    let untouched = PgLogOptions {
        migrate: Migrate::Refuse,
        ..options(&url)
    };
    let (error, said) = refused(&untouched).await;
    assert!(matches!(error, OpenError::Older { found: 0, .. }), "{error:?}");
    assert!(said.contains("run the role `migrate`"), "{said}");
    open(&options(&url)).await;
    open(&untouched).await;

    // What a newer build leaves: a step this build does not have, with the oldest schema that can work beside it.
    let later = |floor: &str| {
        format!(
            "DELETE FROM vaultstream.migration WHERE number = 99; \
        INSERT INTO vaultstream.migration (number, name, checksum, floor) VALUES (99, 'later', '', {floor})"
        )
    };
    for floor in ["98", "99", "NULL"] {
        run(&url, &later(floor)).await;
        let (error, said) = refused(&untouched).await;
        assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error:?}");
        let needed = floor.parse::<i32>().unwrap_or(99);
        assert!(
            said.contains(&format!("knows schema {needed} at least")) && said.contains("run the newer build"),
            "{said}"
        );
    }
    run(
        &url,
        "DELETE FROM vaultstream.migration WHERE number = 99; \
               UPDATE vaultstream.migration SET checksum = '' WHERE number = 2",
    )
    .await;
    let (error, said) = refused(&options(&url)).await;
    assert!(matches!(error, OpenError::Changed { step: 2, .. }), "{error:?}");
    assert!(said.contains("step 2"), "{said}");
}

#[tokio::test]
async fn build_before_should_start_and_work_on_a_schema_with_its_floor() {
    let url = database().await;
    open(&options(&url)).await;
    run(
        &url,
        "ALTER TABLE vaultstream.event_version ADD COLUMN later text; \
         INSERT INTO vaultstream.migration (number, name, checksum, floor) \
         SELECT 99, 'later', '', max(number) FROM vaultstream.migration",
    )
    .await;
    for migrate in [Migrate::Refuse, Migrate::Apply] {
        let log = open(&PgLogOptions {
            migrate,
            ..options(&url)
        })
        .await;
        let n = if migrate == Migrate::Refuse { 1 } else { 2 };
        let outcomes = log
            .append(
                vec![Writer::new(stream(0, n)).command("beside a newer build", 1)],
                None,
            )
            .await;
        assert_eq!(committed(&outcomes.expect("taken")[0]), (n, n));
        log.close().await;
    }
}

#[tokio::test]
async fn schema_of_a_build_without_floors_should_be_brought_up() {
    let url = database().await;
    open(&options(&url)).await;
    run(
        &url,
        "DROP FUNCTION vaultstream.announce; DROP TABLE vaultstream.process, vaultstream.event_version; \
         DELETE FROM vaultstream.migration WHERE number = 4; ALTER TABLE vaultstream.migration DROP COLUMN floor",
    )
    .await;
    let (error, _) = refused(&PgLogOptions {
        migrate: Migrate::Refuse,
        ..options(&url)
    })
    .await;
    assert!(
        matches!(
            error,
            OpenError::Older {
                found: 3,
                known: 4,
                ..
            }
        ),
        "{error:?}"
    );
    open(&options(&url)).await;
    let floors = sqlx::query("SELECT floor FROM vaultstream.migration ORDER BY number")
        .fetch_all(&mut connect(&url).await)
        .await
        .expect("listed");
    let floors: Vec<Option<i32>> = floors.iter().map(|row| row.get(0)).collect();
    assert_eq!(floors, [None, None, None, Some(4)]);
}

#[tokio::test]
async fn what_cannot_be_entered_should_be_told_apart() {
    let url = database().await;
    let elsewhere = |from: &str, to: &str| options(&url.replace(from, to));
    let name = url
        .rsplit_once('/')
        .expect("a url names its database")
        .1
        .to_owned();
    let (error, said) = refused(&elsewhere("postgres@", "nobody_known:secret@")).await;
    assert!(matches!(error, OpenError::Credentials { .. }), "{error:?}");
    assert!(
        said.contains("check the secret") && !said.contains("secret@"),
        "{said}"
    );
    let (error, said) = refused(&elsewhere(&name, "no_such_database")).await;
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    assert!(said.contains("create it"), "{said}");
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("binds")
        .local_addr()
        .expect("bound");
    let (error, said) = refused(&options(&format!("postgres://postgres@{free}/x"))).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(said.contains("check that it runs"), "{said}");

    let role = format!("guest_{}", std::process::id());
    run(&shared().await.url(), &format!("CREATE ROLE {role} LOGIN")).await;
    let (error, said) = refused(&elsewhere("postgres@", &format!("{role}@"))).await;
    assert!(matches!(error, OpenError::Privileges { .. }), "{error:?}");
    assert!(said.contains("grant it CREATE"), "{said}");
}

#[tokio::test]
async fn wrong_password_should_be_refused_without_being_repeated() {
    let closed = tokio::task::spawn_blocking(|| Postgres::with_password("righteous"))
        .await
        .expect("not cancelled")
        .expect("starts");
    open(&options(&closed.url())).await;
    let wrong = closed.url().replace(":righteous@", ":hunter2@");
    let (error, said) = refused(&options(&wrong)).await;
    let OpenError::Credentials { source, .. } = &error else {
        panic!("{error:?}");
    };
    let code = source
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some("28P01"));
    assert!(
        said.contains("check the secret") && !said.contains("hunter2"),
        "{said}"
    );
}

#[tokio::test]
async fn old_server_should_be_refused_with_both_versions() {
    let url = database().await;
    // A server that says it is old: its own answer, hidden behind a function that comes first in the search path.
    let name = url.rsplit_once('/').expect("a url names its database").1;
    run(
        &url,
        &format!(
            "CREATE SCHEMA old; \
             CREATE FUNCTION old.current_setting(text) RETURNS text LANGUAGE sql AS \
             $$ SELECT CASE $1 WHEN 'server_version_num' THEN '140012' ELSE '14.12' END $$; \
             ALTER DATABASE {name} SET search_path = old, pg_catalog"
        ),
    )
    .await;
    let (error, said) = refused(&options(&url)).await;
    assert!(matches!(error, OpenError::Version { .. }), "{error:?}");
    assert_eq!(
        said,
        "database main runs PostgreSQL 14.12; version 15 or newer is needed: upgrade the server"
    );
}

#[tokio::test]
async fn clocks_apart_should_be_refused() {
    let url = database().await;
    let hour = 3_600_000_000;
    for (shift, direction) in [(hour, "behind"), (-hour, "ahead of")] {
        let clock = Arc::new(ShiftedClock(AtomicI64::new(shift)));
        let (error, said) = refused(&PgLogOptions {
            clock,
            ..options(&url)
        })
        .await;
        assert!(matches!(error, OpenError::Clock { .. }), "{error:?}");
        assert!(said.contains(direction) && said.contains("NTP"), "{said}");
    }
}

#[tokio::test]
async fn registry_should_be_kept_and_only_grow() {
    let url = database().await;
    open(&options(&url)).await;
    let mut families = sample::families();
    families[0].1 = 3;
    let (error, _) = refused(&PgLogOptions {
        families: families.clone(),
        ..options(&url)
    })
    .await;
    assert!(matches!(error, OpenError::Registry(_)), "{error:?}");
    families[0].1 = 2;
    families.push((Family::Chain(Slug::try_new("btc_test").expect("valid")), 2));
    let grown = open(&PgLogOptions {
        families,
        ..options(&url)
    })
    .await;
    assert_eq!(grown.registry().entries().len(), 7);
    let outcomes = grown
        .append(vec![Writer::new(stream(6, 1)).command("new family", 1)], None)
        .await;
    assert_eq!(committed(&outcomes.expect("taken")[0]), (1, 1));
    assert_eq!(
        open(&options(&url)).await.registry().entries().len(),
        7,
        "what was there stays"
    );
}

#[tokio::test]
async fn shards_should_stay_where_they_are_kept() {
    let (a, b, c) = (database().await, database().await, database().await);
    let [core, audit, chain] = sample::families().try_into().expect("three families");
    let (low, high) = (Shards::families([core.0, audit.0]), Shards::families([chain.0]));
    let low = |name: &str, url: &str| DatabaseConfig::new(name, url).keeping(low.clone());
    let high = |name: &str, url: &str| DatabaseConfig::new(name, url).keeping(high.clone());
    open(&over(vec![low("a", &a), high("b", &b)])).await;
    open(&over(vec![low("a", &a), high("b", &b)])).await;
    let (error, said) = refused(&over(vec![DatabaseConfig::new("a", &a)])).await;
    assert!(matches!(error, OpenError::Moved { .. }), "{error:?}");
    assert!(said.contains("shard 3 is kept in database b"), "{said}");
    for (what, options) in [
        ("another name", over(vec![low("a", &a), high("c", &c)])),
        (
            "an empty database under a known name",
            over(vec![low("a", &a), high("b", &c)]),
        ),
        ("swapped urls", over(vec![low("a", &b), high("b", &a)])),
        ("swapped shards", over(vec![high("a", &a), low("b", &b)])),
    ] {
        let (error, _) = refused(&options).await;
        assert!(
            matches!(error, OpenError::Moved { .. } | OpenError::RegistryDamaged { .. }),
            "{what}: {error:?}"
        );
    }
}

#[tokio::test]
async fn sessions_should_have_limits_by_role() {
    let log = open(&options(&database().await)).await;
    let url = {
        // Something must run for the roles to be seen; the settings are those of a new session of each.
        log.append(vec![Writer::new(stream(0, 1)).command("x", 1)], None)
            .await
            .expect("taken");
        log.heads().await.expect("readable");
        shared().await.url()
    };
    let rows = sqlx::query(
        "SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name LIKE 'vaultstream-%' ORDER BY 1",
    )
    .fetch_all(&mut connect(&url).await)
    .await
    .expect("listed");
    let roles: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(
        roles.iter().any(|r| r == "vaultstream-append") && roles.iter().any(|r| r == "vaultstream-read"),
        "{roles:?}"
    );
    let limits = log.first_database().limits().await.expect("readable");
    for (role, name, expected) in [
        ("append", "statement_timeout", "10s"),
        ("append", "idle_in_transaction_session_timeout", "10s"),
        ("append", "lock_timeout", "5s"),
        ("append", "synchronous_commit", "on"),
        ("read", "statement_timeout", "30s"),
        ("read", "idle_in_transaction_session_timeout", "30s"),
        ("read", "lock_timeout", "15s"),
        ("read", "default_transaction_read_only", "on"),
    ] {
        let wanted = (role, name.to_owned(), expected.to_owned());
        assert!(limits.contains(&wanted), "{wanted:?} in {limits:?}");
    }
}
