//! An installation that is copied while it runs, goes on, and is put back to where it was: reads work, what came later is
//! gone, the auditor is told, and no key of a subject was ever in the copy.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vaultstream_client::http::With;
use vaultstream_event_schemas::TransferStatus;

use crate::audit::{beside, copy, sealed};
use crate::erasure::{files, holds};
use crate::product::{ETHER, Process, Product, Setup, account, address, program, transfer_body, until};

/// Runs a verb; its exit code and all it said.
pub fn run(words: &[&str]) -> Result<(Option<i32>, String)> {
    let output = Command::new(program("VAULTSTREAM_BIN")?).args(words).output()?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code(), said))
}

/// The same, when it has to be carried out.
pub fn done(words: &[&str]) -> Result<String> {
    let (code, said) = run(words)?;
    ensure!(code == Some(0), "{words:?}: {said}");
    Ok(said)
}

/// A transfer with a memo, to its end.
pub async fn noted(product: &Product, key: &str) -> Result<String> {
    let from = product.vault("Operations").await?;
    product.balance_is(&account(&from)?, |wei| wei > ETHER).await?;
    let to = address(&product.vault("Payouts").await?)?;
    let mut body = transfer_body(&from, &to, &(ETHER / 100).to_string());
    body.memo = Some("what nobody else may read".to_owned());
    let id = product
        .client
        .request_transfer(&body, key)
        .await?
        .body
        .id
        .to_string();
    product.completed(&id).await?;
    Ok(id)
}

/// What a restore has to keep: everything below `dir`, but for what only the running product needs.
pub fn nothing_secret(backup: &Path, keystore: &Path) -> Result<()> {
    let copied = files(backup)?;
    let subjects = files(&keystore.join("subjects"))?;
    ensure!(
        !subjects.is_empty(),
        "no subject has a key, so nothing is searched for"
    );
    for file in subjects.iter().chain([&keystore.join("key")]) {
        let secret = secret_of(file)?;
        for copy in &copied {
            ensure!(
                !holds(&std::fs::read(copy)?, &secret),
                "{} holds what {} holds",
                copy.display(),
                file.display()
            );
        }
    }
    ensure!(!backup.join("keystore/subjects").exists() && !backup.join("keystore/key").exists());
    // Sealed account keys are there, or the search would prove nothing.
    let accounts = files(&keystore.join("keys"))?;
    let account = secret_of(accounts.first().context("an account has a key")?)?;
    let found = copied
        .iter()
        .any(|copy| std::fs::read(copy).is_ok_and(|bytes| holds(&bytes, &account)));
    ensure!(found, "not even an account's sealed key is found");
    Ok(())
}

/// The ciphertext of a sealed file; a master key's bytes as they are.
fn secret_of(file: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file)?;
    let sealed = serde_json::from_slice::<Value>(&bytes).ok();
    let text = sealed.as_ref().and_then(|sealed| sealed["ciphertext"].as_str());
    Ok(text.map_or(bytes, |text| text.as_bytes().to_vec()))
}

/// Waits until a checkpoint declares what the restore took.
async fn loss_declared(data: &Path) -> Result<()> {
    let list = beside(data)?;
    until("the loss is declared", || async {
        let notes = files(&list)?
            .iter()
            .map(std::fs::read)
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok(notes
            .iter()
            .any(|notes| holds(notes, b"\nloss 0 1 "))
            .then_some(()))
    })
    .await
}

