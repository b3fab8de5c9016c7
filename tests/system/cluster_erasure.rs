//! Erasure on the real engines: what was read through two doors is erased at one of them, and then searched for in
//! PostgreSQL, Kafka, Cassandra and Redis, by their own protocols and in the bytes of their files.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};
use vaultstream_client::http::{Client, With};

use crate::cluster::{Build, Roles};
use crate::erasure::{Traces, erase, export, holds, noted, reads, with_contact};
use crate::people::Person;
use crate::product::{Process, Product, until};

const DOORS: &str = "command-api,query-api";

/// A role whose log lines go to a file.
fn role(roles: &Roles, role: &str, log: &Path) -> Result<(Process, String)> {
    let mut command = roles.serve(Build::This, role)?;
    command.stderr(std::fs::File::options().create(true).append(true).open(log)?);
    let process = Process::start(&mut command)?;
    let ready = |l: &str| l.strip_prefix("Vaultstream is ready at ").map(str::to_owned);
    let base = process.line(ready).with_context(|| format!("role {role}"))?;
    Ok((process, base))
}

/// Every row of every table, as text.
async fn postgres(url: &str, traces: &Traces) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
                  WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let mut has_control = false;
    for table in sqlx::query(tables).fetch_all(&mut connection).await? {
        let table: String = table.try_get(0)?;
        let rows = format!("SELECT t::text FROM {table} t");
        for row in sqlx::query(&rows).fetch_all(&mut connection).await? {
            let row: String = row.try_get(0)?;
            traces.absent(&table, row.as_bytes())?;
            has_control |= has(traces, row.as_bytes());
        }
    }
    ensure!(has_control, "PostgreSQL: not even the control is found");
    Ok(())
}

/// Whether the control is in bytes, as it is or in hexadecimal.
fn has(traces: &Traces, bytes: &[u8]) -> bool {
    holds(bytes, traces.control.as_bytes()) || holds(bytes, hex::encode(&traces.control).as_bytes())
}

/// Every record of every topic, with its key and headers.
fn kafka(bootstrap: &str, traces: &Traces) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "erasure")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(20))?;
    let mut from = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|t| !t.name().starts_with("__")) {
        for partition in topic.partitions() {
            from.add_partition_offset(topic.name(), partition.id(), Offset::Beginning)?;
        }
    }
    let mut left = from.count();
    consumer.assign(&from)?;
    let (begun, mut has_control) = (Instant::now(), false);
    while left > 0 {
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "Kafka: the topics do not end"
        );
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                let payload = message.payload().unwrap_or_default();
                for bytes in [message.key().unwrap_or_default(), payload] {
                    traces.absent(message.topic(), bytes)?;
                    has_control |= has(traces, bytes);
                }
                let headers = message.headers().into_iter().flat_map(|all| all.iter());
                for header in headers {
                    traces.absent(message.topic(), header.value.unwrap_or_default())?;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
            Some(Err(error)) => bail!("Kafka: {error}"),
            None => {}
        }
    }
    ensure!(has_control, "Kafka: not even the control is found");
    Ok(())
}

/// Every row of every table of ours, as JSON.
async fn cassandra(contact_point: &str, traces: &Traces) -> Result<()> {
    let session = scylla::client::session_builder::SessionBuilder::new()
        .known_node(contact_point)
        .build()
        .await?;
    let tables = session
        .query_unpaged("SELECT keyspace_name, table_name FROM system_schema.tables", ())
        .await?
        .into_rows_result()?;
    let mut has_control = false;
    for table in tables.rows::<(String, String)>()? {
        let (keyspace, table) = table?;
        if keyspace.starts_with("system") {
            continue;
        }
        let rows = session
            .query_unpaged(format!("SELECT JSON * FROM \"{keyspace}\".\"{table}\""), ())
            .await?
            .into_rows_result()?;
        for row in rows.rows::<(String,)>()? {
            let (row,) = row?;
            traces.absent(&format!("{keyspace}.{table}"), row.as_bytes())?;
            has_control |= has(traces, row.as_bytes());
        }
    }
    ensure!(has_control, "Cassandra: not even the control is found");
    Ok(())
}

/// A reply of Redis, flat.
fn reply(stream: &mut BufReader<TcpStream>) -> Result<Vec<Vec<u8>>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let (kind, rest) = line.trim_end().split_at(1);
    let count = || rest.parse::<i64>().context("a count");
    Ok(match kind {
        "$" if rest == "-1" => vec![],
        "$" => {
            let mut bytes = vec![0; usize::try_from(count()?)? + 2];
            stream.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            vec![bytes]
        }
        "*" => {
            let mut all = Vec::new();
            for _ in 0..count()?.max(0) {
                all.extend(reply(stream)?);
            }
            all
        }
        "-" => bail!("Redis: {rest}"),
        _ => vec![rest.as_bytes().to_vec()],
    })
}

