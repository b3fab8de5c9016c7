//! Sets of npm packages, each named after its lock file's digest.

use super::install;
use crate::paths::Paths;
use crate::process;
use crate::web::digest;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The directory with the `node_modules` of `xtask/npm/<set>`.
pub fn packages(paths: &Paths, set: &str) -> Result<PathBuf> {
    let source = paths.root.join("xtask/npm").join(set);
    let lock = source.join("package-lock.json");
    let text = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let place = paths.engines().join(format!("{set}-{}", digest(&text)));
    install::once(&place, |dir| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(source.join(name), dir.join(name)).with_context(|| format!("cannot copy {name}"))?;
        }
        let mut npm = process::command(paths, "npm");
        npm.current_dir(dir).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]);
        process::run(&mut npm)
    })?;
    Ok(place)
}

/// The binary itself, not npm's launcher: a test must be able to end the process that it started.
pub fn anvil_in(dir: &Path) -> PathBuf {
    dir.join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
}
