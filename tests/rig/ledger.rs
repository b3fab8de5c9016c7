//! What a log says of transfers, read from an export: whether what was acknowledged happened, once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// What the log says of one transfer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// How often it was requested; anything but once is wrong.
    pub requested: u32,
    /// How often it was completed.
    pub completed: u32,
    /// How often it ended otherwise.
    pub ended_otherwise: u32,
}

/// What the log says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Events of all shards.
    pub events: u64,
    /// By transfer.
    pub transfers: HashMap<String, Told>,
}

#[derive(Deserialize)]
struct Record {
    envelope: Envelope,
}

#[derive(Deserialize)]
struct Envelope {
    stream: String,
    #[serde(rename = "type")]
    event: String,
}

impl Ledger {
    /// Reads what `vaultstream export` wrote. Blocks.
    pub fn read(file: &Path) -> Result<Self> {
        let open = std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let mut ledger = Self::default();
        // The first line is the archive's header.
        for (number, line) in BufReader::new(open).lines().enumerate().skip(1) {
            let record: Record =
                serde_json::from_str(&line?).with_context(|| format!("line {} is no record", number + 1))?;
            ledger.take(&record);
        }
        Ok(ledger)
    }

    fn take(&mut self, record: &Record) {
        self.events += 1;
        let Record { envelope } = record;
        if !envelope.event.starts_with("transfer.") {
            return;
        }
        let told = self.transfers.entry(envelope.stream.clone()).or_default();
        match envelope.event.as_str() {
            "transfer.requested" => told.requested += 1,
            "transfer.completed" => told.completed += 1,
            "transfer.failed" | "transfer.denied" | "transfer.cancelled" | "transfer.expired"
            | "transfer.reversed" => {
                told.ended_otherwise += 1;
            }
            _ => {}
        }
    }

    /// Every acknowledged transfer was requested once, and nothing else was: `acknowledged` has one id for each command
    /// that was ever sent, and `others` counts transfers that somebody else asked for.
    pub fn has_just(&self, acknowledged: &[String], others: usize) -> Result<()> {
        let mut missing = acknowledged.iter().filter(|id| !self.transfers.contains_key(*id));
        let first = missing.next();
        ensure!(
            first.is_none(),
            "{} acknowledged commands are not in the log, the first is {first:?}",
            1 + missing.count()
        );
        let twice = self.transfers.iter().find(|(_, told)| told.requested != 1);
        ensure!(
            twice.is_none(),
            "requested another number of times than once: {twice:?}"
        );
        let expected = acknowledged.len() + others;
        ensure!(
            self.transfers.len() == expected,
            "the log has {} transfers, {expected} were asked for",
            self.transfers.len()
        );
        Ok(())
    }

    /// Each of these was completed once and ended in no other way.
    pub fn has_completed<'a>(&self, paid: impl IntoIterator<Item = &'a String>) -> Result<()> {
        for id in paid {
            let told = self.transfers.get(id).copied().unwrap_or_default();
            ensure!(
                told.completed == 1 && told.ended_otherwise == 0,
                "{id} was approved, and the log says {told:?}"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(events: &[(&str, &str)]) -> Ledger {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("log.jsonl");
        let mut text = "{\"format\":\"vaultstream-log/1\",\"shards\":[]}\n".to_owned();
        for (stream, event) in events {
            text += &format!(
                "{{\"envelope\":{{\"stream\":\"{stream}\",\"type\":\"{event}\"}},\"position\":1}}\n"
            );
        }
        std::fs::write(&file, text).expect("written");
        Ledger::read(&file).expect("read")
    }

    fn ids(all: &[&str]) -> Vec<String> {
        all.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn lost_doubled_and_unasked_commands_should_be_told() {
        let good = ledger(&[
            ("trf_a", "transfer.requested"),
            ("trf_b", "transfer.requested"),
            ("clm_a", "claim.bound"),
        ]);
        assert_eq!(good.events, 3);
        good.has_just(&ids(&["trf_a", "trf_b"]), 0).expect("just these");
        let lost = good
            .has_just(&ids(&["trf_a", "trf_c", "trf_d"]), 0)
            .expect_err("two are missing");
        assert!(lost.to_string().starts_with("2 acknowledged"), "{lost}");
        assert!(
            good.has_just(&ids(&["trf_a"]), 0).is_err(),
            "one more than asked for"
        );
        good.has_just(&ids(&["trf_a"]), 1)
            .expect("somebody else asked for it");
        let twice = ledger(&[("trf_a", "transfer.requested"), ("trf_a", "transfer.requested")]);
        assert!(twice.has_just(&ids(&["trf_a"]), 0).is_err());
    }

    #[test]
    fn payment_should_be_completed_once_and_nothing_else() {
        let paid = ledger(&[("trf_a", "transfer.requested"), ("trf_a", "transfer.completed")]);
        paid.has_completed(&ids(&["trf_a"])).expect("paid");
        assert!(paid.has_completed(&ids(&["trf_b"])).is_err());
        let reversed = ledger(&[("trf_a", "transfer.completed"), ("trf_a", "transfer.reversed")]);
        assert!(reversed.has_completed(&ids(&["trf_a"])).is_err());
    }
}