fn ask(stream: &mut BufReader<TcpStream>, words: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend(format!("${}\r\n", word.len()).into_bytes());
        command.extend_from_slice(word);
        command.extend(b"\r\n");
    }
    stream.get_mut().write_all(&command)?;
    reply(stream)
}

/// Every key with its value.
fn redis(url: &str, traces: &Traces) -> Result<()> {
    let address = url.trim_start_matches("redis://").trim_end_matches('/');
    let address = address.split('/').next().context("an address")?;
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    let keys = ask(&mut stream, &[b"KEYS", b"*"])?;
    ensure!(!keys.is_empty(), "Redis holds nothing");
    let mut has_control = false;
    for key in keys {
        traces.absent("a key of Redis", &key)?;
        let kind = ask(&mut stream, &[b"TYPE", &key])?.concat();
        let read: &[u8] = if kind == b"hash" { b"HGETALL" } else { b"GET" };
        let value = ask(&mut stream, &[read, &key])?.concat();
        traces.absent(&String::from_utf8_lossy(&key), &value)?;
        has_control |= has(traces, &value);
    }
    ensure!(
        has_control,
        "Redis: not even the control is found: nothing that names the transfer is kept"
    );
    Ok(())
}

/// Lists that are kept, and name the control.
async fn list(product: &Product) -> Result<()> {
    for _ in 0..3 {
        product
            .client
            .get::<Value>("/v1/transfers", With::default())
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_data_should_be_in_no_engine_and_behind_no_door() -> Result<()> {
    let roles = Roles::start()?;
    let config = std::fs::read_to_string(&roles.config)?;
    std::fs::write(&roles.config, format!("log_filter = \"debug\"\n{config}"))?;
    let log = roles.dir.path().join("stderr.log");
    roles.migrate().await?;
    let mut running = Vec::new();
    for name in ["relay", "projectors", "workflows", "watchers"] {
        running.push(role(&roles, name, &log)?.0);
    }
    let (doors, base) = role(&roles, DOORS, &log)?;
    let mut seeding = roles.seed()?;
    let link = seeding.line(|l| l.strip_prefix("One-time sign-in link: ").map(str::to_owned))?;
    ensure!(seeding.wait_for_end().await?.success(), "the demo was not seeded");
    let product = roles.product(doors, base, link.clone())?;
    let (other, base) = role(&roles, DOORS, &log)?;
    let other = roles.product(other, base, link)?;

    let traces = Traces::new("cl");
    let data = roles.dir.path().join("data");
    let key = std::fs::read_to_string(data.join("platform.key"))?;
    let operator = Client::try_new(&product.base, Some(key.trim_end()))?;
    let transfer = noted(&product, &traces).await?;
    let organization = with_contact(&operator, &traces).await?;
    reads(&product, &transfer, Some(&traces.memo)).await?;
    reads(&other, &transfer, Some(&traces.memo)).await?;
    list(&other).await?;

    let tenant = Person::with(&product, data.join("demo.key"));
    let operator = Person::with(&product, data.join("platform.key"));
    erase(&tenant, &operator, &transfer, &organization).await?;
    let begun = Instant::now();
    let elsewhere = other.client.transfer(&transfer).await?.body;
    ensure!(
        elsewhere.memo.is_none() && elsewhere.memo_erased && begun.elapsed() < Duration::from_secs(1),
        "the other door shows {elsewhere:?}"
    );
    reads(&other, &transfer, None).await?;
    reads(&product, &transfer, None).await?;
    until("the views have heard of it", || async {
        let page = other.client.transfers(None).await?;
        Ok(page.items.iter().any(|t| t.memo_erased).then_some(()))
    })
    .await?;
    list(&other).await?;

    let engines = &roles.engines;
    postgres(&engines.postgres.url(), &traces).await?;
    kafka(&engines.kafka.bootstrap(), &traces)?;
    cassandra(&engines.cassandra.contact_point(), &traces).await?;
    redis(&engines.redis.url(), &traces)?;
    let file = roles.dir.path().join("export.jsonl");
    let config = roles.config.display().to_string();
    export(&["--config", &config], &data, &file)?;
    traces.absent("the export", &std::fs::read(&file)?)?;
    drop((running, product, other));
    // Stopped in order, each has written everything it held in memory.
    engines.postgres.stop()?;
    engines.cassandra.stop()?;
    engines.redis.stop()?;
    engines.kafka.stop()?;
    traces.search_with_control(&engines.postgres.data_dir()?)?;
    traces.search_with_control(&engines.cassandra.data_dir()?)?;
    // Kafka's own files are compressed, and Redis may keep none; what they hold was read above.
    traces.search(&engines.kafka.data_dir()?)?;
    traces.search(&engines.redis.data_dir()?)?;
    traces.search(roles.dir.path())?;
    Ok(())
}
