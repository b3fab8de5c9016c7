//! The list of prerequisites, each looked for on this machine.

use crate::engines::CHROMIUM_NAMES;
use crate::paths::Paths;
use crate::process;
use anyhow::Result;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use vaultstream_engines::{Set, java_home};

pub const WASM: &str = "wasm32-unknown-unknown";

/// One line of the list.
pub struct Need {
    pub name: &'static str,
    pub why: &'static str,
    /// The version found, or `None`.
    pub found: Option<String>,
    pub remedy: Remedy,
}

#[derive(Clone, Copy)]
pub enum Remedy {
    /// Debian packages.
    Apt(&'static [&'static str]),
    /// A command line of the toolchain manager.
    Rustup(&'static [&'static str]),
    /// Fetched into the cache by the verb that needs it.
    Fetched,
}

impl Need {
    pub fn is_missing(&self) -> bool {
        self.found.is_none() && !matches!(self.remedy, Remedy::Fetched)
    }

    pub fn packages(&self) -> &'static [&'static str] {
        match self.remedy {
            Remedy::Apt(packages) => packages,
            Remedy::Rustup(_) | Remedy::Fetched => &[],
        }
    }
}

/// A program whose first line of `--version` is its version.
struct Program(&'static str, &'static str, Remedy);

const RUST: [Program; 4] = [
    Program(
        "rustc",
        "pinned in rust-toolchain.toml",
        Remedy::Rustup(&["toolchain", "install"]),
    ),
    Program(
        "cargo",
        "builds everything",
        Remedy::Rustup(&["toolchain", "install"]),
    ),
    Program(
        "rustfmt",
        "lint",
        Remedy::Rustup(&["component", "add", "rustfmt"]),
    ),
    Program(
        "cargo-clippy",
        "lint",
        Remedy::Rustup(&["component", "add", "clippy"]),
    ),
];

const PROGRAMS: [Program; 11] = [
    Program(
        "cc",
        "SQLite and librdkafka are compiled",
        Remedy::Apt(&["gcc", "libc6-dev"]),
    ),
    Program("c++", "librdkafka's build asks for it", Remedy::Apt(&["g++"])),
    Program("make", "librdkafka", Remedy::Apt(&["make"])),
    Program(
        "pkg-config",
        "finds OpenSSL and zlib",
        Remedy::Apt(&["pkg-config"]),
    ),
    Program("git", "lint reads the list of files", Remedy::Apt(&["git"])),
    Program("node", "wasm-opt, browser tests", Remedy::Apt(&["nodejs"])),
    Program("npm", "fetches test engines", Remedy::Apt(&["npm"])),
    Program(
        "mvn",
        "fetches PostgreSQL, Kafka, Cassandra",
        Remedy::Apt(&["maven"]),
    ),
    Program(
        "python3",
        "runs the demonstrations and what asks the API at random",
        Remedy::Apt(&["python3"]),
    ),
    Program("xz", "unpacks PostgreSQL", Remedy::Apt(&["xz-utils"])),
    Program(
        "setpriv",
        "runs PostgreSQL where we are root",
        Remedy::Apt(&["util-linux"]),
    ),
];

/// A library's name for pkg-config, and its package.
const LIBRARIES: [Program; 2] = [
    Program("openssl", "librdkafka speaks TLS", Remedy::Apt(&["libssl-dev"])),
    Program("zlib", "librdkafka", Remedy::Apt(&["zlib1g-dev"])),
];

pub fn survey(paths: &Paths) -> Vec<Need> {
    let mut needs = Vec::new();
    let listed = |Program(name, why, remedy): &Program, found: Option<String>| Need {
        name,
        why,
        found,
        remedy: *remedy,
    };
    needs.extend(RUST.iter().map(|need| listed(need, version(paths, need.0))));
    needs.push(Need {
        name: WASM,
        why: "the dashboard",
        found: wasm_target(paths),
        remedy: Remedy::Rustup(&["target", "add", WASM]),
    });
    needs.extend(PROGRAMS.iter().map(|need| listed(need, version(paths, need.0))));
    needs.extend(LIBRARIES.iter().map(|need| listed(need, library(paths, need.0))));
    needs.extend([
        Need {
            name: "java 17",
            why: "runs Kafka, Cassandra and Maven",
            found: java_home().ok().map(|home| home.display().to_string()),
            remedy: Remedy::Apt(&["openjdk-17-jre-headless"]),
        },
        Need {
            name: "redis-server",
            why: "tests",
            found: env::var("VAULTSTREAM_REDIS_URL")
                .ok()
                .or_else(|| version(paths, "redis-server")),
            remedy: Remedy::Apt(&["redis-server"]),
        },
        Need {
            name: "chromium",
            why: "browser tests",
            found: chromium(),
            remedy: Remedy::Apt(&["chromium"]),
        },
    ]);
    needs.extend(fetched(paths));
    needs
}

/// What is in the cache; what is not there is fetched by the verb that needs it.
fn fetched(paths: &Paths) -> Vec<Need> {
    let at = |name, why, file: PathBuf| Need {
        name,
        why,
        found: file.exists().then(|| "in the cache".to_owned()),
        remedy: Remedy::Fetched,
    };
    let mut needs = vec![
        at("cargo-deny", "lint", paths.tools().join("bin/cargo-deny")),
        at(
            "npm packages",
            "anvil, playwright, axe, wasm-opt",
            paths.engines(),
        ),
    ];
    needs.extend(Set::ALL.map(|set| at(set.title(), "tests", set.place_in(&paths.engines()))));
    needs
}

fn version(paths: &Paths, program: &str) -> Option<String> {
    let mut command = process::command(paths, program);
    let line = first_line(process::capture(command.arg("--version")))?;
    // Maven colours even what nobody reads on a terminal.
    let plain = line.replace("\u{1b}[1m", "").replace("\u{1b}[m", "");
    Some(plain)
}

fn library(paths: &Paths, name: &str) -> Option<String> {
    let mut command = process::command(paths, "pkg-config");
    first_line(process::capture(command.args(["--modversion", name])))
}

fn chromium() -> Option<String> {
    let given = env::var_os("VAULTSTREAM_CHROMIUM").map(PathBuf::from);
    let file = given.or_else(|| process::find_program(&CHROMIUM_NAMES))?;
    first_line(process::capture(Command::new(file).arg("--version")))
}

/// Whether the toolchain in use has the standard library for wasm, asked of the compiler, not of rustup,
/// so that a toolchain that came without rustup is judged by what it can do.
pub fn wasm_target(paths: &Paths) -> Option<String> {
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
