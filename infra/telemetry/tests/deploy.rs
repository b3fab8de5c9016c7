//! What `infra/deploy` says of metrics is true: every name in rules, dashboards, the chart and runbooks is a sample that
//! is written, every alert has its page, and every page its alert.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vaultstream_infra_telemetry::{Kind, Metrics};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Names of the form `vaultstream_…` that are followed by nothing a name goes on with.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.match_indices("vaultstream_")
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| word(c) || c == '/' || c == '-'))
        .map(|(at, _)| text[at..].chars().take_while(|c| word(*c)).collect())
        .collect()
}

/// Samples, and the names recording rules give to what they make of them.
fn known() -> BTreeSet<String> {
    Metrics::new()
        .described()
        .iter()
        .flat_map(|one| {
            let mut samples = one.samples();
            // dashboards and pages may speak of a histogram as a whole
            if one.kind == Kind::Histogram {
                samples.push(one.name.clone());
            }
            samples
        })
        .collect()
}

#[test]
fn every_metric_that_is_named_should_exist() {
    let mut all = Vec::new();
    files(&root().join("infra/deploy"), &mut all);
    files(&root().join("docs/runbooks"), &mut all);
    let known = known();
    let mut seen = 0;
    for path in all {
        for name in names(&read(&path)) {
            // a family of names, written with an ellipsis or a star
            if name.ends_with('_') {
                continue;
            }
            seen += 1;
            assert!(known.contains(&name), "{}: {name} is no sample", path.display());
        }
    }
    assert!(
        seen > 60,
        "only {seen} names were found; is the folder where it was?"
    );
}

/// The value of `key: value` on a line, without quotes.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.trim().trim_start_matches("- ").strip_prefix(key)?;
    Some(rest.strip_prefix(':')?.trim().trim_matches('"'))
}

#[test]
fn every_alert_should_have_its_page_and_every_page_its_alert() {
    let rules = read(&root().join("infra/deploy/prometheus/vaultstream.rules.yaml"));
    let tests = read(&root().join("infra/deploy/prometheus/vaultstream.rules.test.yaml"));
    let mut pages = BTreeSet::new();
    let mut alert = None;
    for line in rules.lines() {
        if let Some(name) = value(line, "alert") {
            assert_eq!(alert, None, "an alert before {name} has no runbook_url");
            assert!(
                tests.contains(&format!("alertname: {name}\n")),
                "{name} has no unit test"
            );
            alert = Some(name);
        }
        if let Some(url) = value(line, "runbook_url") {
            let name = alert.take().expect("a runbook_url belongs to an alert");
            let page = url.rsplit('/').next().unwrap_or_default();
            let path = root().join("docs/runbooks").join(page);
            let text = read(&path);
            for part in [name, "## What it means", "## What to look at", "## What to do"] {
                assert!(text.contains(part), "{page} does not say `{part}`");
            }
            pages.insert(page.to_owned());
        }
    }
    assert_eq!(alert, None, "the last alert has no runbook_url");
    let mut all = Vec::new();
    files(&root().join("docs/runbooks"), &mut all);
    for path in all {
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .expect("a name")
            .to_owned();
        assert!(
            name == "README.md" || pages.contains(&name),
            "no alert leads to docs/runbooks/{name}"
        );
    }
    assert!(pages.len() > 10, "{} pages", pages.len());
}

/// The roles of the binary, as `src/roles.rs` spells them.
fn roles() -> Vec<String> {
    let source = read(&root().join("src/roles.rs"));
    let words = source.lines().filter_map(|line| {
        let (variant, word) = line.trim().split_once(" => \"")?;
        variant
            .starts_with("Self::")
            .then(|| word.trim_end_matches("\","))
    });
    words.filter(|word| *word != "all").map(str::to_owned).collect()
}

#[test]
fn every_role_should_have_a_deployment_and_a_container_and_nothing_else_should() {
    let deploy = root().join("infra/deploy");
    let values = read(&deploy.join("helm/vaultstream/values.yaml"));
    let compose = read(&deploy.join("compose.yaml"));
    let scrape = read(&deploy.join("prometheus/prometheus.yaml"));
    let roles = roles();
    assert!(roles.len() > 5, "{roles:?}");
    for role in &roles {
        assert!(compose.contains(&format!("--role={role}\"")), "compose: {role}");
        if role != "migrate" {
            assert!(
                values.contains(&format!("\n  {role}:\n    replicas:")),
                "values: {role}"
            );
            assert!(scrape.contains(&format!("- {role}:8080")), "scrape: {role}");
        }
    }
    for (at, _) in compose.match_indices("--role=") {
        let named = compose[at + 7..].split('"').next().unwrap_or_default();
        assert!(roles.iter().any(|role| role == named), "compose runs {named}");
    }
    let deployments = values.matches("\n    replicas:").count();
    assert_eq!(deployments, roles.len() - 1, "the chart runs other roles too");
}

#[test]
fn chart_and_prometheus_should_hold_the_same_rules() {
    let deploy = root().join("infra/deploy");
    assert_eq!(
        read(&deploy.join("prometheus/vaultstream.rules.yaml")),
        read(&deploy.join("helm/vaultstream/rules/vaultstream.rules.yaml")),
        "copy the first over the second"
    );
}
