//! The rules that other programs know: rustfmt, clippy, cargo-deny, and cargo's own word on the lock file.
//!
//! Their output goes to the terminal as they print it; each that is unhappy adds one finding, so that all are run
//! whatever the first one says.

use super::Finding;
use crate::paths::Paths;
use crate::{doctor, engines, process};
use anyhow::Result;

/// The dashboard is compiled for browsers only, so it is checked there.
pub const DASHBOARD: &str = "vaultstream-dashboard-web";

pub fn all(paths: &Paths) -> Result<Vec<Finding>> {
    doctor::ensure_wasm_target(paths)?;
    let mut findings = formatting(paths)?;
    findings.extend(lock(paths));
    let native = format!(
        "clippy --workspace --exclude {DASHBOARD} --features vaultstream/cluster --all-targets --keep-going -- -D warnings"
    );
    // In the profile it is built in, so that macros and build scripts are compiled once for both.
    let web = format!("clippy -p {DASHBOARD} --profile web --target wasm32-unknown-unknown -- -D warnings");
    for words in [native, web] {
        if let Err(error) = process::run(&mut process::cargo(paths, &words)) {
            findings.push(Finding::new("workspace", 0, "clippy", format!("{error:#}")));
        }
    }
    let deny = engines::cargo_deny(paths)?;
    let mut check = process::command(paths, deny);
    check.args([
        "--all-features",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]);
    if let Err(error) = process::run(&mut check) {
        findings.push(Finding::new("deny.toml", 0, "deny", format!("{error:#}")));
    }
    Ok(findings)
}

/// One finding a file that rustfmt would change.
fn formatting(paths: &Paths) -> Result<Vec<Finding>> {
    let mut fmt = process::cargo(paths, "fmt --all -- --check --files-with-diff");
    let output = fmt.output()?;
    let root = paths.root.to_string_lossy().into_owned();
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut findings: Vec<Finding> = unformatted(&listed, &root);
    if findings.is_empty() && !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        findings.push(Finding::new("workspace", 0, "fmt", said));
    }
    Ok(findings)
}

fn unformatted(listed: &str, root: &str) -> Vec<Finding> {
    let mut files: Vec<&str> = listed
        .lines()
        .map(str::trim)
        .filter(|line| line.ends_with(".rs"))
        .collect();
    files.sort_unstable();
    files.dedup();
    let relative = |file: &&str| {
        file.strip_prefix(root)
            .unwrap_or(file)
            .trim_start_matches('/')
            .to_owned()
    };
    files
        .iter()
        .map(|file| Finding::new(relative(file), 0, "fmt", "run `cargo fmt`"))
        .collect()
}

/// Whether the lock file fits the manifests.
fn lock(paths: &Paths) -> Option<Finding> {
    let mut metadata = process::cargo(paths, "metadata --locked --format-version 1");
    let error = process::capture(&mut metadata).err()?;
    Some(Finding::new("Cargo.lock", 0, "lock", format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unformatted_file_should_be_named_once() {
        let findings = unformatted("/r/a/src/lib.rs\n/r/b.rs\n/r/a/src/lib.rs\n\n", "/r");
        let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["a/src/lib.rs", "b.rs"]);
        assert!(unformatted("", "/r").is_empty());
    }
}
