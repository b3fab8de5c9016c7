//! `audit verify`: a log against checkpoints, place by place.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vaultstream_kernel::audit::{Auditor, Chain, ChainFault, Fault, Finding, Held, Report, ShardReport};

use super::files::{Notes, keys};
use super::scan::Given;
use super::{Format, Verify};

/// Lines that cannot be read are told up to so many.
const MAX_UNREADABLE: usize = 20;

/// Everything that was found.
struct Found {
    newest: Held,
    checkpoints: usize,
    notes: Vec<ChainFault>,
    unreadable: Vec<(u64, String)>,
    report: Report,
}

/// Verifies; `false` when something contradicts.
pub fn run(options: &Verify) -> Result<bool> {
    let keys = keys(&options.keys)?;
    let mut notes = Notes::read(&options.checkpoint)?;
    notes.extend(options.which.local_notes()?);
    let (chain, faults) = Chain::new(notes.iter(), &keys);
    let newest = chain.newest().cloned().with_context(|| {
        let why: Vec<String> = faults.iter().take(3).map(ToString::to_string).collect();
        format!("there is no checkpoint to compare with: {}", why.join("; "))
    })?;
    let mut auditor = Auditor::new(&chain);
    let mut unreadable = Vec::new();
    options.which.source()?.scan(None, |given| match given {
        Given::Event(item) => auditor.take(item.shard, &item.seen),
        Given::Unreadable { line, why } => {
            if unreadable.len() < MAX_UNREADABLE {
                unreadable.push((line, why));
            }
        }
    })?;
    let found = Found {
        newest,
        checkpoints: chain.held().len(),
        notes: faults,
        unreadable,
        report: auditor.finish(),
    };
    ensure!(
        found.report.shards.iter().any(|shard| shard.events > 0)
            || found.newest.shards.iter().any(|s| s.size > 0),
        "there is no event in the log and none in the checkpoints"
    );
    match options.output {
        Format::Text => print!("{}", found.text()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&found.json())?),
    }
    Ok(found.is_whole())
}

impl Found {
    fn is_whole(&self) -> bool {
        self.notes.is_empty() && self.unreadable.is_empty() && self.report.findings.is_empty()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (newest, report) = (&self.newest, &self.report);
        writeln!(
            text,
            "checkpoint {} of {} is believed; {} are compared",
            newest.name, newest.sealed_at, self.checkpoints
        )?;
        for shard in &report.shards {
            let ShardReport {
                shard: number,
                events,
                sealed,
                lost,
            } = shard;
            write!(text, "shard {number}: {events} events, {sealed} sealed")?;
            match unsealed(shard) {
                0 => writeln!(text)?,
                count => writeln!(text, ", {count} unsealed (positions above {sealed})")?,
            }
            for lost in lost {
                writeln!(
                    text,
                    "declared loss: shard {number} was restored after incarnation {}; position {} was kept, {} sealed events \
                     above it are lost (checkpoint {})",
                    lost.incarnation,
                    lost.kept,
                    lost.sealed - lost.kept,
                    lost.checkpoint
                )?;
            }
        }
        for fault in &self.notes {
            writeln!(text, "tampering: {fault}")?;
        }
        for (line, why) in &self.unreadable {
            writeln!(text, "tampering: line {line}: {why}")?;
        }
        for finding in &report.findings {
            writeln!(text, "tampering ({}): {finding}", finding.fault.word())?;
        }
        if report.untold > 0 {
            writeln!(text, "and {} more", report.untold)?;
        }
        let verdict = if self.is_whole() {
            "whole: this is the log that was sealed"
        } else {
            "NOT whole: this is not the log that was sealed"
        };
        writeln!(text, "{verdict}")
    }

    fn json(&self) -> Value {
        let shards = self.report.shards.iter().map(|shard| {
            let lost = shard.lost.iter().map(|lost| {
                json!({
                    "incarnation": lost.incarnation, "kept": lost.kept, "sealed": lost.sealed, "checkpoint": lost.checkpoint,
                })
            });
            json!({
                "shard": shard.shard, "events": shard.events, "sealed": shard.sealed, "unsealed": unsealed(shard),
                "declaredLosses": lost.collect::<Value>(),
            })
        });
        let notes = self.notes.iter().map(ToString::to_string);
        let lines = self
            .unreadable
            .iter()
            .map(|(line, why)| format!("line {line}: {why}"));
        json!({
            "whole": self.is_whole(),
            "checkpoint": self.newest.name.to_string(),
            "sealedAt": self.newest.sealed_at,
            "checkpoints": self.checkpoints,
            "shards": shards.collect::<Value>(),
            "tampering": self.report.findings.iter().map(finding).collect::<Value>(),
            "untold": self.report.untold,
            "notes": notes.chain(lines).collect::<Value>(),
        })
    }
}

const fn unsealed(shard: &ShardReport) -> u64 {
    shard.events.saturating_sub(shard.sealed)
}

fn finding(finding: &Finding) -> Value {
    let place = &finding.place;
    let mut value = json!({
        "kind": finding.fault.word(), "shard": place.shard, "position": place.position, "says": finding.to_string(),
    });
    if let Some(event) = place.event {
        value["stream"] = json!(event.stream.to_string());
        value["sequence"] = json!(event.sequence);
    }
    if let Fault::Missing { from, upto } | Fault::Other { from, upto, .. } | Fault::Cut { from, upto, .. } =
        finding.fault
    {
        value["from"] = json!(from);
        value["upto"] = json!(upto);
    }
    value
}
