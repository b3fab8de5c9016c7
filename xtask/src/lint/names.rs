//! File names and file tops: no `mod.rs`, no drawer for leftovers, a `//!` that says what the file is for.

use super::Finding;
use super::tree::Tree;

/// Names that say nothing about what is inside.
const NAMELESS: [&str; 10] = [
    "common", "commons", "util", "utils", "helper", "helpers", "types", "manager", "managers", "misc",
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        findings.extend(name(path));
        findings.extend(top(path, text));
    }
    findings
}

fn name(path: &str) -> Option<Finding> {
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .collect();
    if parts.last() == Some(&"mod") {
        let message = "name the file after its module and put it beside the folder";
        return Some(Finding::new(path, 0, "no-mod-rs", message));
    }
    let nameless = parts.iter().find(|part| NAMELESS.contains(part))?;
    let message = format!("`{nameless}` says nothing: name it after what it does");
    Some(Finding::new(path, 0, "nameless", message))
}

fn top(path: &str, text: &str) -> Option<Finding> {
    let first = text.lines().next().unwrap_or_default();
    let says = first
        .strip_prefix("//!")
        .is_some_and(|words| !words.trim().is_empty());
    let message = "the first line must be `//!` and say what the file is for";
    (!says).then(|| Finding::new(path, 1, "file-top", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::of(&[(path, text)]))
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn good_file_should_pass() {
        assert!(rules("domain/src/transfer/decide.rs", "//! Decides.\n").is_empty());
        assert!(
            rules("docs/utils.md", "anything").is_empty(),
            "only Rust sources are named by this rule"
        );
        assert!(rules("domain/src/prototypes.rs", "//! Whole words only.\n").is_empty());
    }

    #[test]
    fn mod_rs_should_be_found() {
        assert_eq!(
            rules("domain/src/transfer/mod.rs", "//! A module.\n"),
            ["no-mod-rs"]
        );
    }

    #[test]
    fn nameless_file_or_folder_should_be_found() {
        assert_eq!(rules("kernel/src/utils.rs", "//! Things.\n"), ["nameless"]);
        assert_eq!(
            rules("kernel/src/helpers/clock.rs", "//! A clock.\n"),
            ["nameless"]
        );
    }

    #[test]
    fn missing_top_should_be_found() {
        assert_eq!(rules("kernel/src/lib.rs", "use a;\n//! late\n"), ["file-top"]);
        assert_eq!(rules("kernel/src/lib.rs", "//!\nuse a;\n"), ["file-top"]);
        assert_eq!(rules("kernel/src/lib.rs", ""), ["file-top"]);
    }
}
