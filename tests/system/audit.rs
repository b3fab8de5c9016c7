//! What an auditor finds in a log that somebody laid hands on, with nothing but files and public keys.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use vaultstream_client::CHECKPOINT_HEADER;
use vaultstream_domain::ports::conformance::sample::{self, Writer};
use vaultstream_event_schemas::CheckpointRef;
use vaultstream_event_schemas::note::{listed, split_list};

use crate::product::{ETHER, Product, Setup, address, program, transfer_body, until};

/// Bits of a row id below the shard's number.
const POSITION_BITS: u32 = 47;

fn audit(words: &[&str]) -> Result<(Option<i32>, String)> {
    let output = Command::new(program("VAULTSTREAM_BIN")?)
        .arg("audit")
        .args(words)
        .output()?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code(), said))
}

/// The name of the newest checkpoint in the answer to a transfer.
async fn named(
    product: &Product,
    from: &vaultstream_client::Vault,
    to: &str,
    key: &str,
) -> Result<Option<CheckpointRef>> {
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/transfers", product.base))
        .bearer_auth(&product.key)
        .header("Idempotency-Key", key)
        .json(&transfer_body(from, to, "1000"))
        .send()
        .await?;
    ensure!(answer.status() == 202, "{}", answer.status());
    let name = answer
        .headers()
        .get(CHECKPOINT_HEADER)
        .map(|value| value.to_str().map(str::parse));
    name.transpose()?.transpose().context("a checkpoint's name")
}

/// Waits until every event is sealed.
pub async fn sealed(product: &Product) -> Result<()> {
    let url = format!("{}/metrics", product.base);
    until("every event is sealed", || async {
        let text = reqwest::get(&url).await?.text().await?;
        Ok(text
            .lines()
            .any(|line| line == "vaultstream_unsealed_events 0")
            .then_some(()))
    })
    .await
}

/// An installation that was stopped, and what its auditor has.
struct Evidence {
    setup: Setup,
    dir: TempDir,
    transfer: String,
}

impl Evidence {
    async fn gather() -> Result<Self> {
        let setup = Setup::new()?;
        let mut product = setup.start()?;
        let from = product.new_vault("Audited", ETHER).await?;
        let to = address(&product.vault("Payouts").await?)?;
        let mut transfer = String::new();
        for n in 0..3 {
            transfer = product
                .transfer(&from, &to, ETHER / 100, &format!("audited-{n}"))
                .await?;
            product.completed(&transfer).await?;
        }
        sealed(&product).await?;
        let name = named(&product, &from, &to, "named")
            .await?
            .context("the 202 names a checkpoint")?;
        sealed(&product).await?;
        // Beside the running product.
        let dir = TempDir::new()?;
        let evidence = Self { setup, dir, transfer };
        let (code, said) = audit(&[
            "export",
            "--out",
            &evidence.path("handed"),
            "--data-dir",
            &evidence.data(),
        ])?;
        ensure!(code == Some(0) && said.contains("2 public keys"), "{said}");
        let list = std::fs::read_to_string(evidence.dir.path().join("handed/checkpoints.notes"))?;
        let (notes, rest) = split_list(&list);
        ensure!(
            rest.is_empty() && notes.len() >= 2,
            "{} notes and {rest:?}",
            notes.len()
        );
        let known = notes
            .iter()
            .map(|note| note_name(note))
            .collect::<Result<Vec<_>>>()?;
        ensure!(known.contains(&name), "{name} is not in the list");
        std::fs::write(
            evidence.dir.path().join("kept.note"),
            notes.last().context("a note")?,
        )?;
        ensure!(
            product.process.terminate().await?.success(),
            "it did not stop well"
        );
        Ok(evidence)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn data(&self) -> String {
        self.setup.data_dir().display().to_string()
    }

    /// A copy of the data directory and of the checkpoints beside it, laid hands on.
    fn tampered(&self, name: &str, tamper: impl FnOnce(&Connection) -> Result<()>) -> Result<String> {
        let to = self.dir.path().join(name);
        copy(&self.setup.data_dir(), &to)?;
        copy(&beside(&self.setup.data_dir())?, &beside(&to)?)?;
        let log = Connection::open(to.join("log.db"))?;
        tamper(&log)?;
        Ok(to.display().to_string())
    }

    /// Verifies a data directory against the note that was kept.
    fn verify(&self, data: &str) -> Result<(Option<i32>, Value)> {
        let (kept, keys) = (self.path("kept.note"), self.path("handed/checkpoints.keys"));
        let (code, said) = audit(&[
            "verify",
            "--checkpoint",
            &kept,
            "--keys",
            &keys,
            "--data-dir",
            data,
            "-o",
            "json",
        ])?;
        Ok((code, serde_json::from_str(&said).with_context(|| said.clone())?))
    }
}

fn note_name(note: &str) -> Result<CheckpointRef> {
    let note = vaultstream_event_schemas::note::Note::parse(note)?;
    let checkpoint: vaultstream_event_schemas::Checkpoint = note.text().parse()?;
    Ok(CheckpointRef {
        number: checkpoint.number,
        hash: note.hash(),
    })
}

pub fn beside(data: &Path) -> Result<PathBuf> {
    let name = data
        .file_name()
        .and_then(|name| name.to_str())
        .context("a name")?;
    Ok(data.with_file_name(format!("{name}-checkpoints")))
}

pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(status.success(), "{} could not be copied", from.display());
    Ok(())
}

