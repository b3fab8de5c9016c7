//! Erasure on one machine: a plaintext that occurs nowhere else is read on every path, erased, and searched for in every
//! byte that is left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vaultstream_client::Transfer;
use vaultstream_client::http::With;

use crate::people::{Person, ended};
use crate::product::{Product, Setup, account, address, problem, program, transfer_body, until};
use crate::traces::Subscriber;

/// Texts that occur nowhere else: what must not be found anywhere, and what must, or the search proves nothing.
pub struct Traces {
    pub memo: String,
    pub email: String,
    pub person: String,
    /// Public, and in every store that holds the transfer.
    pub control: String,
}

impl Traces {
    pub fn new(of: &str) -> Self {
        let unique = format!("{of}{:x}", std::process::id());
        Self {
            memo: format!("rent for Ada zq{unique}xw"),
            email: format!("ada.zq{unique}xw@example.org"),
            person: format!("Ada Zq{unique}xw"),
            control: format!("control-kj{unique}vb"),
        }
    }

    fn personal(&self) -> [&str; 3] {
        [&self.memo, &self.email, &self.person]
    }

    /// Checks that nothing personal is in some bytes, in the spellings in which it could be there.
    pub fn absent(&self, place: &str, bytes: &[u8]) -> Result<()> {
        for text in self.personal() {
            let spellings = [
                text.as_bytes().to_vec(),
                serde_json::to_vec(text)?,
                hex::encode(text).into_bytes(),
                text.replace(' ', "%20").into_bytes(),
                // Without its first word: what a compressor or a page may have torn off.
                text.as_bytes()[text.len() / 2..].to_vec(),
            ];
            for spelling in spellings {
                ensure!(!holds(bytes, &spelling), "{place} holds `{text}`");
            }
        }
        Ok(())
    }

    /// Searches every file below a directory; how many files hold the control.
    pub fn search(&self, dir: &Path) -> Result<usize> {
        let mut found = 0;
        for path in files(dir)? {
            // A store may have taken a file away meanwhile.
            let Ok(bytes) = fs::read(&path) else { continue };
            self.absent(&path.display().to_string(), &bytes)?;
            found += usize::from(holds(&bytes, self.control.as_bytes()));
        }
        Ok(found)
    }

    /// The same, where the control has to be.
    pub fn search_with_control(&self, dir: &Path) -> Result<()> {
        let found = self.search(dir)?;
        ensure!(found > 0, "{}: not even the control is found", dir.display());
        Ok(())
    }
}

pub fn holds(bytes: &[u8], text: &[u8]) -> bool {
    memchr_first(bytes, text)
}

/// A window search that looks at a window only where its first byte fits.
fn memchr_first(bytes: &[u8], text: &[u8]) -> bool {
    let Some(first) = text.first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(text) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if path.is_file() {
            all.push(path);
        }
    }
    Ok(all)
}

/// A transfer with the memo and the control, requested.
pub async fn noted(product: &Product, traces: &Traces) -> Result<String> {
    let from = product.vault("Operations").await?;
    product.balance_is(&account(&from)?, |wei| wei > 1_000).await?;
    let to = address(&product.vault("Payouts").await?)?;
    let mut body = transfer_body(&from, &to, "1");
    body.memo = Some(traces.memo.clone());
    body.external_id = Some(traces.control.clone());
    let accepted = product.client.request_transfer(&body, "noted").await?.body;
    let id = accepted.id.to_string();
    product.completed(&id).await?;
    // A retry that differs in what is personal alone is the same request: no hash of it is kept to tell.
    body.memo = Some("another".to_owned());
    let again = product.client.request_transfer(&body, "noted").await?.body;
    ensure!(again.id == accepted.id, "{again:?}");
    Ok(id)
}

/// An organization with the contact, registered by the platform's operator.
pub async fn with_contact(operator: &vaultstream_client::Client, traces: &Traces) -> Result<String> {
    let contact = json!({ "email": traces.email, "name": traces.person });
    let body = json!({ "name": traces.control, "contact": contact });
    let with = With {
        idempotency_key: Some("contact"),
        ..With::default()
    };
    let registered: Value = operator.post("/v1/organizations", &body, with).await?.body;
    Ok(registered["id"].as_str().context("an id")?.to_owned())
}