/// Paths as words of a command line.
pub fn word(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn installation_should_come_back_as_it_was_and_declare_what_it_lost() -> Result<()> {
    let setup = Setup::new()?;
    let dir = tempfile::tempdir()?;
    let (data, backup) = (setup.data_dir(), dir.path().join("backup"));
    let (data_word, backup_word) = (word(&data), word(&backup));
    let mut product = setup.start()?;
    let before = noted(&product, "before").await?;
    sealed(&product).await?;
    let add = ["backup", "--to", &backup_word, "--data-dir", &data_word];
    let said = done(&add)?;
    ensure!(
        said.contains("NOT in the backup") && said.contains("keys/key"),
        "{said}"
    );
    nothing_secret(&backup, &data.join("keys"))?;
    let earlier = dir.path().join("earlier");
    copy(&backup, &earlier)?;

    let later = noted(&product, "later").await?;
    sealed(&product).await?;
    let size = std::fs::metadata(backup.join("segment-000001.jsonl"))?.len();
    let said = done(&add)?;
    let grown = std::fs::metadata(backup.join("segment-000001.jsonl"))?.len();
    ensure!(grown > size && grown < 2 * size, "{size} and {grown}: {said}");
    // Followed, what happens is in the copy a second later; killed, it leaves what it has.
    let mut following = Command::new(program("VAULTSTREAM_BIN")?);
    following.args(add).args(["--follow", "--every", "1"]);
    let mut following = Process::start(&mut following)?;
    following.line(|l| l.contains(" reaches ").then_some(()))?;
    product.new_vault("Followed", 0).await?;
    following.line(|l| (l.contains(" reaches ") && !l.contains(": 0 events")).then_some(()))?;
    following.kill();
    ensure!(
        product.process.terminate().await?.success(),
        "it did not stop well"
    );

    let earlier = word(&earlier);
    refusals(&earlier, &data, dir.path())?;
    let old = data.with_file_name("data-old");
    std::fs::rename(&data, &old)?;
    let said = done(&[
        "restore",
        "--from",
        &earlier,
        "--data-dir",
        &data_word,
        "--surviving",
        &word(&old),
    ])?;
    ensure!(
        said.contains("incarnation 1 ended at position") && said.contains("sealed events above it are lost"),
        "{said}"
    );

    let mut product = setup.start()?;
    let kept = product.client.transfer(&before).await?.body;
    ensure!(kept.status == TransferStatus::Completed, "{kept:?}");
    ensure!(
        kept.memo.as_deref() == Some("what nobody else may read"),
        "the keys survived: {kept:?}"
    );
    let listed = product.client.transfers(None).await?;
    ensure!(
        listed.items.len() == 1,
        "views are those of the kept log: {listed:?}"
    );
    let gone = product
        .client
        .get::<Value>(&format!("/v1/transfers/{later}"), With::default())
        .await;
    ensure!(gone.is_err(), "{gone:?}");
    sealed(&product).await?;
    ensure!(
        product.process.terminate().await?.success(),
        "it did not stop well"
    );
    declared(&data, dir.path())
}

/// Puts the log of one directory into another, in the place of what is there.
fn log_files(from: &Path, to: &Path) -> Result<()> {
    for name in ["log.db", "log.db-wal", "log.db-shm"] {
        let (from, to) = (from.join(name), to.join(name));
        if to.exists() {
            std::fs::remove_file(&to)?;
        }
        if from.exists() {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_was_copied_back_by_hand_should_be_declared_and_followed() -> Result<()> {
    let setup = Setup::new()?;
    let data = setup.data_dir();
    let mut product = setup.start()?;
    let before = noted(&product, "before").await?;
    sealed(&product).await?;
    ensure!(
        product.process.terminate().await?.success(),
        "it did not stop well"
    );
    let aside = data.with_file_name("aside");
    std::fs::create_dir(&aside)?;
    log_files(&data, &aside)?;
    let mut product = setup.start()?;
    let later = noted(&product, "later").await?;
    sealed(&product).await?;
    ensure!(
        product.process.terminate().await?.success(),
        "it did not stop well"
    );
    log_files(&aside, &data)?;

    let said = done(&["restore", "--declare", "--data-dir", &word(&data)])?;
    ensure!(
        said.contains("incarnation 1 ended at position") && said.contains("what was kept is what was sealed"),
        "{said}"
    );
    let mut product = setup.start()?;
    let kept = product.client.transfer(&before).await?.body;
    ensure!(kept.status == TransferStatus::Completed, "{kept:?}");
    let gone = product
        .client
        .get::<Value>(&format!("/v1/transfers/{later}"), With::default())
        .await;
    ensure!(gone.is_err(), "{gone:?}");
    // The views that are still there are of the life that ended.
    until("the views are those of the kept log", || async {
        let listed = product.client.transfers(None).await?;
        Ok((listed.items.len() == 1).then_some(()))
    })
    .await?;
    loss_declared(&data).await?;
    ensure!(
        product.process.terminate().await?.success(),
        "it did not stop well"
    );
    // What was folded in this life is not folded again by the next start.
    let product = setup.start()?;
    let listed = product.client.transfers(None).await?;
    ensure!(listed.items.len() == 1, "{listed:?}");
    Ok(())
}

/// A folder that is not empty, and a backup that somebody laid hands on.
fn refusals(backup: &str, data: &Path, dir: &Path) -> Result<()> {
    let (code, said) = run(&["restore", "--from", backup, "--data-dir", &word(data)])?;
    ensure!(code == Some(1) && said.contains("is not empty"), "{said}");
    let changed = dir.join("changed");
    copy(Path::new(backup), &changed)?;
    let segment = changed.join("segment-000001.jsonl");
    let mut bytes = std::fs::read(&segment)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes)?;
    let target = dir.join("untouched");
    let key = word(&data.join("keys/key"));
    let words = [
        "restore",
        "--data-dir",
        &word(&target),
        "--key-file",
        &key,
        "--from",
    ];
    let (code, said) = run(&[&words[..], &[&word(&changed)]].concat())?;
    ensure!(
        code == Some(1) && said.contains("use another copy of the backup"),
        "{said}"
    );
    ensure!(
        !target.exists() && !dir.join("untouched.restoring").exists(),
        "something was left behind"
    );
    // Without the master key nothing says which checkpoints are ours.
    let (code, said) = run(&["restore", "--data-dir", &word(&target), "--from", backup])?;
    ensure!(code == Some(1) && said.contains("--key-file"), "{said}");
    // Up to an event, on another machine that has nothing but the backup and the key.
    let shard = long_shard(Path::new(backup))?;
    let said = done(&[&words[..], &[backup, "--to-position", &format!("{shard}:3")]].concat())?;
    let cut = format!("shard {shard}: incarnation 1 ended at position 3, 2 begins");
    ensure!(said.contains(&cut), "{said}");
    ensure!(target.join("log.db").is_file() && beside(&target)?.is_dir());
    Ok(())
}

/// A shard with more than three events in the backup.
fn long_shard(backup: &Path) -> Result<u64> {
    let journal = std::fs::read_to_string(backup.join("backup.journal"))?;
    let mut blocks = journal.lines().rev().filter_map(|line| {
        let entry: Value = serde_json::from_str(line.split_once(' ')?.1).ok()?;
        let block = entry.get("block")?;
        (block["upto"].as_u64()? > 3).then(|| block["shard"].as_u64())?
    });
    blocks.next().context("a shard has events")
}

/// The auditor is told what was lost; the same cut without a restore is tampering.
fn declared(data: &Path, dir: &Path) -> Result<()> {
    let handed = word(&dir.join("handed"));
    done(&["audit", "export", "--out", &handed, "--data-dir", &word(data)])?;
    let (notes, keys) = (
        format!("{handed}/checkpoints.notes"),
        format!("{handed}/checkpoints.keys"),
    );
    let verify = |data: &Path| {
        run(&[
            "audit",
            "verify",
            "--checkpoint",
            &notes,
            "--keys",
            &keys,
            "--data-dir",
            &word(data),
        ])
    };
    let (code, said) = verify(data)?;
    ensure!(
        code == Some(0)
            && said.contains("declared loss: shard")
            && said.contains("restored after incarnation 1"),
        "{code:?} {said}"
    );
    let cut: PathBuf = dir.join("cut");
    copy(data, &cut)?;
    let log = rusqlite::Connection::open(cut.join("log.db"))?;
    log.execute("DELETE FROM event WHERE id = (SELECT max(id) FROM event)", [])?;
    drop(log);
    let (code, said) = verify(&cut)?;
    ensure!(
        code == Some(3) && said.contains("tampering (cut)"),
        "{code:?} {said}"
    );
    Ok(())
}
