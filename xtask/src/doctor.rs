//! What this machine must have, what it has, and what to run for the rest.
//!
//! Only root installs system packages, only through apt, and only when asked (`--install`, or a verb that
//! cannot go on without them). Anybody else is told the one command to run.

use crate::engines;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

const WASM: &str = "wasm32-unknown-unknown";

/// One line of the list.
struct Need {
    name: &'static str,
    why: &'static str,
    /// The version found, or `None`.
    found: Option<String>,
    remedy: Remedy,
}

enum Remedy {
    /// Debian packages.
    Apt(&'static [&'static str]),
    /// A command line of the toolchain manager.
    Rustup(&'static [&'static str]),
    /// Fetched into the cache by the verb that needs it.
    Fetched,
}

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
    if wasm_target(paths).is_some() {
        return Ok(());
    }
    let mut add = process::command(paths, "rustup");
    process::run(add.args(["target", "add", WASM]))
        .with_context(|| format!("the target {WASM} is missing; with rustup: rustup target add {WASM}"))
}

/// Installs Debian packages as root; for anybody else an error with the command to run.
pub fn apt_install(packages: &[&str]) -> Result<()> {
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

impl Need {
    fn is_missing(&self) -> bool {
        self.found.is_none() && !matches!(self.remedy, Remedy::Fetched)
    }

    fn packages(&self) -> &'static [&'static str] {
        match self.remedy {
            Remedy::Apt(packages) => packages,
            Remedy::Rustup(_) | Remedy::Fetched => &[],
        }
    }
}

fn survey(paths: &Paths) -> Vec<Need> {
    let version = |program: &str| {
        let mut command = process::command(paths, program);
        first_line(process::capture(command.arg("--version")))
    };
    let need = |name, why, found, remedy| Need {
        name,
        why,
        found,
        remedy,
    };
    let rustup: &[&str] = &["toolchain", "install"];
    let fetched = |file: &Path| file.exists().then(|| "in the cache".to_owned());
    vec![
        need(
            "rustc",
            "pinned in rust-toolchain.toml",
            version("rustc"),
            Remedy::Rustup(rustup),
        ),
        need(
            "cargo",
            "builds everything",
            version("cargo"),
            Remedy::Rustup(rustup),
        ),
        need(
            "rustfmt",
            "lint",
            version("rustfmt"),
            Remedy::Rustup(&["component", "add", "rustfmt"]),
        ),
        need(
            "clippy",
            "lint",
            version("cargo-clippy"),
            Remedy::Rustup(&["component", "add", "clippy"]),
        ),
        need(
            WASM,
            "the dashboard",
            wasm_target(paths),
            Remedy::Rustup(&["target", "add", WASM]),
        ),
        need(
            "cc",
            "SQLite is compiled",
            version("cc"),
            Remedy::Apt(&["gcc", "libc6-dev"]),
        ),
        need(
            "git",
            "lint reads the list of files",
            version("git"),
            Remedy::Apt(&["git"]),
        ),
        need(
            "node",
            "wasm-opt, browser tests",
            version("node"),
            Remedy::Apt(&["nodejs"]),
        ),
        need(
            "npm",
            "fetches test engines",
            version("npm"),
            Remedy::Apt(&["npm"]),
        ),
        need(
            "chromium",
            "browser tests",
            chromium_version(),
            Remedy::Apt(&["chromium"]),
        ),
        need(
            "cargo-deny",
            "lint",
            fetched(&paths.tools().join("bin/cargo-deny")),
            Remedy::Fetched,
        ),
        need(
            "npm packages",
            "anvil, playwright, axe, wasm-opt",
            fetched(&paths.engines()),
            Remedy::Fetched,
        ),
    ]
}

fn install_missing(paths: &Paths, needs: &[Need]) -> Result<()> {
    let missing = || needs.iter().filter(|need| need.is_missing());
    let packages: Vec<&str> = missing().flat_map(Need::packages).copied().collect();
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

/// One command a package manager, so that it can be pasted.
fn remedies(missing: &[&Need]) -> Vec<String> {
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages()).copied().collect();
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

fn chromium_version() -> Option<String> {
    let found = std::env::var_os("VAULTSTREAM_CHROMIUM").map(Into::into);
    let file: std::path::PathBuf =
        found.or_else(|| process::find_program(&["chromium", "chromium-browser"]))?;
    first_line(process::capture(
        std::process::Command::new(file).arg("--version"),
    ))
}

/// Whether the toolchain in use has the standard library for wasm, asked of the compiler, not of rustup,
/// so that a toolchain that came without rustup is judged by what it can do.
fn wasm_target(paths: &Paths) -> Option<String> {
    let mut rustc = process::command(paths, "rustc");
    let output = process::capture(rustc.args(["--print", "target-libdir", "--target", WASM])).ok()?;
    let dir = String::from_utf8_lossy(&output).trim().to_owned();
    let mut files = fs::read_dir(dir).ok()?.flatten();
    files
        .any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
        .then(|| "installed".to_owned())
}

fn first_line(output: Result<Vec<u8>>) -> Option<String> {
    let output = output.ok()?;
    String::from_utf8_lossy(&output)
        .lines()
        .next()
        .map(|line| line.trim().to_owned())
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
        ];
        let missing: Vec<&Need> = needs.iter().collect();
        assert_eq!(
            remedies(&missing),
            [
                "sudo apt-get install -y gcc libc6-dev npm",
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
