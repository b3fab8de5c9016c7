//! A key that cannot be folded, as an operator sees it in both assemblies: what the view depends on is damaged in the real
//! store, everybody else goes on, the key is listed with its reason, and once the damage is mended it is folded again in
//! order, without a restart.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use vaultstream_client::http::With;
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{Flush, RowKey, RowWrite, ViewRef};
use vaultstream_event_schemas::{Family, Hlc, Slug};
use vaultstream_infra_scylla::{ScyllaOptions, ScyllaViews};
use vaultstream_projectors::ViewName;
use vaultstream_projectors::tables::{self, key, t};
use vaultstream_projectors::views::{tables_of, view};

use crate::browser;
use crate::cluster::{Build, Roles};
use crate::eyes::Scrape;
use crate::people::{Person, ended, printed};
use crate::product::{ETHER, PATIENCE, Product, Setup, address, until};

fn family() -> Result<Family> {
    Ok(Family::Chain(Slug::try_new("eth_sandbox")?))
}

/// Writes a value in the place of the row that every transfer of the vault reads when it is folded.
#[async_trait]
trait Tamper {
    async fn read(&self) -> Result<Vec<u8>>;
    async fn write(&self, value: Vec<u8>) -> Result<()>;
}

/// Past the product, which has the file open.
struct InFile {
    file: PathBuf,
    vault: String,
}

impl InFile {
    fn open(&self) -> Result<Connection> {
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    }
}

#[async_trait]
impl Tamper for InFile {
    async fn read(&self) -> Result<Vec<u8>> {
        let table = format!("transfers_g1_{}", tables::ACTIVITY.name);
        let query = format!("SELECT value FROM {table} WHERE vault = ?1");
        Ok(self.open()?.query_row(&query, [&self.vault], |row| row.get(0))?)
    }
    async fn write(&self, value: Vec<u8>) -> Result<()> {
        let table = format!("transfers_g1_{}", tables::ACTIVITY.name);
        let update = format!("UPDATE {table} SET value = ?2 WHERE vault = ?1");
        let changed = self.open()?.execute(&update, params![self.vault, value])?;
        ensure!(changed == 1, "{changed} rows");
        Ok(())
    }
}

/// By another client of the engine, each time a little later than the row.
struct InEngine {
    store: ScyllaViews,
    at: ViewRef,
    key: RowKey,
    hlc: AtomicU64,
}

impl InEngine {
    async fn of(store: ScyllaViews, organization: &str, vault: &str) -> Result<Self> {
        let at = ViewName::Transfers.at(family()?, 1);
        store
            .create(&at, &tables_of(view(ViewName::Transfers).as_ref()))
            .await?;
        let key = key(&tables::ACTIVITY, [t(organization)], [t(vault)]);
        let found = Self {
            store,
            at,
            key,
            hlc: AtomicU64::default(),
        };
        let row: Value = serde_json::from_slice(&found.read().await?)?;
        let hlc = row["hlc"].as_u64().or_else(|| row["hlc"].as_str()?.parse().ok());
        found.hlc.store(hlc.context("it says when")?, Ordering::SeqCst);
        Ok(found)
    }
}

#[async_trait]
impl Tamper for InEngine {
    async fn read(&self) -> Result<Vec<u8>> {
        let found = self.store.get(&self.at, std::slice::from_ref(&self.key)).await?;
        found.into_iter().next().flatten().context("the vault was active")
    }
    async fn write(&self, value: Vec<u8>) -> Result<()> {
        let row = RowWrite {
            key: self.key.clone(),
            value,
            hlc: Hlc(self.hlc.fetch_add(1, Ordering::SeqCst) + 1),
        };
        let flush = Flush {
            rows: vec![row],
            ..Flush::default()
        };
        Ok(self.store.flush(&self.at, flush).await?)
    }
}

struct Damage<T> {
    tamper: T,
    healthy: Vec<u8>,
}

impl<T: Tamper> Damage<T> {
    async fn done(tamper: T) -> Result<Self> {
        let healthy = tamper.read().await?;
        tamper.write(b"{".to_vec()).await?;
        Ok(Self { tamper, healthy })
    }

    async fn mend(&self) -> Result<()> {
        self.tamper.write(self.healthy.clone()).await
    }
}

