//! Replay and the past, as auditors use them: the log from any place, resumed after every cut, on record; and a balance on
//! a day in March. Both assemblies.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use vaultstream_client::http::{Client, EventQuery, With};
use vaultstream_client::{EventPage, Vault};

use crate::cluster::{Build, Roles};
use crate::people::{Person, ended, printed};
use crate::product::{ETHER, Product, Setup, account, address, program};

/// The lines of a replay.
async fn replayed(person: &Person<'_>, words: &[&str]) -> Result<Vec<Value>> {
    let output = person.does(&[&["replay"], words].concat()).await?;
    ensure!(output.status.success(), "{words:?}: {output:?}");
    let lines = printed(&output);
    lines
        .lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

/// Every event a client may read, page by page.
async fn paged(client: &Client) -> Result<Vec<Value>> {
    let (query, mut cursor, mut items) = (EventQuery::default(), None, Vec::new());
    loop {
        let path = query.path(Some(7), cursor.as_deref());
        let page: EventPage = client.get(&path, With::default()).await?.body;
        for item in page.items {
            items.push(serde_json::to_value(item)?);
        }
        let Some(next) = page.next_cursor else {
            return Ok(items);
        };
        cursor = Some(next);
    }
}

/// Each event once, and each shard in its order.
fn check_order(events: &[Value]) -> Result<()> {
    let mut last = BTreeMap::new();
    for event in events {
        let number = |field: &str| event[field].as_u64().context("a number");
        let (shard, position) = (number("shard")?, number("position")?);
        let before = last.insert(shard, position).unwrap_or(0);
        ensure!(before < position, "out of order or twice: {event}");
    }
    Ok(())
}

async fn pay(product: &Product, key: &str) -> Result<String> {
    let (from, to) = (
        product.vault("Operations").await?,
        product.vault("Payouts").await?,
    );
    product.balance_is(&account(&from)?, |wei| wei > ETHER).await?;
    let id = product
        .transfer(&from, &address(&to)?, ETHER / 1_000, key)
        .await?;
    product.completed(&id).await?;
    Ok(id)
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn log_should_be_replayed_whole_and_filtered_and_on_record() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let transfer = pay(&product, "first").await?;
    let tenant = Person::with(&product, setup.data_dir().join("demo.key"));
    let auditor = Person::with(&product, setup.data_dir().join("platform.key"));

    let lines = replayed(&tenant, &[]).await?;
    check_order(&lines)?;
    let organization = product.vault("Operations").await?.organization_id.to_string();
    ensure!(lines.iter().all(|e| e["organizationId"] == organization.as_str()));
    let pages = paged(&product.client).await?;
    // balances may have been read meanwhile
    let known = |event: &&Value| pages.iter().any(|page| page["id"] == event["id"]);
    ensure!(
        lines.iter().all(|event| known(&event)),
        "the verb prints what the pages hold"
    );

    let story = replayed(&tenant, &["--stream", &transfer]).await?;
    let (first, last) = (
        story.first().context("a beginning")?,
        story.last().context("an end")?,
    );
    ensure!(
        first["type"] == "transfer.requested" && last["type"] == "transfer.completed",
        "{story:?}"
    );
    let until = first["occurredAt"].as_str().context("a moment")?;
    let begun = replayed(&tenant, &["--type", "transfer.completed", "--until", until]).await?;
    ensure!(
        begun.is_empty(),
        "nothing was completed before it was requested: {begun:?}"
    );
    let two = ["--type", "transfer.requested", "--type", "transfer.completed"];
    ensure!(types(&replayed(&tenant, &two).await?) == ["transfer.requested", "transfer.completed"]);

    let all = replayed(&auditor, &[]).await?;
    ensure!(types(&all).contains(&"organization.registered"));
    ensure!(
        all.iter().any(|e| e["organizationId"] == organization.as_str()),
        "an auditor reads all"
    );
    let theirs = replayed(
        &auditor,
        &["--organization", &organization, "--stream", &transfer],
    )
    .await?;
    ensure!(theirs == story, "a tenant and an auditor see the same");
    let records = replayed(&auditor, &["--type", "audit.events_read"]).await?;
    ensure!(records.len() >= 2, "{records:?}");
    let about = |record: &&Value| record["data"]["stream"] == transfer.as_str();
    let record = records
        .iter()
        .find(about)
        .context("the read of the transfer is on record")?;
    ensure!(
        record["actor"]
            .as_str()
            .is_some_and(|who| who.starts_with("key:")),
        "{record}"
    );
    ensure!(
        record["data"]["organization"] == organization.as_str(),
        "{record}"
    );
    ensure!(record["data"]["events"] == story.len(), "{record}");
    let mine = replayed(&tenant, &["--type", "audit.events_read"]).await?;
    ensure!(mine.is_empty(), "{mine:?}");

    let refused = tenant.does(&["replay", "--type", "claim.bound"]).await?;
    ended(&refused, 3, &["invalid-field", "type"])?;
    let foreign = auditor
        .does(&["replay", "--type", "organization.registered"])
        .await?;
    let platform: Value = serde_json::from_str(printed(&foreign).lines().next().context("a line")?)?;
    let platform = platform["organizationId"].as_str().context("an id")?;
    let refused = tenant.does(&["replay", "--organization", platform]).await?;
    ended(&refused, 3, &["not-found", "organization"])?;
    let refused = tenant.does(&["replay", "--cursor", "AAAA"]).await?;
    ended(&refused, 3, &["cursor-invalid"])
}

/// Forwards connections to the product until they are cut.
struct Wire {
    base: String,
    cut: Arc<Notify>,
}

impl Wire {
    async fn to(target: &str) -> Result<Self> {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let cut = Arc::new(Notify::new());
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (target, cut) = (target.clone(), cuts.clone());
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else {
                        return;
                    };
                    tokio::select! {
                        () = cut.notified() => {}
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    }
                });
            }
        });
        Ok(Self { base, cut })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_should_lose_nothing_when_its_connection_is_cut() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let wire = Wire::to(&product.base).await?;
    let mut command = tokio::process::Command::new(program("VAULTSTREAM_BIN")?);
    command
        .args([
            "replay",
            "--follow",
            "--type",
            "transfer.completed",
            "--url",
            &wire.base,
        ])
        .arg("--key-file")
        .arg(setup.data_dir().join("demo.key"))
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    let mut next = async || -> Result<String> {
        let line = tokio::time::timeout(crate::product::PATIENCE, lines.next_line()).await??;
        let event: Value = serde_json::from_str(&line.context("a line")?)?;
        Ok(event["subjectId"].as_str().context("an id")?.to_owned())
    };
    let mut paid = Vec::new();
    for round in 0..3 {
        paid.push(pay(&product, &format!("before-{round}")).await?);
        ensure!(&next().await? == paid.last().context("paid")?);
        wire.cut.notify_waiters();
        // while nobody is connected, or somebody just is again
        let missed = pay(&product, &format!("cut-{round}")).await?;
        ensure!(next().await? == missed, "what happened in between comes");
        paid.push(missed);
    }
    Ok(())
}

