//! Who may depend on whom: the table of `docs/ARCHITECTURE.md` as data, checked against every manifest.
//!
//! A normal or build dependency follows the room's row. A development dependency follows it too and may use, in
//! addition, what `tests_may` names: what runs on ports is tested on the real embedded adapters instead of mocks,
//! and an adapter under the kernel and the folds it will serve, and what `query-api` keeps, on the real engine that
//! `tests/engines` starts. The pure rooms (`event-schemas`, `domain`, `chains`, `client`) need neither. What ships never changes by it: only the
//! binary and `tests/` ship or start `infra`. Besides the rooms, some foreign crates are doors to the outside (HTTP,
//! SQL, Kafka, CQL, Redis): they belong to the rooms that talk to the outside. Every member inherits the
//! workspace's lints, so that nobody can opt out of `unsafe_code = "forbid"`.

use super::Finding;
use super::tree::Tree;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result};
use serde_json::Value;

/// A row of the table.
struct Room {
    /// Its directory, which is also its name; crates below it belong to it. Empty for the root binary.
    dir: &'static str,
    /// Rooms it may name.
    may: &'static [&'static str],
    /// Rooms its tests may name besides.
    tests_may: &'static [&'static str],
    /// Whether it may speak to the outside.
    outside: Outside,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    Yes,
    No,
    /// Only its tests, and only over HTTP: a door is tested by knocking.
    TestsKnock,
}

const ANY: &[&str] = &["*"];
const NONE: &[&str] = &[];
/// What the tests of a room that runs on ports may use besides.
const REAL_ADAPTERS: &[&str] = &["infra", "infra/sandbox"];
const PORTS: &[&str] = &["event-schemas", "domain", "kernel"];

const ROOMS: [Room; 19] = [
    room("event-schemas", NONE, Outside::No),
    room("domain", &["event-schemas"], Outside::No),
    room("kernel", &["event-schemas", "domain"], Outside::No).tested_with(REAL_ADAPTERS),
    room("chains", &["event-schemas"], Outside::No),
    room("projectors", PORTS, Outside::No).tested_with(REAL_ADAPTERS),
    room(
        "workflows",
        &["event-schemas", "domain", "kernel", "chains", "projectors"],
        Outside::No,
    )
    .tested_with(REAL_ADAPTERS),
    room("signer", &["event-schemas", "chains"], Outside::Yes),
    room("signer/client", &["event-schemas", "chains"], Outside::Yes),
    room("client", &["event-schemas"], Outside::Yes),
    room(
        "gateway",
        &["event-schemas", "domain", "kernel", "client"],
        Outside::TestsKnock,
    )
    .tested_with(REAL_ADAPTERS),
    room(
        "command-api",
        &["event-schemas", "domain", "kernel", "chains", "client", "gateway"],
        Outside::TestsKnock,
    )
    .tested_with(REAL_ADAPTERS),
    room(
        "query-api",
        &[
            "event-schemas",
            "domain",
            "kernel",
            "projectors",
            "client",
            "gateway",
        ],
        Outside::TestsKnock,
    )
    .tested_with(&["infra", "infra/sandbox", "tests/engines"]),
    room("dashboard-web", &["event-schemas", "client"], Outside::Yes),
    room(
        "infra",
        &["event-schemas", "domain", "chains", "signer/client"],
        Outside::Yes,
    )
    .tested_with(&["kernel", "projectors", "infra", "infra/sandbox", "tests/engines"]),
    // The second opinion: a sandbox that shared an encoder with us would agree with our mistakes.
    room("infra/sandbox", &["event-schemas", "domain"], Outside::Yes),
    // The wall itself: it names every room, and speaks to the outside through them.
    room("", ANY, Outside::No),
    room("tests", ANY, Outside::Yes),
    // It starts foreign programs and knows nothing of ours.
    room("tests/engines", NONE, Outside::Yes),
    room("xtask", &["tests/engines"], Outside::Yes),
];

const HTTP: [&str; 19] = [
    "reqwest",
    "hyper",
    "hyper-util",
    "ureq",
    "isahc",
    "surf",
    "attohttpc",
    "awc",
    "curl",
    "tungstenite",
    "tokio-tungstenite",
    "async-tungstenite",
    "gloo-net",
    "jsonrpsee",
    "alloy-provider",
    "alloy-rpc-client",
    "alloy-transport-http",
    "alloy-transport-ws",
    "ethers-providers",
];
const STORES: [&str; 18] = [
    "rusqlite",
    "libsqlite3-sys",
    "sqlx",
    "diesel",
    "sea-orm",
    "postgres",
    "tokio-postgres",
    "deadpool-postgres",
    "postgres-es",
    "rdkafka",
    "rskafka",
    "kafka",
    "scylla",
    "cdrs-tokio",
    "cassandra-cpp",
    "redis",
    "fred",
    "deadpool-redis",
];

