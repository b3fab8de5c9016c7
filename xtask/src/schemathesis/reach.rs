//! How deep schemathesis came: which operations have answered a request with success, by what the hooks wrote down.
//!
//! An API that refuses everything passes every check of its answers, so each operation has to carry something out.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Operations that cannot be carried out by a key, each with the reason. The list may only shrink.
const UNREACHABLE: &[(&str, &str)] = &[
    (
        "GET /v1/sessions/current",
        "the session of the request: a key has none, and is told so",
    ),
    (
        "DELETE /v1/sessions/current",
        "the session of the request: a key has none, and is told so",
    ),
];
/// What a transfer has to have come to, or the machinery behind the door was not reached.
const TRANSFER_ENDS: [&str; 3] = ["completed", "cancelled", "rejected"];

/// Answers of one operation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Answers {
    succeeded: u64,
    refused: u64,
    failed: u64,
}

/// What was answered, by operation, over all runs together.
#[derive(Debug, Default)]
pub struct Reach {
    operations: BTreeMap<String, Answers>,
    transfers: BTreeSet<String>,
}

impl Reach {
    /// Nothing yet, of each operation that the description names.
    pub fn of(openapi: &str) -> Result<Self> {
        let description: Value = serde_json::from_str(openapi).context("the description is not JSON")?;
        let paths = description["paths"].as_object();
        let paths = paths.context("the description has no paths")?;
        let methods = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().into_iter().flatten();
            let label = methods.map(|(method, _)| format!("{} {path}", method.to_uppercase()));
            label.collect::<Vec<_>>()
        };
        let operations = paths.iter().flat_map(methods);
        Ok(Self {
            operations: operations.map(|label| (label, Answers::default())).collect(),
            transfers: BTreeSet::new(),
        })
    }

    /// Adds what the hooks of one run wrote down: answers by operation and status, and states of transfers.
    pub fn add(&mut self, written: &str) -> Result<()> {
        let told: Value = serde_json::from_str(written).context("the hooks wrote no JSON")?;
        let answers = told["answers"].as_object().context("the hooks counted nothing")?;
        for (label, statuses) in answers {
            // Other methods are tried as well, and are none of the description's operations.
            let Some(known) = self.operations.get_mut(label) else {
                continue;
            };
            for (status, count) in statuses.as_object().into_iter().flatten() {
                let count = count.as_u64().with_context(|| format!("{label}: no count"))?;
                match status.as_bytes().first() {
                    Some(b'2' | b'3') => known.succeeded += count,
                    Some(b'4') => known.refused += count,
                    _ => known.failed += count,
                }
            }
        }
        let states = told["transfers"].as_array().into_iter().flatten();
        self.transfers
            .extend(states.filter_map(Value::as_str).map(str::to_owned));
        Ok(())
    }

    /// An error that names what was not carried out and has no reason for it.
    pub fn is_deep(&self) -> Result<()> {
        let excused = |label: &str| UNREACHABLE.iter().any(|(known, _)| *known == label);
        let operations = self.operations.iter();
        let missed: Vec<_> = operations
            .filter(|(label, answers)| answers.succeeded == 0 && !excused(label))
            .map(|(label, _)| label.as_str())
            .collect();
        ensure!(
            missed.is_empty(),
            "never carried out: {}; give it longer, or see that xtask/python/values.py makes what they need",
            missed.join(", ")
        );
        for (label, _) in UNREACHABLE {
            let known = self.operations.get(*label);
            let answers = known.with_context(|| format!("{label} is excused and does not exist"))?;
            ensure!(
                answers.succeeded == 0,
                "{label} was carried out: take it off the list of those that cannot be"
            );
        }
        for end in TRANSFER_ENDS {
            ensure!(self.transfers.contains(end), "no transfer was seen {end}");
        }
        Ok(())
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<42} {:>9} {:>9} {:>9}",
            "operation", "done", "refused", "failed"
        )?;
        for (label, answers) in &self.operations {
            let Answers {
                succeeded,
                refused,
                failed,
            } = answers;
            let why = UNREACHABLE.iter().find(|(known, _)| known == label);
            let why = why.map_or_else(String::new, |(_, why)| format!("  {why}"));
            writeln!(f, "{label:<42} {succeeded:>9} {refused:>9} {failed:>9}{why}")?;
        }
        let states: Vec<_> = self.transfers.iter().map(String::as_str).collect();
        writeln!(f, "transfers were seen {}", states.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A description with these operations and those that are excused.
    fn described(operations: &[(&str, &str)]) -> Reach {
        let excused = UNREACHABLE.iter().filter_map(|(label, _)| label.split_once(' '));
        let mut paths = json!({});
        for (method, path) in operations.iter().copied().chain(excused) {
            paths[path][method.to_lowercase()] = json!({});
        }
        Reach::of(&json!({ "paths": paths }).to_string()).expect("a description")
    }

    fn told(answers: &Value) -> String {
        json!({ "answers": answers, "transfers": TRANSFER_ENDS }).to_string()
    }

    #[test]
    fn runs_should_be_added_up_and_other_methods_left_out() {
        let mut reach = described(&[("POST", "/v1/vaults")]);
        reach
            .add(&told(&json!({ "POST /v1/vaults": { "201": 2, "404": 3, "422": 1 }, "TRACE /v1/vaults": { "405": 9 } })))
            .expect("a run");
        reach
            .add(&told(&json!({ "POST /v1/vaults": { "201": 1, "500": 4 } })))
            .expect("another");
        let counted = Answers {
            succeeded: 3,
            refused: 4,
            failed: 4,
        };
        assert_eq!(reach.operations["POST /v1/vaults"], counted);
        assert_eq!(reach.operations.len(), 1 + UNREACHABLE.len());
        reach.is_deep().expect("all were carried out");
        let table = reach.to_string();
        assert!(table.contains("POST /v1/vaults"), "{table}");
        assert!(table.contains("seen cancelled, completed, rejected"), "{table}");
        for nonsense in ["", "{}", r#"{"answers": {"POST /v1/vaults": {"201": "x"}}}"#] {
            assert!(reach.add(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn operation_that_only_refused_should_be_named() {
        let mut reach = described(&[("POST", "/v1/vaults"), ("GET", "/v1/views")]);
        let answers = json!({ "POST /v1/vaults": { "201": 1 }, "GET /v1/views": { "403": 900 } });
        reach.add(&told(&answers)).expect("a run");
        let error = reach
            .is_deep()
            .expect_err("one was never carried out")
            .to_string();
        assert!(
            error.contains("GET /v1/views") && !error.contains("/v1/vaults"),
            "{error}"
        );
    }

    #[test]
    fn excuses_should_be_needed_and_name_what_exists() {
        let mut reach = described(&[]);
        reach
            .add(&told(&json!({ UNREACHABLE[0].0: { "200": 1 } })))
            .expect("a run");
        let error = reach.is_deep().expect_err("it can be carried out").to_string();
        assert!(error.contains("take it off the list"), "{error}");
        let mut reach = Reach::of(r#"{"paths": {}}"#).expect("an empty description");
        reach.add(&told(&json!({}))).expect("a run");
        let error = reach.is_deep().expect_err("excused and unknown").to_string();
        assert!(error.contains("does not exist"), "{error}");
    }

    #[test]
    fn transfers_should_have_come_to_each_end() {
        let mut reach = described(&[]);
        reach
            .add(r#"{"answers": {}, "transfers": ["completed", "requested"]}"#)
            .expect("a run");
        let error = reach.is_deep().expect_err("nothing was cancelled").to_string();
        assert!(error.contains("no transfer was seen cancelled"), "{error}");
    }
}
