//! Views rebuilt by an operator, through the verbs and the API, while everybody else reads and writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vaultstream_client::http::With;

use crate::people::{Person, ended, printed};
use crate::product::{ETHER, Product, Setup, account, address, problem, until};

const READS: &str = "{ vaults(first: 50) { edges { node { id name balances { minor } } } } \
    transfers(first: 50) { edges { node { id status } } } totals { __typename } \
    feed(first: 20) { edges { node { id type } } } search(text: \"Oper\", first: 5) { __typename } }";

/// Reads everything that is read from views without pause, until told to stop; answers how often.
async fn read_on(base: String, key: String, stop: Arc<AtomicBool>, reads: Arc<AtomicU64>) -> Result<()> {
    let http = reqwest::Client::new();
    while !stop.load(Ordering::SeqCst) {
        let ask = http.post(format!("{base}/graphql")).bearer_auth(&key);
        let answer: Value = ask.json(&json!({ "query": READS })).send().await?.json().await?;
        ensure!(answer.get("errors").is_none(), "{answer}");
        for list in ["vaults", "transfers", "feed"] {
            let edges = answer["data"][list]["edges"].as_array();
            ensure!(
                edges.is_some_and(|e| !e.is_empty()),
                "{list} is empty for a moment: {answer}"
            );
        }
        ensure!(answer["data"]["search"] != json!([]), "{answer}");
        for path in ["/v1/vaults", "/v1/transfers", "/v1/api-keys"] {
            let page = http.get(format!("{base}{path}")).bearer_auth(&key).send().await?;
            ensure!(page.status() == 200, "{path}: {page:?}");
            let page: Value = page.json().await?;
            ensure!(
                page["items"].as_array().is_some_and(|i| !i.is_empty()),
                "{path}: {page}"
            );
        }
        reads.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// What the lists show, without what moves by itself.
async fn shown(product: &Product) -> Result<Value> {
    let mut all = Vec::new();
    for path in ["/v1/vaults", "/v1/transfers", "/v1/api-keys"] {
        let mut body = product.client.get::<Value>(path, With::default()).await?.body;
        stand_still(&mut body);
        all.push(body);
    }
    Ok(json!(all))
}

/// Takes out what moves with the chain's head and not with the view.
fn stand_still(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(stand_still),
        Value::Object(fields) => {
            fields.remove("confirmations");
            fields.values_mut().for_each(stand_still);
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_should_be_rebuilt_while_reads_go_on() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let from = product.vault("Operations").await?;
    let to = address(&product.vault("Payouts").await?)?;
    product.balance_is(&account(&from)?, |wei| wei > ETHER).await?;
    for n in 0..3 {
        let id = product.transfer(&from, &to, 1, &format!("before-{n}")).await?;
        product.completed(&id).await?;
    }
    let operator = Person::with(&product, setup.data_dir().join("platform.key"));
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let reading = tokio::spawn(read_on(
        product.base.clone(),
        product.key.clone(),
        stop.clone(),
        reads.clone(),
    ));
    let mut last = None;
    for view in ["directory", "vaults", "balances", "transfers", "feed", "lookup"] {
        let id = product.transfer(&from, &to, 1, &format!("during-{view}")).await?;
        let rebuilt = operator
            .reads(&["views", "rebuild", view, "--reason", "a test", "--wait", "60"])
            .await?;
        let rebuilt = rebuilt.as_array().context("a list")?.clone();
        ensure!(!rebuilt.is_empty());
        for one in &rebuilt {
            ensure!(
                one["view"] == view && one["generation"] == 2 && one["rebuild"].is_null(),
                "{rebuilt:?}"
            );
        }
        last = Some(id);
    }
    stop.store(true, Ordering::SeqCst);
    reading.await?.context("a read failed while views were rebuilt")?;
    let reads = reads.load(Ordering::SeqCst);
    ensure!(reads > 5, "{reads} rounds of reads: something went on meanwhile");

    product.completed(&last.context("transfers went on")?).await?;
    let listed = operator.reads(&["views", "list"]).await?;
    let views = listed["items"].as_array().context("items")?;
    ensure!(
        views.len() == 8 && views.iter().all(|v| v["generation"] == 2),
        "{listed}"
    );
    // Readings of balances come a little after the transfers that moved them.
    let before = until("nothing moves any more", || async {
        let now = shown(&product).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok((shown(&product).await? == now).then_some(now))
    })
    .await?;
    let again = operator
        .reads(&[
            "views",
            "rebuild",
            "transfers",
            "--family",
            "eth_sandbox",
            "--wait",
        ])
        .await?;
    ensure!(again[0]["generation"] == 3, "{again}");
    ensure!(
        shown(&product).await? == before,
        "the third generation shows what the second did"
    );
    let table = operator.does(&["views", "list"]).await?;
    ensure!(
        printed(&table).starts_with("VIEW ")
            && printed(&table)
                .lines()
                .any(|l| l.starts_with("transfers ") && l.contains(" 3 ")),
        "{}",
        printed(&table)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuild_should_be_refused_to_tenants_and_for_what_does_not_exist() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let operator = Person::with(&product, setup.data_dir().join("platform.key"));
    let tenant = Person::with(&product, setup.data_dir().join("demo.key"));
    for (person, words, code, said) in [
        (
            &tenant,
            vec!["views", "list"],
            3,
            vec!["scope-missing", "platform organization"],
        ),
        (
            &tenant,
            vec!["views", "rebuild", "vaults"],
            3,
            vec!["scope-missing", "platform organization"],
        ),
        (
            &operator,
            vec!["views", "rebuild", "nothing"],
            3,
            vec!["not-found", "transfers"],
        ),
        (
            &operator,
            vec!["views", "rebuild", "vaults", "--family", "eth_sandbox"],
            3,
            vec!["invalid-field", "family", "core"],
        ),
        (
            &operator,
            vec!["views", "rebuild", "../api-keys"],
            1,
            vec!["views list"],
        ),
    ] {
        ended(&person.does(&words).await?, code, &said).with_context(|| format!("{words:?}"))?;
    }
    let platform = setup.platform(&product)?;
    let unknown = json!({ "generation": 3 });
    let refused = platform
        .post::<_, Value>("/v1/views/vaults/rebuilds", &unknown, With::default())
        .await;
    ensure!(problem(refused)?.code.as_str() == "unknown-field");
    Ok(())
}
