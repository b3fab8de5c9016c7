//! Every kind of edge once allowed and once refused, and the table against the page it was taken from.

use super::*;

const MANIFEST: &str = "[package]\n[lints]\nworkspace = true\n[dependencies]\nx.workspace = true\n";

fn ours(name: &str, dir: &str, for_tests: bool) -> Need {
    Need {
        name: name.to_owned(),
        for_tests,
        dir: Some(dir.to_owned()),
    }
}

fn foreign(name: &str, for_tests: bool) -> Need {
    Need {
        name: name.to_owned(),
        for_tests,
        dir: None,
    }
}

fn messages(dir: &str, need: Need) -> Vec<String> {
    let manifest = if dir.is_empty() {
        "Cargo.toml".to_owned()
    } else {
        format!("{dir}/Cargo.toml")
    };
    let tree = Tree::of(&[(manifest.as_str(), MANIFEST)]);
    let member = Member {
        dir: dir.to_owned(),
        needs: vec![need],
    };
    judge(&member, &tree)
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

fn allowed(dir: &str, need: Need) {
    let found = messages(dir, need);
    assert!(found.is_empty(), "{found:?}");
}

fn refused(dir: &str, need: Need) {
    assert_eq!(messages(dir, need).len(), 1, "{dir} must be refused");
}

#[test]
fn rooms_should_follow_the_table() {
    allowed("kernel", ours("vaultstream-domain", "domain", false));
    refused("domain", ours("vaultstream-kernel", "kernel", false));
    refused("event-schemas", ours("vaultstream-domain", "domain", false));
    allowed("workflows", ours("vaultstream-chain-evm", "chains/evm", false));
    refused("query-api", ours("vaultstream-chain-evm", "chains/evm", false));
    refused("chains/btc", ours("vaultstream-chain-evm", "chains/evm", false));
    refused("dashboard-web", ours("vaultstream-domain", "domain", false));
}

#[test]
fn only_binary_and_tests_should_name_infra() {
    let sqlite = |for_tests| ours("vaultstream-infra-sqlite", "infra/sqlite", for_tests);
    allowed("", sqlite(false));
    allowed("tests", sqlite(false));
    for dir in ["kernel", "projectors", "command-api", "infra/keystore", "xtask"] {
        refused(dir, sqlite(false));
    }
}

#[test]
fn rooms_on_ports_should_be_tested_on_real_adapters() {
    let sqlite = |for_tests| ours("vaultstream-infra-sqlite", "infra/sqlite", for_tests);
    for dir in [
        "kernel",
        "projectors",
        "workflows",
        "gateway",
        "command-api",
        "query-api",
    ] {
        allowed(dir, sqlite(true));
    }
    for dir in [
        "event-schemas",
        "domain",
        "chains/evm",
        "client",
        "dashboard-web",
        "xtask",
    ] {
        refused(dir, sqlite(true));
    }
}

#[test]
fn adapters_should_prove_themselves_under_the_kernel() {
    allowed("infra/sqlite", ours("vaultstream-kernel", "kernel", true));
    refused("infra/sqlite", ours("vaultstream-kernel", "kernel", false));
    allowed(
        "infra/chains/evm",
        ours("vaultstream-sandbox-evm", "infra/sandbox/evm", true),
    );
    refused(
        "infra/chains/evm",
        ours("vaultstream-sandbox-evm", "infra/sandbox/evm", false),
    );
}

#[test]
fn engines_should_be_started_by_tests_and_know_nothing_of_ours() {
    let engines = |for_tests| ours("vaultstream-engines", "tests/engines", for_tests);
    allowed("infra/postgres", engines(true));
    allowed("tests", engines(false));
    allowed("xtask", engines(false));
    for dir in ["infra/postgres", "kernel", "domain"] {
        refused(dir, engines(false));
    }
    refused("kernel", engines(true));
    refused("tests/engines", ours("vaultstream-domain", "domain", true));
}

#[test]
fn sandbox_should_never_share_our_chain_code() {
    allowed(
        "infra/chains/evm",
        ours("vaultstream-chain-evm", "chains/evm", false),
    );
    refused(
        "infra/sandbox/evm",
        ours("vaultstream-chain-evm", "chains/evm", false),
    );
    refused(
        "infra/sandbox/evm",
        ours("vaultstream-chain-evm", "chains/evm", true),
    );
}

#[test]
fn clients_of_the_outside_should_stay_at_the_wall() {
    allowed("infra/chains/evm", foreign("reqwest", false));
    allowed("client", foreign("reqwest", false));
    allowed("query-api", foreign("tokio-tungstenite", true));
    refused("query-api", foreign("tokio-tungstenite", false));
    refused("command-api", foreign("rusqlite", true));
    refused("projectors", foreign("scylla", false));
    refused("domain", foreign("reqwest", true));
    refused("", foreign("reqwest", false));
    allowed("domain", foreign("serde", false));
}

#[test]
fn unknown_room_should_be_found() {
    refused("attic", foreign("serde", false));
    refused("kernel", ours("attic", "attic", false));
    refused("domainish", foreign("serde", false));
}

#[test]
fn lints_should_be_inherited() {
    assert!(inherits_lints(MANIFEST));
    assert!(!inherits_lints("[package]\n"));
    assert!(!inherits_lints("[lints]\n[dependencies]\nworkspace = true\n"));
}

#[test]
fn finding_should_name_the_line() {
    assert_eq!(line_of(MANIFEST, "x"), 5);
    assert_eq!(line_of("xy = \"1\"\nx = \"1\"\n", "x"), 2);
    assert_eq!(line_of(MANIFEST, "absent"), 0);
}

#[test]
fn metadata_should_be_read() {
    let json = br#"{"packages":[{"manifest_path":"/r/chains/evm/Cargo.toml","dependencies":[
        {"name":"serde","kind":null},
        {"name":"vaultstream-domain","kind":"dev","path":"/r/domain"}]},
        {"manifest_path":"/r/Cargo.toml","dependencies":[]}]}"#;
    let members = members(json, "/r").expect("reads");
    assert_eq!(
        (members[0].dir.as_str(), members[1].dir.as_str()),
        ("chains/evm", "")
    );
    assert_eq!(members[0].needs[1].dir.as_deref(), Some("domain"));
    assert!(members[0].needs[1].for_tests && !members[0].needs[0].for_tests);
}

#[test]
fn rows_should_name_rooms_that_exist() {
    for room in &ROOMS {
        for name in room.may.iter().chain(room.tests_may).filter(|name| **name != "*") {
            assert!(
                ROOMS.iter().any(|other| other.dir == *name),
                "{} names {name}",
                room.name()
            );
        }
    }
}