const fn room(dir: &'static str, may: &'static [&'static str], outside: Outside) -> Room {
    Room {
        dir,
        may,
        tests_may: NONE,
        outside,
    }
}

impl Room {
    const fn tested_with(self, tests_may: &'static [&'static str]) -> Self {
        Self { tests_may, ..self }
    }

    fn name(&self) -> &'static str {
        if self.dir.is_empty() {
            "the root binary"
        } else {
            self.dir
        }
    }
}

/// A crate of the workspace as its manifest declares it.
struct Member {
    /// Relative to the root; empty for the root itself.
    dir: String,
    needs: Vec<Need>,
}

struct Need {
    name: String,
    for_tests: bool,
    /// The directory of a crate of ours.
    dir: Option<String>,
}

pub fn check(paths: &Paths, tree: &Tree) -> Result<Vec<Finding>> {
    let mut metadata = process::cargo(paths, "metadata --format-version 1 --no-deps");
    let members = members(&process::capture(&mut metadata)?, &paths.root.to_string_lossy())?;
    Ok(members.iter().flat_map(|member| judge(member, tree)).collect())
}

fn members(metadata: &[u8], root: &str) -> Result<Vec<Member>> {
    let metadata: Value = serde_json::from_slice(metadata).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let relative = |path: &str| {
        path.strip_prefix(root)
            .unwrap_or(path)
            .trim_matches('/')
            .to_owned()
    };
    let need = |need: &Value| Need {
        name: need["name"].as_str().unwrap_or_default().to_owned(),
        for_tests: need["kind"] == "dev",
        dir: need["path"].as_str().map(relative),
    };
    Ok(packages
        .iter()
        .map(|package| {
            let manifest = relative(package["manifest_path"].as_str().unwrap_or_default());
            let dir = manifest
                .trim_end_matches("Cargo.toml")
                .trim_end_matches('/')
                .to_owned();
            let needs = package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .map(need)
                .collect();
            Member { dir, needs }
        })
        .collect())
}

fn judge(member: &Member, tree: &Tree) -> Vec<Finding> {
    let manifest = if member.dir.is_empty() {
        "Cargo.toml".to_owned()
    } else {
        format!("{}/Cargo.toml", member.dir)
    };
    let text = tree.text(&manifest).unwrap_or_default();
    let Some(room) = room_of(&member.dir) else {
        let message = format!(
            "`{}` is in no room of the table in xtask/src/lint/edges.rs",
            member.dir
        );
        return vec![Finding::new(manifest, 0, "room", message)];
    };
    let mut findings = Vec::new();
    if !inherits_lints(text) {
        findings.push(Finding::new(
            manifest.as_str(),
            0,
            "lints",
            "add `[lints]` with `workspace = true`",
        ));
    }
    for need in &member.needs {
        let line = line_of(text, &need.name);
        if let Some(message) = edge(room, need).or_else(|| outside(room, need)) {
            findings.push(Finding::new(manifest.as_str(), line, "edge", message));
        }
    }
    findings
}

/// The reason why the room may not name this crate of ours.
fn edge(room: &Room, need: &Need) -> Option<String> {
    let dir = need.dir.as_deref()?;
    let Some(target) = room_of(dir) else {
        return Some(format!("`{}` is in no room of the table", need.name));
    };
    let listed = |names: &[&str]| names == ANY || names.contains(&target.dir);
    let allowed = listed(room.may) || (need.for_tests && listed(room.tests_may));
    (!allowed).then(|| {
        format!(
            "`{}` may not depend on `{}` ({})",
            room.name(),
            target.name(),
            need.name
        )
    })
}

/// The reason why the room may not name this client of an outside system.
fn outside(room: &Room, need: &Need) -> Option<String> {
    let http = HTTP.contains(&need.name.as_str());
    if !http && !STORES.contains(&need.name.as_str()) {
        return None;
    }
    let allowed = match room.outside {
        Outside::Yes => true,
        Outside::TestsKnock => http && need.for_tests,
        Outside::No => false,
    };
    (!allowed).then(|| {
        format!(
            "`{}` speaks to the outside, which `{}` may not",
            need.name,
            room.name()
        )
    })
}

/// The room with the longest directory that holds this one.
fn room_of(dir: &str) -> Option<&'static Room> {
    let holds = |room: &&Room| match dir.strip_prefix(room.dir) {
        Some(rest) if room.dir.is_empty() => rest.is_empty(),
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    };
    ROOMS.iter().filter(holds).max_by_key(|room| room.dir.len())
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    lines.find(|line| !line.is_empty()) == Some("workspace = true")
}

fn line_of(manifest: &str, name: &str) -> usize {
    let declares = |line: &str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(declares).map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests;