const PAST: &str = "query($id: ID!, $t: String) { balances(vaultId: $id, asOf: $t) { minor } vault(id: $id, asOf: $t) { name \
    version } }";

async fn asked(product: &Product, query: &str, variables: Value) -> Result<Value> {
    let answer: Value = product
        .client
        .post(
            "/graphql",
            &json!({ "query": query, "variables": variables }),
            With::default(),
        )
        .await?
        .body;
    ensure!(answer["errors"].is_null(), "{answer}");
    Ok(answer["data"].clone())
}

/// What was seen at a moment is seen there again after everything has moved on.
async fn past_is_told(product: &Product) -> Result<()> {
    let vault: Vault = product.vault("Operations").await?;
    let (id, account) = (vault.id.to_string(), account(&vault)?);
    let before = product.client.account(&account).await?.body;
    let then = asked(product, PAST, json!({ "id": id, "t": null })).await?;
    let events: EventPage = product
        .client
        .get("/v1/events?from=now", With::default())
        .await?
        .body;
    let moment = time_of_last(product).await?;
    pay(product, "after-then").await?;
    let held = before.balances.first().context("a balance")?.amount.minor;
    product
        .balance_is(&account, |wei| held.to_string() != wei.to_string())
        .await?;
    let shown = asked(product, PAST, json!({ "id": id, "t": moment })).await?;
    ensure!(shown == then, "{shown} is not {then}");
    let now = asked(product, PAST, json!({ "id": id, "t": null })).await?;
    ensure!(now != then, "it has moved on");
    let path = format!("/v1/accounts/{account}?asOf={moment}");
    let rest: vaultstream_client::Account = product.client.get(&path, With::default()).await?.body;
    ensure!(rest.balances == before.balances, "{rest:?}");
    let path = EventQuery::default().path(Some(200), Some(&events.cursor));
    let since: EventPage = product.client.get(&path, With::default()).await?.body;
    ensure!(
        since
            .items
            .iter()
            .any(|event| event.event_type == "transfer.completed"),
        "{since:?}"
    );
    Ok(())
}