/// The row in the middle of the longest shard: its id, shard, position, stream and sequence.
struct Row {
    id: i64,
    shard: i64,
    position: i64,
    sequence: i64,
}

fn middle(log: &Connection) -> Result<Row> {
    let (shard, count): (i64, i64) = log.query_row(
        "SELECT id >> ?1 AS shard, count(*) FROM event GROUP BY shard ORDER BY 2 DESC LIMIT 1",
        [POSITION_BITS],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    ensure!(count > 10, "only {count} events");
    let position = count / 2;
    let id = (shard << POSITION_BITS) | position;
    let sequence = log.query_row("SELECT sequence FROM event WHERE id = ?1", [id], |row| row.get(0))?;
    Ok(Row {
        id,
        shard,
        position,
        sequence,
    })
}

/// The finding of a kind, which must be there.
fn finding<'a>(report: &'a Value, kind: &str) -> Result<&'a Value> {
    let all = report["tampering"].as_array().context("a list")?;
    all.iter()
        .find(|one| one["kind"] == kind)
        .with_context(|| format!("no {kind} in {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn five_ways_of_tampering_should_each_be_named() -> Result<()> {
    let evidence = Evidence::gather().await?;
    let (code, whole) = evidence.verify(&evidence.data())?;
    ensure!(code == Some(0) && whole["whole"] == true, "{whole}");

    let mut at = None;
    let edited = evidence.tampered("edited", |log| {
        let row = middle(log)?;
        let changed = log.execute(
            "UPDATE event SET payload = CAST(replace(CAST(payload AS TEXT), '{', '{\"x\":1,') AS BLOB) WHERE id = ?1",
            [row.id],
        )?;
        ensure!(changed == 1);
        at = Some(row);
        Ok(())
    })?;
    let at = at.context("a row")?;
    let (code, report) = evidence.verify(&edited)?;
    let found = finding(&report, "edited")?;
    ensure!(code == Some(3), "{report}");
    ensure!(
        found["shard"] == at.shard && found["position"] == at.position && found["sequence"] == at.sequence,
        "{found}"
    );
    ensure!(
        found["stream"]
            .as_str()
            .is_some_and(|stream| stream.contains('_')),
        "{found}"
    );

    let deleted = evidence.tampered("deleted", |log| {
        ensure!(log.execute("DELETE FROM event WHERE id = ?1", [at.id])? == 1);
        Ok(())
    })?;
    let (code, report) = evidence.verify(&deleted)?;
    let found = finding(&report, "deleted")?;
    ensure!(
        code == Some(3) && found["from"] == at.position && found["upto"] == at.position,
        "{found}"
    );

    let inserted = evidence.tampered("inserted", |log| insert(log, &at))?;
    let (code, report) = evidence.verify(&inserted)?;
    let found = finding(&report, "inserted")?;
    ensure!(code == Some(3) && found["shard"] == at.shard, "{report}");
    ensure!(
        found["position"] == at.position && found["sequence"] == 1,
        "{found}"
    );

    let reordered = evidence.tampered("reordered", |log| {
        let next = at.id + 1;
        for (from, to) in [(at.id, -1), (next, at.id), (-1, next)] {
            ensure!(log.execute("UPDATE event SET id = ?2 WHERE id = ?1", [from, to])? == 1);
        }
        Ok(())
    })?;
    let (code, report) = evidence.verify(&reordered)?;
    let found = finding(&report, "reordered")?;
    ensure!(
        code == Some(3) && found["position"] == at.position + 1,
        "{report}"
    );

    cut_with_its_checkpoints(&evidence, &at)
}

/// A forged event, whole by itself, in the middle of a shard; everything behind it moves up.
fn insert(log: &Connection, at: &Row) -> Result<()> {
    let last = (at.shard << POSITION_BITS) | ((1 << POSITION_BITS) - 1);
    log.execute(
        "UPDATE event SET id = -(id + 1) WHERE id BETWEEN ?1 AND ?2",
        [at.id, last],
    )?;
    log.execute("UPDATE event SET id = -id WHERE id < 0", [])?;
    let hlc: i64 = log.query_row("SELECT hlc FROM event WHERE id = ?1", [at.id - 1], |row| {
        row.get(0)
    })?;
    let stream = sample::stream(u16::try_from(at.shard)?, 99);
    let forged = Writer::new(stream).event("forged");
    log.execute(
        "INSERT INTO event (id, stream, sequence, hlc, envelope, payload, previous, hash) \
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7)",
        (
            at.id,
            &stream.to_bytes()[..],
            hlc + 1,
            &forged.envelope_bytes[..],
            &forged.payload[..],
            &forged.previous[..],
            &forged.hash[..],
        ),
    )?;
    Ok(())
}

/// The tail of the log and the checkpoints over it are cut together: only who kept a checkpoint can tell.
fn cut_with_its_checkpoints(evidence: &Evidence, at: &Row) -> Result<()> {
    let cut = evidence.tampered("cut", |log| {
        let last = (at.shard << POSITION_BITS) | ((1 << POSITION_BITS) - 1);
        ensure!(log.execute("DELETE FROM event WHERE id BETWEEN ?1 AND ?2", [at.id, last])? > 1);
        Ok(())
    })?;
    let list = beside(Path::new(&cut))?.join("checkpoints-000000000001.notes");
    let text = std::fs::read_to_string(&list)?;
    let (notes, _) = split_list(&text);
    let shard = u16::try_from(at.shard)?;
    let mut left = String::new();
    for note in &notes {
        let parsed = vaultstream_event_schemas::note::Note::parse(note)?;
        let checkpoint: vaultstream_event_schemas::Checkpoint = parsed.text().parse()?;
        let size = checkpoint
            .shard(vaultstream_event_schemas::ShardNumber(shard))
            .map_or(0, |root| root.size);
        if i64::try_from(size)? < at.position {
            left.push_str(&listed(note));
        }
    }
    ensure!(left.len() < text.len(), "something was cut");
    std::fs::write(&list, left)?;
    let (code, report) = evidence.verify(&cut)?;
    let found = finding(&report, "cut")?;
    ensure!(
        code == Some(3) && found["shard"] == at.shard && found["from"] == at.position,
        "{report}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_log_should_be_verified_and_an_event_be_proven_from_files_alone() -> Result<()> {
    let evidence = Evidence::gather().await?;
    let log = evidence.path("log.jsonl");
    let status = Command::new(program("VAULTSTREAM_BIN")?)
        .args(["export", "--out", &log, "--data-dir", &evidence.data()])
        .status()?;
    ensure!(status.success(), "the export failed");
    let (kept, keys) = (
        evidence.path("kept.note"),
        evidence.path("handed/checkpoints.keys"),
    );
    let verify =
        |log: &str, keys: &str| audit(&["verify", "--checkpoint", &kept, "--keys", keys, "--log", log]);
    let (code, said) = verify(&log, &keys)?;
    ensure!(
        code == Some(0) && said.contains("whole: this is the log that was sealed"),
        "{said}"
    );

    // Whole lines lost from the middle, and keys of somebody else.
    let text = std::fs::read_to_string(&log)?;
    let lines: Vec<&str> = text.lines().collect();
    let shorter: Vec<&str> = lines
        .iter()
        .enumerate()
        .filter(|(n, _)| *n != 7)
        .map(|(_, line)| *line)
        .collect();
    let short = evidence.path("short.jsonl");
    std::fs::write(&short, shorter.join("\n") + "\n")?;
    let (code, said) = verify(&short, &keys)?;
    ensure!(code == Some(3) && said.contains("tampering (deleted)"), "{said}");
    let strange = evidence.path("strange.keys");
    std::fs::write(
        &strange,
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
    )?;
    let (code, said) = verify(&log, &strange)?;
    ensure!(code == Some(1) && said.contains("no known key signed"), "{said}");
    let (code, _) = audit(&["verify", "--keys", &keys])?;
    ensure!(code == Some(2));

    let event = format!("{}/1", evidence.transfer);
    let proof = evidence.path("proof.json");
    let (code, said) = audit(&["prove", &event, "--data-dir", &evidence.data(), "--out", &proof])?;
    ensure!(code == Some(0), "{said}");
    let (code, said) = audit(&["check-proof", &proof, "--keys", &keys])?;
    ensure!(
        code == Some(0) && said.starts_with(&format!("proven: {event}")),
        "{said}"
    );
    let from_export = evidence.path("proof-of-export.json");
    let list = evidence.path("handed/checkpoints.notes");
    let (code, said) = audit(&[
        "prove",
        &event,
        "--log",
        &log,
        "--checkpoint",
        &list,
        "--out",
        &from_export,
    ])?;
    ensure!(code == Some(0), "{said}");
    ensure!(
        std::fs::read(&proof)? == std::fs::read(&from_export)?,
        "both are the same proof"
    );
    let spoilt = std::fs::read_to_string(&proof)?.replacen("\"position\":", "\"position\":1", 1);
    std::fs::write(&from_export, spoilt)?;
    let (code, said) = audit(&["check-proof", &from_export, "--keys", &keys])?;
    ensure!(code == Some(3) && said.starts_with("NOT proven"), "{said}");
    Ok(())
}