/// The organization decides about its transfers from now on; one of another vault waits.
async fn waiting(product: &Product) -> Result<(String, String, String)> {
    let me: Value = product
        .client
        .get("/v1/organizations", With::default())
        .await?
        .body;
    let organization = me["items"][0]["id"].as_str().context("an id")?.to_owned();
    let http = reqwest::Client::new();
    let change = http
        .patch(format!("{}/v1/organizations/{organization}", product.base))
        .bearer_auth(&product.key);
    let answer = change.json(&json!({ "approval": "one" })).send().await?;
    ensure!(answer.status() == 200, "{answer:?}");
    let from = product.new_vault("Poisoned", ETHER).await?;
    let to = address(&product.vault("Payouts").await?)?;
    let transfer = product.transfer(&from, &to, 1, "poisoned").await?;
    until("it waits for an approval", || async {
        let transfer = product.client.transfer(&transfer).await?.body;
        Ok((transfer.status.as_str() == "awaiting_approval").then_some(()))
    })
    .await?;
    // A single transfer is read from the log, too: what is spoilt is a row, so it has to be there.
    until("the view has it", || async {
        Ok((listed(product, &transfer).await?.as_deref() == Some("awaiting_approval")).then_some(()))
    })
    .await?;
    Ok((organization, from.id.to_string(), transfer))
}

/// The view's own word for a transfer.
async fn listed(product: &Product, transfer: &str) -> Result<Option<String>> {
    let page = product.client.transfers(None).await?;
    let found = page.items.iter().find(|t| t.id.to_string() == transfer);
    Ok(found.map(|t| t.status.to_string()))
}

/// From the damage on: parked, listed, others untouched, mended, folded again.
async fn is_parked_and_healed(
    product: &Product,
    (tenant, operator): (&Person<'_>, &Person<'_>),
    damage: &Damage<impl Tamper>,
    transfer: &str,
    metrics: &str,
) -> Result<()> {
    tenant.reads(&["transfer", "approve", transfer]).await?;
    product.completed(transfer).await?;
    // Another vault of the same organization, in the same view: as if nothing were.
    let from = product.vault("Operations").await?;
    let to = address(&product.vault("Payouts").await?)?;
    let other = product.transfer(&from, &to, 1, "untouched").await?;
    until("another waits for an approval", || async {
        let other = product.client.transfer(&other).await?.body;
        Ok((other.status.as_str() == "awaiting_approval").then_some(()))
    })
    .await?;
    tenant.reads(&["transfer", "approve", &other]).await?;
    product.completed(&other).await?;
    until("the other is completed in the view", || async {
        Ok((listed(product, &other).await?.as_deref() == Some("completed")).then_some(()))
    })
    .await?;
    ensure!(
        listed(product, transfer).await?.as_deref() == Some("awaiting_approval"),
        "the parked one is shown as it was"
    );

    let parked = operator.reads(&["views", "quarantine", "transfers"]).await?;
    let parked = parked["items"].as_array().context("items")?;
    let row = parked
        .iter()
        .find(|row| row["stream"] == transfer)
        .context("it is listed")?;
    ensure!(
        row["eventType"] == "transfer.approved" && row["family"] == "eth_sandbox",
        "{row}"
    );
    ensure!(
        row["waiting"] == 3
            && row["reason"]
                .as_str()
                .is_some_and(|r| r.contains("cannot be read")),
        "approved, executing and completed wait in order: {row}"
    );
    let table = operator.does(&["views", "quarantine", "transfers"]).await?;
    ensure!(printed(&table).contains(transfer), "{}", printed(&table));
    let count = u64::try_from(parked.len())?;
    let view = of_view(operator).await?;
    ensure!(view["quarantined"] == count && view["lagMs"] == 0, "{view}");
    let gauge = r#"view="transfers",family="eth_sandbox""#;
    until("metrics count it", || async {
        let told = Scrape::of(metrics).await?;
        let parked = told.sum("vaultstream_view_quarantined", gauge);
        let generation = told.sum("vaultstream_view_generation", gauge);
        Ok((parked.is_some_and(|n| n > 0.0) && generation == Some(1.0)).then_some(()))
    })
    .await?;

    let retry = [
        "views",
        "retry",
        "transfers",
        "--reason",
        "a test",
        "--wait",
        "60",
    ];
    ended(&operator.does(&retry).await?, 6, &["parked still"])?;
    let view = of_view(operator).await?;
    ensure!(
        view["lastRetry"] == json!({ "healed": 0, "parked": count }) && view["retry"].is_null(),
        "{view}"
    );
    damage.mend().await?;
    ended(&operator.does(&retry).await?, 0, &[])?;
    let view = of_view(operator).await?;
    ensure!(
        view["lastRetry"] == json!({ "healed": count, "parked": 0 }) && view["quarantined"] == 0,
        "{view}"
    );
    until("the list shows where it is", || async {
        Ok((listed(product, transfer).await?.as_deref() == Some("completed")).then_some(()))
    })
    .await?;
    let empty = operator.reads(&["views", "quarantine", "transfers"]).await?;
    ensure!(empty["items"] == json!([]), "{empty}");
    let wrong = operator.does(&["views", "quarantine", "nothing"]).await?;
    ended(&wrong, 3, &["not-found"])
}