/// The clock of the newest event a tenant sees, as a moment.
async fn time_of_last(product: &Product) -> Result<String> {
    let events = paged(&product.client).await?;
    let newest = events.iter().filter_map(|event| event["hlc"].as_i64()).max();
    let newest = vaultstream_event_schemas::Timestamp::from_micros(newest.context("an event")?);
    Ok(newest.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn past_should_be_what_was_seen_then() -> Result<()> {
    let product = Setup::new()?.start()?;
    pay(&product, "first").await?;
    past_is_told(&product).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_should_replay_on_any_process_and_tell_the_past() -> Result<()> {
    let (roles, mut product, _behind) = Roles::running().await?;
    let transfer = pay(&product, "first").await?;
    past_is_told(&product).await?;
    let whole = paged(&product.client).await?;
    check_order(&whole)?;
    ensure!(types(&whole).contains(&"transfer.completed"));

    // a stream that begins at one door goes on at another
    let (_other, base) = roles.role(Build::This, "query-api")?;
    let other = Client::try_new(&base, Some(&product.key))?;
    let mut stream = product.client.event_stream("/v1/events", None).await?;
    let (mut seen, mut last) = (Vec::new(), None);
    while seen.len() < whole.len() / 2 {
        let frame = stream.next().await?.context("it goes on")?;
        seen.extend(
            frame
                .data
                .map(|data| serde_json::from_str::<Value>(&data))
                .transpose()?,
        );
        last = frame.id.or(last);
    }
    product.process.kill();
    let mut stream = other.event_stream("/v1/events", last.as_deref()).await?;
    while seen.len() < whole.len() {
        let frame = stream.next().await?.context("it goes on")?;
        seen.extend(
            frame
                .data
                .map(|data| serde_json::from_str::<Value>(&data))
                .transpose()?,
        );
    }
    check_order(&seen)?;
    let known = |event: &&Value| seen.iter().any(|one| one["id"] == event["id"]);
    ensure!(whole.iter().all(|event| known(&event)), "nothing is missing");

    let key = std::fs::read_to_string(roles.dir.path().join("data/platform.key"))?;
    let auditor = Client::try_new(&base, Some(key.trim_end()))?;
    let path = format!("/v1/events?stream={transfer}");
    let page: EventPage = auditor.get(&path, With::default()).await?.body;
    ensure!(page.items.len() > 3, "{page:?}");
    let path = "/v1/events?type=audit.events_read";
    let records: EventPage = auditor.get(path, With::default()).await?.body;
    let mut about = records.items.iter().map(|record| &record.data["stream"]);
    ensure!(about.any(|stream| *stream == transfer.as_str()), "{records:?}");
    Ok(())
}