/// What every path of reading says of the memo and of its erasure.
pub async fn read_everywhere(product: &Product, id: &str) -> Result<Vec<(Value, Value)>> {
    let mut said = Vec::new();
    for _ in 0..2 {
        // Twice: a second answer may be a kept one.
        let single: Value = product
            .client
            .get(&format!("/v1/transfers/{id}"), With::default())
            .await?
            .body;
        let erased = single.get("memoErased").cloned().unwrap_or(json!(false));
        said.push((single.get("memo").cloned().unwrap_or_default(), erased));
        let query = format!(
            "{{ transfer(id: \"{id}\") {{ memo memoErased timeline(last: 50) {{ nodes {{ type reason }} }} }} \
             node(id: \"{id}\") {{ ... on Transfer {{ memo memoErased }} }} \
             transfers(first: 50) {{ nodes {{ id memo memoErased }} }} feed(first: 50) {{ nodes {{ type data }} }} }}"
        );
        let answer = ask(product, &query).await?;
        let data = &answer["data"];
        let listed = data["transfers"]["nodes"].as_array().context("a list")?;
        let listed = listed.iter().find(|t| t["id"] == id).context("it is listed")?;
        for transfer in [&data["transfer"], &data["node"], listed] {
            said.push((transfer["memo"].clone(), transfer["memoErased"].clone()));
        }
    }
    for path in ["/v1/transfers", "/v1/organizations", "/v1/vaults"] {
        product.client.get::<Value>(path, With::default()).await?;
    }
    let query = format!(
        "subscription {{ transferUpdates(transferId: \"{id}\") {{ transfer {{ memo memoErased }} }} }}"
    );
    let item = Subscriber::to(product, &query).await?.next().await?;
    let transfer = &item["payload"]["data"]["transferUpdates"]["transfer"];
    said.push((transfer["memo"].clone(), transfer["memoErased"].clone()));
    Ok(said)
}

async fn ask(product: &Product, query: &str) -> Result<Value> {
    let http = reqwest::Client::new();
    let ask = http
        .post(format!("{}/graphql", product.base))
        .bearer_auth(&product.key);
    let answer: Value = ask.json(&json!({ "query": query })).send().await?.json().await?;
    ensure!(answer.get("errors").is_none(), "{answer}");
    Ok(answer)
}

/// Checks that every path says the memo, or on every path that it was erased.
pub async fn reads(product: &Product, id: &str, memo: Option<&str>) -> Result<()> {
    let wanted = (json!(memo), json!(memo.is_none()));
    let wanted_single = (memo.map_or(Value::Null, |m| json!(m)), json!(memo.is_none()));
    for (at, said) in read_everywhere(product, id).await?.iter().enumerate() {
        ensure!(
            *said == wanted || *said == wanted_single,
            "path {at} says {said:?}"
        );
    }
    Ok(())
}

/// Erases the memo and the contact as people do, checked, twice.
pub async fn erase(
    tenant: &Person<'_>,
    operator: &Person<'_>,
    transfer: &str,
    organization: &str,
) -> Result<()> {
    let found = tenant.reads(&["erase", transfer]).await?;
    ensure!(
        found["data"] == json!([{ "name": "memo", "status": "held" }]) && found["keyDestroyed"] == false,
        "{found}"
    );
    let wrong = ["erase", transfer, "--confirm", "contact", "--grounds", "request"];
    ended(&tenant.does(&wrong).await?, 3, &["invalid-field", "memo"])?;
    let strange = [
        "erase",
        organization,
        "--confirm",
        "contact",
        "--grounds",
        "request",
    ];
    ended(&tenant.does(&strange).await?, 3, &["not-found"])?;
    for (person, subject, name) in [(tenant, transfer, "memo"), (operator, organization, "contact")] {
        let words = ["erase", subject, "--confirm", name, "--grounds", "request"];
        let erased = person.reads(&words).await?;
        ensure!(
            erased["data"] == json!([{ "name": name, "status": "erased" }])
                && erased["keyDestroyed"] == true
                && erased["grounds"] == "request"
                && erased["erasedBy"]
                    .as_str()
                    .is_some_and(|by| by.starts_with("key:key_")),
            "{erased}"
        );
        let mut again = person.reads(&words).await?;
        let mut shown = person.reads(&["erase", subject]).await?;
        let mut first = erased.clone();
        for one in [&mut again, &mut shown, &mut first] {
            one.as_object_mut().context("an object")?.remove("token");
        }
        ensure!(again == first && shown == first, "twice is once: {again} {shown}");
    }
    Ok(())
}