async fn of_view(operator: &Person<'_>) -> Result<Value> {
    let listed = operator.reads(&["views", "list"]).await?;
    let views = listed["items"].as_array().context("items")?;
    let found = views.iter().find(|v| v["view"] == "transfers");
    found.cloned().context("the view is listed")
}

/// One machine, started again over a damaged row, and the transfer that is folded with it.
async fn damaged(setup: &Setup) -> Result<(Product, Damage<InFile>, String)> {
    let mut product = setup.start()?;
    let (_, vault, transfer) = waiting(&product).await?;
    ensure!(product.process.terminate().await?.success());
    let file = setup.data_dir().join("views/views-eth_sandbox.db");
    let damage = Damage::done(InFile { file, vault }).await?;
    Ok((setup.start()?, damage, transfer))
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_should_park_its_key_and_heal_in_order_on_one_machine() -> Result<()> {
    let setup = Setup::new()?;
    let (product, damage, transfer) = damaged(&setup).await?;
    let tenant = Person::with(&product, setup.data_dir().join("demo.key"));
    let operator = Person::with(&product, setup.data_dir().join("platform.key"));
    is_parked_and_healed(&product, (&tenant, &operator), &damage, &transfer, &product.base).await
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_should_see_what_is_parked_and_have_it_folded_again_in_a_browser() -> Result<()> {
    let setup = browser::with_dashboard()?;
    let (product, damage, transfer) = damaged(&setup).await?;
    let tenant = Person::with(&product, setup.data_dir().join("demo.key"));
    let operator = Person::with(&product, setup.data_dir().join("platform.key"));
    tenant.reads(&["transfer", "approve", &transfer]).await?;
    product.completed(&transfer).await?;
    // All that happened to it is folded or parked, and how many streams that left does not change any more.
    let view = until("it is parked", || async {
        let view = of_view(&operator).await?;
        Ok((view["quarantined"] != 0 && view["position"] == view["head"]).then_some(view))
    })
    .await?;
    let count = view["quarantined"].to_string();
    let key = std::fs::read_to_string(setup.data_dir().join("platform.key"))?;
    let phase = |name| {
        [
            ("PHASE", name),
            ("STREAM", transfer.as_str()),
            ("COUNT", count.as_str()),
        ]
    };
    browser::walk("operations.mjs", &product, key.trim(), &phase("damaged"))?;
    damage.mend().await?;
    browser::walk("operations.mjs", &product, key.trim(), &phase("mended"))
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_should_park_its_key_and_heal_in_order_in_a_cluster() -> Result<()> {
    let (roles, product, mut behind) = Roles::running().await?;
    let (organization, vault, transfer) = waiting(&product).await?;
    let projectors = behind.iter_mut().find(|(role, _)| *role == "projectors");
    let (_, projectors) = projectors.context("in the list")?;
    ensure!(projectors.terminate().await?.success());
    let options = ScyllaOptions::new(
        vec![roles.engines.cassandra.contact_point()],
        "vs_test",
        vec![Family::Core, family()?],
    );
    let store = ScyllaViews::open(options).await?;
    let damage = Damage::done(InEngine::of(store, &organization, &vault).await?).await?;
    *projectors = roles.role(Build::This, "projectors")?.0;
    let data = roles.dir.path().join("data");
    let tenant = Person::with(&product, data.join("demo.key"));
    let operator = Person::with(&product, data.join("platform.key"));
    is_parked_and_healed(&product, (&tenant, &operator), &damage, &transfer, &product.base).await
}
