//! `cargo xtask lint`: what a reviewer should never have to say.
//!
//! Every rule looks at the whole tree and returns all its findings; they are printed together as
//! `path:line: rule: message`, and one finding fails the run. Source rules need no compiler and come first; the
//! tools (fmt, clippy, cargo-deny) and the comparison of generated files follow. All numbers are in `limits`.

mod edges;
mod errors;
pub mod limits;
mod names;
mod shape;
mod tools;
mod tree;
mod words;

use crate::paths::Paths;
use crate::{generate, process};
use anyhow::Result;
pub use shape::test_lines;
use std::fmt;
use std::process::ExitCode;
pub use tools::DASHBOARD;
use tree::Tree;

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    /// Counted from 1; 0 where the whole file is meant.
    pub line: usize,
    pub rule: &'static str,
    pub message: String,
}

impl Finding {
    pub fn new(path: impl Into<String>, line: usize, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            rule,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.message)
    }
}

/// The verb; `fast` leaves out everything that compiles.
pub fn run(paths: &Paths, fast: bool) -> Result<ExitCode> {
    let mut findings = sources(paths)?;
    if !fast {
        findings.extend(tools::all(paths)?);
        process::run(&mut process::cargo(
            paths,
            "build -p vaultstream --bin vaultstream",
        ))?;
        findings.extend(generate::check(paths)?);
    }
    Ok(report(&mut findings))
}

/// The rules that read files only.
pub fn sources(paths: &Paths) -> Result<Vec<Finding>> {
    let tree = Tree::read(paths)?;
    let mut findings = names::check(&tree);
    findings.extend(words::check(&tree));
    findings.extend(shape::check(&tree));
    findings.extend(errors::check(&tree));
    findings.extend(edges::check(paths, &tree)?);
    Ok(findings)
}

/// Everything `test` runs before it builds: source rules and tools, without generated files.
pub fn before_build(paths: &Paths) -> Result<Vec<Finding>> {
    let mut findings = sources(paths)?;
    findings.extend(tools::all(paths)?);
    Ok(findings)
}

/// Prints the findings in order and says what they mean for the exit.
pub fn report(findings: &mut [Finding]) -> ExitCode {
    findings.sort();
    for finding in findings.iter() {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("lint: no findings"),
        1 => println!("lint: 1 finding"),
        many => println!("lint: {many} findings"),
    }
    if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