/// An export, which checks every hash on its way.
pub fn export(config: &[&str], data: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new(program("VAULTSTREAM_BIN")?);
    command.args(["export", "--out"]).arg(to);
    command.args(config).arg("--data-dir").arg(data);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_data_should_be_nowhere_and_never_come_back() -> Result<()> {
    let aside = tempfile::tempdir()?;
    let mut setup = Setup::new()?.with_config("log_filter = \"debug\"\n");
    setup.log = Some(aside.path().join("stderr.log"));
    let traces = Traces::new("em");
    let mut product = setup.start()?;
    let operator_key = setup.data_dir().join("platform.key");
    let transfer = noted(&product, &traces).await?;
    let organization = with_contact(&setup.platform(&product)?, &traces).await?;
    reads(&product, &transfer, Some(&traces.memo)).await?;
    let before = aside.path().join("before.jsonl");
    // The keys as somebody's backup has them, who should not have any.
    let keys = setup.data_dir().join("keys");
    copy(&keys, &aside.path().join("keys"))?;

    let tenant = Person::with(&product, setup.data_dir().join("demo.key"));
    let operator = Person::with(&product, operator_key);
    erase(&tenant, &operator, &transfer, &organization).await?;
    reads(&product, &transfer, None).await?;
    let shown: Transfer = product.client.transfer(&transfer).await?.body;
    ensure!(shown.memo_erased && shown.memo.is_none(), "{shown:?}");
    let nothing = json!({ "subject": organization, "data": ["contact"], "grounds": "because" });
    let with = || With {
        idempotency_key: Some("bad"),
        ..With::default()
    };
    let refused = problem(
        product
            .client
            .post::<_, Value>("/v1/erasures", &nothing, with())
            .await,
    )?;
    ensure!(refused.status == 400, "{refused:?}");
    ensure!(product.process.terminate().await?.success());
    export(&[], &setup.data_dir(), &before)?;
    traces.search_with_control(&setup.data_dir())?;
    traces.absent("the export", &fs::read(&before)?)?;
    ensure!(holds(&fs::read(&before)?, traces.control.as_bytes()));
    traces.absent("the process log", &fs::read(setup.log.as_ref().context("set")?)?)?;

    // A restart brings nothing back, and neither do keys that somebody puts back.
    fs::remove_dir_all(&keys)?;
    copy(&aside.path().join("keys"), &keys)?;
    let mut product = setup.start()?;
    reads(&product, &transfer, None).await?;
    let tenant = Person::with(&product, setup.data_dir().join("demo.key"));
    let operator = Person::with(&product, setup.data_dir().join("platform.key"));
    until("the keys that came back are destroyed again", || async {
        let memo = tenant.reads(&["erase", &transfer]).await?;
        let contact = operator.reads(&["erase", &organization]).await?;
        let dead = memo["keyDestroyed"] == true && contact["keyDestroyed"] == true;
        Ok(dead.then_some(()))
    })
    .await?;
    ensure!(product.process.terminate().await?.success());
    traces.search_with_control(&setup.data_dir())?;

    // Carried to another installation beside the old keys, they die there, too.
    let other = Setup::new()?;
    let mut import = Command::new(program("VAULTSTREAM_BIN")?);
    import.args(["import", "--from"]).arg(&before);
    let output = import.arg("--data-dir").arg(other.data_dir()).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    copy(&aside.path().join("keys"), &other.data_dir().join("keys"))?;
    fs::copy(
        setup.data_dir().join("demo.key"),
        other.data_dir().join("demo.key"),
    )?;
    fs::copy(
        setup.data_dir().join("platform.key"),
        other.data_dir().join("platform.key"),
    )?;
    fs::remove_dir_all(other.data_dir().join("keys/erasures"))?;
    let product = other.start()?;
    let tenant = Person::with(&product, other.data_dir().join("demo.key"));
    until("the imported erasure is carried out", || async {
        let memo = tenant.reads(&["erase", &transfer]).await?;
        Ok((memo["keyDestroyed"] == true).then_some(()))
    })
    .await?;
    until("the views have folded what was carried", || async {
        let page = product.client.transfers(None).await?;
        let found = page
            .items
            .iter()
            .any(|t| t.id.to_string() == transfer && t.memo_erased);
        Ok(found.then_some(()))
    })
    .await?;
    reads(&product, &transfer, None).await?;
    Ok(())
}
