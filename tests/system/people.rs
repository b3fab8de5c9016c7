//! The verbs for people, as a person runs them: the binary, a key file, what is printed and how it ends.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::product::{ETH, ETHER, Product, Setup, address, program};

const SOMEWHERE: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";

/// A person with a terminal and a key file.
pub struct Person<'a> {
    product: &'a Product,
    key_file: PathBuf,
}

impl<'a> Person<'a> {
    /// A person in front of a product.
    pub fn with(product: &'a Product, key_file: PathBuf) -> Self {
        Self { product, key_file }
    }

    pub async fn does(&self, words: &[&str]) -> Result<Output> {
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        command
            .args(words)
            .args(["--url", &self.product.base, "--key-file"]);
        run(command.arg(&self.key_file)).await
    }

    /// Does something that succeeds and reads the answer as JSON.
    pub async fn reads(&self, words: &[&str]) -> Result<Value> {
        let output = self.does(&[words, &["-o", "json"]].concat()).await?;
        ensure!(output.status.success(), "{words:?}: {output:?}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

async fn run(command: &mut Command) -> Result<Output> {
    let mut command = tokio::process::Command::from(std::mem::replace(command, Command::new("true")));
    Ok(command.output().await?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn ended(output: &Output, code: i32, words: &[&str]) -> Result<()> {
    ensure!(output.status.code() == Some(code), "{output:?}");
    let text = said(output);
    for word in words {
        ensure!(text.contains(word), "{word} is not in: {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn person_should_create_a_vault_and_send_from_it() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let person = Person {
        product: &product,
        key_file: setup.data_dir().join("demo.key"),
    };
    let vault = person
        .reads(&["vault", "create", "By hand", "--tier", "warm"])
        .await?;
    let id = vault["id"].as_str().context("an id")?;
    ensure!(
        vault["accounts"][0]["address"].is_string(),
        "the account is open: {vault}"
    );
    let listed = person.does(&["vault", "list"]).await?;
    ensure!(printed(&listed).starts_with("ID "), "a head: {listed:?}");
    ensure!(
        printed(&listed)
            .lines()
            .any(|l| l.contains(id) && l.contains("By hand")),
        "the vault is in the list: {}",
        printed(&listed)
    );

    let from = product.new_vault("Payer", 2 * ETHER).await?;
    let payer = from.id.to_string();
    let send = [
        "transfer", "send", "--from", &payer, "--to", SOMEWHERE, "--amount", "0.25", "--asset", "eth",
    ];
    let preview = person.reads(&[&send[..], &["--dry-run"]].concat()).await?;
    ensure!(preview["amount"]["minor"] == (ETHER / 4).to_string(), "{preview}");
    let none = person.reads(&["transfer", "list", "--vault", &payer]).await?;
    ensure!(none["items"] == json!([]), "a dry run sent something: {none}");

    let waited = [
        &send[..],
        &["--wait", "60", "--memo", "by hand", "--idempotency-key", "hand-1"],
    ]
    .concat();
    let transfer = person.reads(&waited).await?;
    ensure!(transfer["status"] == "completed", "{transfer}");
    let again = person.reads(&waited).await?;
    ensure!(again["id"] == transfer["id"], "the same key sent twice");
    let id = transfer["id"].as_str().context("an id")?;
    let shown = printed(&person.does(&["transfer", "show", id]).await?);
    for word in [
        id,
        "completed",
        "0.25 eip155:31337/slip44:60",
        "by hand",
        SOMEWHERE,
    ] {
        ensure!(shown.contains(word), "{word} is not in: {shown}");
    }
    let completed = person
        .reads(&["transfer", "list", "--status", "completed", "--vault", &payer])
        .await?;
    ensure!(
        completed["items"]
            .as_array()
            .is_some_and(|items| items.len() == 1),
        "{completed}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn person_should_approve_and_deny() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let person = Person {
        product: &product,
        key_file: setup.data_dir().join("demo.key"),
    };
    let from = product.new_vault("Payer", 2 * ETHER).await?;
    let organization = from.organization_id;
    let http = reqwest::Client::new();
    let changed = http
        .patch(format!("{}/v1/organizations/{organization}", product.base))
        .bearer_auth(&product.key)
        .json(&json!({ "approval": "one" }))
        .send()
        .await?;
    ensure!(changed.status().is_success(), "{}", changed.text().await?);
    let to = address(&product.vault("Payouts").await?)?;
    let payer = from.id.to_string();
    let send = [
        "transfer",
        "send",
        "--from",
        &payer,
        "--to",
        &to,
        "--amount-minor",
        "1000",
        "--asset",
        ETH,
    ];

    let waiting = person.does(&[&send[..], &["--wait", "2"]].concat()).await?;
    ended(&waiting, 6, &["awaiting_approval"])?;
    let first = person
        .reads(&["transfer", "list", "--status", "awaiting_approval"])
        .await?;
    let first = first["items"][0]["id"].as_str().context("an id")?.to_owned();
    let denied = person
        .reads(&["transfer", "deny", &first, "--reason", "not this one"])
        .await?;
    ensure!(denied["status"] == "rejected", "{denied}");
    let late = person.does(&["transfer", "approve", &first]).await?;
    ended(&late, 3, &["state-conflict"])?;

    let second = person.reads(&send).await?;
    let second = second["id"].as_str().context("an id")?;
    // Screening takes a moment; another one that is waited for gives it that.
    person.does(&[&send[..], &["--wait", "1"]].concat()).await?;
    let approved = person
        .reads(&["transfer", "approve", second, "--reason", "fine"])
        .await?;
    ensure!(
        approved["status"] == "approved" || approved["status"] == "executing",
        "{approved}"
    );
    product.completed(second).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_should_say_what_to_do_and_end_with_their_codes() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let key_file = setup.data_dir().join("demo.key");
    let person = Person {
        product: &product,
        key_file: key_file.clone(),
    };
    let vault = product.vault("Operations").await?.id.to_string();
    let too_much = [
        "transfer",
        "send",
        "--from",
        &vault,
        "--to",
        SOMEWHERE,
        "--amount",
        "1000000000",
        "--asset",
        "ETH",
    ];
    let refused = person.does(&too_much).await?;
    ended(
        &refused,
        3,
        &[
            "insufficient-funds",
            "amount",
            "/docs/errors/insufficient-funds",
            "request ",
        ],
    )?;
    ensure!(refused.stdout.is_empty(), "{refused:?}");
    let refused = person.does(&[&too_much[..], &["-o", "json"]].concat()).await?;
    ended(&refused, 3, &[])?;
    let problem: Value = serde_json::from_slice(&refused.stderr)?;
    ensure!(problem["code"] == "insufficient-funds", "{problem}");

    let cases: [(&[&str], i32, &[&str]); 10] = [
        (&["transfer", "show", "trf_nonsense"], 1, &["no transfer id"]),
        (
            &["transfer", "show", "trf_0000000001r000000000000000"],
            3,
            &["not-found"],
        ),
        (
            &[
                "transfer",
                "send",
                "--from",
                &vault,
                "--to",
                SOMEWHERE,
                "--amount",
                "1.0000000000000000001",
            ],
            1,
            &["18 decimal"],
        ),
        (
            &[
                "transfer", "send", "--from", &vault, "--to", SOMEWHERE, "--amount", "1", "--asset", "BTC",
            ],
            1,
            &["BTC", "ETH"],
        ),
        (
            &[
                "transfer", "send", "--from", &vault, "--to", "0xnobody", "--amount", "1",
            ],
            3,
            &["invalid-address", "destination"],
        ),
        (
            &["transfer", "send", "--from", &vault, "--to", SOMEWHERE],
            2,
            &["--amount"],
        ),
        (
            &["transfer", "list", "--status", "nonsense"],
            2,
            &["awaiting_approval"],
        ),
        (&["vault", "list", "--limit", "1000"], 2, &["--limit"]),
        (&["vault", "list", "--cursor", "nonsense"], 3, &["cursor-invalid"]),
        (&["vault", "create", ""], 3, &["name"]),
    ];
    for (words, code, wanted) in cases {
        let output = person.does(words).await?;
        ended(&output, code, wanted).with_context(|| format!("{words:?}"))?;
        let text = said(&output) + &printed(&output);
        ensure!(!text.contains(&product.key), "the key was printed: {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_addresses_that_cannot_be_used_should_be_named() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let empty = setup.data_dir().join("empty.key");
    std::fs::write(&empty, "\n")?;
    let key = setup.data_dir().join("demo.key");
    let (key, empty) = (key.to_str().context("UTF-8")?, empty.to_str().context("UTF-8")?);
    let file = format!("file:{key}");
    let base = product.base.as_str();
    for (words, code, wanted) in [
        (vec!["--url", base], 1, vec!["--key-file", "env:NAME"]),
        (
            vec!["--url", base, "--key-file", "/nowhere/key"],
            1,
            vec!["/nowhere/key"],
        ),
        (vec!["--url", base, "--key-file", empty], 1, vec!["empty"]),
        (vec!["--url", base, "--key", "hunter2"], 1, vec!["by reference"]),
        (
            vec!["--url", base, "--key", "env:VAULTSTREAM_TEST_WRONG_KEY"],
            3,
            vec!["unauthenticated"],
        ),
        (
            vec!["--url", base, "--key", &file, "--key-file", key],
            2,
            vec!["cannot be used with"],
        ),
        (
            vec!["--url", "https://localhost:1", "--key", &file],
            1,
            vec!["https://localhost:1", "http://"],
        ),
        (
            vec!["--url", "http://127.0.0.1:9", "--key", &file],
            5,
            vec!["http://127.0.0.1:9", "cannot be reached"],
        ),
        (vec!["--url", base, "--key", &file], 0, vec![]),
    ] {
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        command.args(["vault", "list"]).args(&words).env(
            "VAULTSTREAM_TEST_WRONG_KEY",
            "key_0000000001r000000000000000_wrong",
        );
        let output = run(&mut command).await?;
        ended(&output, code, &wanted).with_context(|| format!("{words:?}"))?;
    }
    // A request that may have been taken names the key to ask again with: it was sent, and its answer was cut.
    let cutter = std::net::TcpListener::bind("127.0.0.1:0")?;
    let cut = format!("http://{}", cutter.local_addr()?);
    let cutting = std::thread::spawn(move || {
        let (mut socket, _) = cutter.accept()?;
        std::io::Read::read(&mut socket, &mut [0; 512])
    });
    let mut command = Command::new(program("VAULTSTREAM_BIN")?);
    command.args([
        "vault",
        "create",
        "Lost",
        "--chain",
        "eip155:31337",
        "--url",
        &cut,
        "--key",
        &file,
    ]);
    let lost = run(command.args(["--idempotency-key", "lost-1"])).await?;
    ended(&lost, 4, &["--idempotency-key lost-1"])?;
    let sent = cutting.join().expect("the thread does not panic")?;
    ensure!(sent > 0, "nothing was sent");
    Ok(())
}
