//! What this machine must have, what it has, and what to run for the rest.
//!
//! Only root installs system packages, only through apt, and only when asked (`--install`, or a verb that
//! cannot go on without them). Anybody else is told the one command to run.

mod needs;

use crate::engines;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use needs::{Need, Remedy, WASM, survey};
use std::process::ExitCode;

pub fn run(paths: &Paths, install: bool) -> Result<ExitCode> {
    let mut needs = survey(paths);
    if install {
        install_missing(paths, &needs)?;
        engines::ensure(paths)?;
        engines::cargo_deny(paths)?;
        if let Err(error) = engines::wasm_opt(paths) {
            println!("note: no wasm-opt, the dashboard will be larger: {error:#}");
        }
        needs = survey(paths);
    }
    for need in &needs {
        let state = need.found.as_deref().unwrap_or("MISSING");
        println!("{:<22} {state:<44} {}", need.name, need.why);
    }
    let missing: Vec<&Need> = needs.iter().filter(|need| need.is_missing()).collect();
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!();
    for line in remedies(&missing) {
        println!("run: {line}");
    }
    Ok(ExitCode::FAILURE)
}

/// Adds the target the dashboard is compiled to.
pub fn ensure_wasm_target(paths: &Paths) -> Result<()> {
    if needs::wasm_target(paths).is_some() {
        return Ok(());
    }
    let mut add = process::command(paths, "rustup");
    process::run(add.args(["target", "add", WASM]))
        .with_context(|| format!("the target {WASM} is missing; with rustup: rustup target add {WASM}"))
}

/// Installs every system package that is missing, all at one stroke; who is not root gets one command to run.
pub fn ensure_packages(paths: &Paths) -> Result<()> {
    let needs = survey(paths);
    let packages = packages(needs.iter().filter(|need| need.is_missing()));
    if packages.is_empty() {
        return Ok(());
    }
    apt_install(&packages)
}

/// Installs Debian packages as root; for anybody else an error with the command to run.
fn apt_install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if process::find_program(&["apt-get"]).is_none() {
        bail!("missing: {list}; install with this system's package manager, then run this again");
    }
    if !is_root() {
        bail!("missing: {list}; run: sudo apt-get install -y {list}");
    }
    let apt = |words: &[&str]| {
        let mut command = std::process::Command::new("apt-get");
        process::run(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    let words = ["install", "-y", "-qq", "--no-install-recommends"];
    apt(&[&words[..], packages].concat()).with_context(|| format!("cannot install {list}"))
}

fn install_missing(paths: &Paths, needs: &[Need]) -> Result<()> {
    let missing = || needs.iter().filter(|need| need.is_missing());
    let packages = packages(missing());
    if !packages.is_empty() {
        apt_install(&packages)?;
    }
    for need in missing() {
        if let Remedy::Rustup(words) = need.remedy {
            process::run(process::command(paths, "rustup").args(words))?;
        }
    }
    Ok(())
}

/// Each package once, in the order of the list.
fn packages<'n>(missing: impl Iterator<Item = &'n Need>) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for package in missing.flat_map(Need::packages) {
        if !packages.contains(package) {
            packages.push(*package);
        }
    }
    packages
}

/// One command a package manager, so that it can be pasted.
fn remedies(missing: &[&Need]) -> Vec<String> {
    let packages = packages(missing.iter().copied());
    let mut lines = Vec::new();
    if !packages.is_empty() {
        lines.push(format!("sudo apt-get install -y {}", packages.join(" ")));
    }
    for need in missing {
        if let Remedy::Rustup(words) = need.remedy {
            lines.push(format!("rustup {}", words.join(" ")));
        }
    }
    lines.dedup();
    lines
}

fn is_root() -> bool {
    let id = process::capture(std::process::Command::new("id").arg("-u"));
    id.is_ok_and(|output| output.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(name: &'static str, remedy: Remedy) -> Need {
        Need {
            name,
            why: "",
            found: None,
            remedy,
        }
    }

    #[test]
    fn remedies_should_gather_one_line_a_manager() {
        let needs = [
            need("cc", Remedy::Apt(&["gcc", "libc6-dev"])),
            need("rustc", Remedy::Rustup(&["toolchain", "install"])),
            need("cargo", Remedy::Rustup(&["toolchain", "install"])),
            need("npm", Remedy::Apt(&["npm"])),
            need("c++", Remedy::Apt(&["gcc", "g++"])),
        ];
        let missing: Vec<&Need> = needs.iter().collect();
        assert_eq!(
            remedies(&missing),
            [
                "sudo apt-get install -y gcc libc6-dev npm g++",
                "rustup toolchain install"
            ]
        );
    }

    #[test]
    fn what_a_verb_fetches_itself_should_not_count_as_missing() {
        assert!(!need("cargo-deny", Remedy::Fetched).is_missing());
        assert!(need("git", Remedy::Apt(&["git"])).is_missing());
        let found = Need {
            found: Some("1".to_owned()),
            ..need("git", Remedy::Apt(&["git"]))
        };
        assert!(!found.is_missing());
    }
}
