//! A role of the real binary against engines that are not as it needs them: it ends within seconds, not well, and its
//! last words are one sentence that names the remedy.
//!
//! The role is the relay: it asks everything of PostgreSQL and of Kafka, and needs nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use sqlx::{Connection, Executor, PgConnection};
use vaultstream_engines::{Kafka, Postgres};

use crate::product::program;

/// How long a refusal may take.
const SOON: Duration = Duration::from_secs(10);

/// What the relay is told.
struct Told {
    url: String,
    cluster: &'static str,
    bootstrap: String,
    prefix: String,
    shards: &'static str,
}

impl Told {
    fn write(&self, dir: &Path) -> Result<PathBuf> {
        let (url, file) = (dir.join("postgres.url"), dir.join("cluster.toml"));
        std::fs::write(&url, &self.url)?;
        let config = format!(
            r#"[assembly]
kind = "cluster"
cluster = "{cluster}"
[postgres]
databases = [{{ url = "file:{url}", shards = {shards} }}]
checkpoints = {{ url = "env:NOBODY_ASKS" }}
[kafka]
bootstrap = ["{bootstrap}"]
prefix = "{prefix}"
[scylla]
nodes = ["127.0.0.1:1"]
[[chains]]
id = "eip155:31337"
slug = "eth_sandbox"
name = "Ethereum sandbox"
sandbox = true
assets = [{{ id = "eip155:31337/slip44:60", symbol = "ETH", decimals = 18 }}]
node = {{ kind = "evm", url = "http://127.0.0.1:1" }}
"#,
            cluster = self.cluster,
            url = url.display(),
            shards = self.shards,
            bootstrap = self.bootstrap,
            prefix = self.prefix,
        );
        std::fs::write(&file, config)?;
        Ok(file)
    }

    /// Runs the relay, which has to refuse; what it said and how long that took.
    async fn refused(&self, dir: &Path) -> Result<(String, Duration)> {
        let mut command = tokio::process::Command::new(program("VAULTSTREAM_BIN")?);
        command.args(["serve", "--role", "relay", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(self.write(dir)?).arg("--data-dir").arg(dir);
        command.stdout(Stdio::null()).kill_on_drop(true);
        let begun = Instant::now();
        let ended = tokio::time::timeout(SOON, command.output()).await;
        let ended = ended.with_context(|| format!("it still runs after {SOON:?}"))??;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        ensure!(!ended.status.success(), "it ended well: {said}");
        Ok((said, begun.elapsed()))
    }
}

/// An empty log on the database, made as people make one: the archive of a log in which nothing happened.
fn make_tables(told: &Told, dir: &Path) -> Result<()> {
    let archive = dir.join("empty.jsonl");
    let (data, config) = (dir.join("embedded"), told.write(dir)?);
    for (verb, words) in [
        (
            "export",
            vec!["--out".into(), archive.clone(), "--data-dir".into(), data],
        ),
        (
            "import",
            vec!["--from".into(), archive, "--config".into(), config],
        ),
    ] {
        let output = Command::new(program("VAULTSTREAM_BIN")?)
            .arg(verb)
            .args(words)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{verb}: {said}");
    }
    Ok(())
}

async fn run(url: &str, sql: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(sql).await?;
    Ok(connection.close().await?)
}

async fn make_topic(told: &Told, partitions: i32) -> Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &told.bootstrap);
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let name = format!("{}.core.events", told.prefix);
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    for made in admin.create_topics([&topic], &AdminOptions::new()).await? {
        made.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}

/// One refusal: the words that say what was found, what was wanted and what to do.
async fn check(what: &str, told: &Told, dir: &Path, words: &[&str]) -> Result<()> {
    let (said, took) = told.refused(dir).await.with_context(|| what.to_owned())?;
    let last = said.lines().last().unwrap_or_default();
    ensure!(last.starts_with("vaultstream: "), "{what}: {said}");
    for word in words {
        ensure!(last.contains(word), "{what} does not say {word:?}: {last}");
    }
    ensure!(
        !said.contains("righteous") && !said.contains("hunter2"),
        "{what}: {said}"
    );
    println!("{what}: refused after {} ms", took.as_millis());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn role_should_refuse_engines_that_are_not_as_it_needs_them() -> Result<()> {
    let (postgres, bootstrap) = tokio::task::spawn_blocking(|| {
        anyhow::Ok((Postgres::with_password("righteous")?, Kafka::shared().bootstrap()))
    })
    .await??;
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let url = postgres.url();
    let told = || Told {
        url: url.clone(),
        cluster: "first",
        bootstrap: bootstrap.clone(),
        prefix: format!("refusals{}", std::process::id()),
        shards: "\"all\"",
    };
    let words = ["refuses the user or the password", "check the secret"];
    let wrong = Told {
        url: url.replace("righteous", "hunter2"),
        ..told()
    };
    check("wrong credentials", &wrong, dir, &words).await?;

    run(&url, "CREATE DATABASE old").await?;
    let (server, _) = url.rsplit_once('/').context("a url names its database")?;
    let old = format!("{server}/old");
    run(
        &old,
        "CREATE SCHEMA old; \
         CREATE FUNCTION old.current_setting(text) RETURNS text LANGUAGE sql AS \
         $$ SELECT CASE $1 WHEN 'server_version_num' THEN '140012' ELSE '14.12' END $$; \
         ALTER DATABASE old SET search_path = old, pg_catalog",
    )
    .await?;
    let words = ["PostgreSQL 14.12", "version 15 or newer", "upgrade the server"];
    check("an old server", &Told { url: old, ..told() }, dir, &words).await?;

    let words = ["run the role `migrate`"];
    check("no schema yet", &told(), dir, &words).await?;
    make_tables(&told(), dir)?;

    let shards = r#"["core", "audit", "eth_sandbox:0"]"#;
    let words = ["shard 4 (eth_sandbox 1) is in none", "add it to one"];
    check(
        "a shard without a database",
        &Told { shards, ..told() },
        dir,
        &words,
    )
    .await?;
    let shards = r#"["core", "eth_sandbox:one"]"#;
    let words = ["postgres.databases", "eth_sandbox:FIRST-LAST"];
    check("a part that is none", &Told { shards, ..told() }, dir, &words).await?;

    let words = ["belongs to cluster `first`", "`second`", "databases of its own"];
    let second = Told {
        cluster: "second",
        ..told()
    };
    check("two clusters on one database", &second, dir, &words).await?;

    let words = [".core.events is missing", "serve --role migrate"];
    check("a missing topic", &told(), dir, &words).await?;
    make_topic(&told(), 3).await?;
    let words = [
        "has 3 partitions",
        "2 shards",
        "choose another prefix, or delete the topic",
    ];
    check("partitions that are not the shards", &told(), dir, &words).await?;

    run(
        &url,
        "INSERT INTO vaultstream.migration (number, name, checksum) VALUES (99, 'later', '')",
    )
    .await?;
    let words = ["has schema 99", "this build knows", "run the newer build"];
    check("a schema from the future", &told(), dir, &words).await?;
    Ok(())
}
