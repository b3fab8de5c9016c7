//! What must not be in a tracked file: unfinished work, paths of one machine, registry hosts, download
//! addresses in npm locks, binaries and big files.
//!
//! The words looked for are put together at run time, so that this file does not find itself.

use super::Finding;
use super::limits::TRACKED_BYTES_MAX;
use super::tree::{File, Tree};

/// Files whose content a tool owns.
const LOCK: &str = "Cargo.lock";
/// Where an image may be kept, and of which kind.
const IMAGE_PLACES: [&str; 2] = ["docs/", "tests/"];
const IMAGE_KINDS: [&str; 2] = [".png", ".webp"];
/// Where unfinished work would be hidden; prose may speak of the word.
const CODE_KINDS: [&str; 9] = [
    ".rs", ".js", ".mjs", ".css", ".html", ".toml", ".sh", ".graphql", ".yaml",
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree.files.iter().flat_map(whole_file).collect();
    let unfinished = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let paths = machine_paths();
    let hosts = registry_hosts();
    for (path, text) in tree.texts().filter(|(path, _)| *path != LOCK) {
        let code = CODE_KINDS.iter().any(|kind| path.ends_with(kind));
        let lock = path.ends_with("package-lock.json");
        for (number, line) in (1..).zip(text.lines()) {
            let mut found = |rule, message: String| findings.push(Finding::new(path, number, rule, message));
            if let Some(word) = unfinished.iter().find(|word| code && has_word(line, word)) {
                found(
                    "unfinished",
                    format!("{word}: do it, or say in the docs why it is not done"),
                );
            }
            if let Some(start) = paths.iter().find(|start| names_path(line, start)) {
                found("machine-path", format!("`{start}…` exists on one machine only"));
            }
            if let Some(host) = hosts.iter().find(|host| line.contains(host.as_str())) {
                found(
                    "registry-host",
                    format!("`{host}`: packages are named, never their addresses"),
                );
            }
            if lock && line.trim_start().starts_with("\"resolved\"") {
                found(
                    "lock-address",
                    "run npm with --omit-lockfile-registry-resolved".to_owned(),
                );
            }
        }
    }
    findings
}

fn whole_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.path == LOCK {
        return findings;
    }
    if file.bytes > TRACKED_BYTES_MAX {
        let message = format!("{} bytes, the most is {TRACKED_BYTES_MAX}", file.bytes);
        findings.push(Finding::new(file.path.as_str(), 0, "big-file", message));
    }
    let image = IMAGE_PLACES.iter().any(|place| file.path.starts_with(place))
        && IMAGE_KINDS.iter().any(|kind| file.path.ends_with(kind));
    if file.text.is_none() && !image {
        let message = "a binary file; images may be kept in docs/ and tests/";
        findings.push(Finding::new(file.path.as_str(), 0, "binary-file", message));
    }
    findings
}

fn machine_paths() -> Vec<String> {
    ["root", "home", "Users", "work"]
        .iter()
        .map(|dir| format!("/{dir}/"))
        .collect()
}

fn registry_hosts() -> Vec<String> {
    let hosts = [
        ["static.", "crates.io"],
        ["index.", "crates.io"],
        ["//crates.io", "/api"],
        ["registry.", "npmjs.org"],
        ["registry.", "yarnpkg.com"],
        ["repo.maven", ".apache.org"],
        ["repo1.", "maven.org"],
        ["files.", "pythonhosted.org"],
        ["//pypi", ".org"],
        ["proxy.", "golang.org"],
        ["deb.", "debian.org"],
    ];
    hosts.iter().map(|parts| parts.concat()).collect()
}

/// Whether the word stands alone, not inside a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |at: Option<char>| at.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    line.match_indices(word)
        .any(|(at, _)| !part(line[..at].chars().next_back()) && !part(line[at + word.len()..].chars().next()))
}

/// Whether an absolute path with this start is named; `docs/home/x` and a URL's path are not absolute paths.
fn names_path(line: &str, start: &str) -> bool {
    let inside = |letter: char| letter.is_alphanumeric() || "_-./:~}%$".contains(letter);
    line.match_indices(start)
        .any(|(at, _)| !line[..at].chars().next_back().is_some_and(inside))
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
    fn plain_source_should_pass() {
        assert!(rules("src/main.rs", "//! Runs.\nfn main() {}\n").is_empty());
    }

    #[test]
    fn unfinished_work_should_be_found_in_code_only() {
        let word = ["TO", "DO"].concat();
        assert_eq!(rules("src/main.rs", &format!("// {word}: later")), ["unfinished"]);
        assert!(rules("docs/style.md", &format!("No {word}.")).is_empty());
        assert!(
            rules("src/main.rs", &format!("const {word}S: u8 = 1;")).is_empty(),
            "whole words only"
        );
    }

    #[test]
    fn machine_path_should_be_found() {
        let path = ["/ho", "me/ann/x"].concat();
        assert_eq!(rules("docs/a.md", &format!("see `{path}`")), ["machine-path"]);
        assert!(
            rules("docs/a.md", &format!("see docs{path}")).is_empty(),
            "a relative path is fine"
        );
        assert!(
            rules("docs/a.md", &format!("https://example.org{path}")).is_empty(),
            "a URL is fine"
        );
    }

    #[test]
    fn registry_host_should_be_found_but_in_the_lock() {
        let host = ["registry.", "npmjs.org"].concat();
        assert_eq!(rules("a.json", &format!("https://{host}/x")), ["registry-host"]);
        assert!(rules("Cargo.lock", &host).is_empty());
    }

    #[test]
    fn npm_lock_should_hold_no_addresses() {
        let line = "      \"resolved\": \"https://example.org/x.tgz\",";
        assert_eq!(rules("xtask/npm/test/package-lock.json", line), ["lock-address"]);
        assert!(rules("xtask/npm/test/package-lock.json", "\"integrity\": \"sha512-x\"").is_empty());
    }

    #[test]
    fn binary_should_be_found_but_for_pictures_in_docs() {
        let tree = |path: &str| Tree {
            files: vec![File::new(path, vec![0, 1, 2])],
        };
        assert_eq!(check(&tree("domain/golden.bin"))[0].rule, "binary-file");
        assert_eq!(check(&tree("src/logo.png"))[0].rule, "binary-file");
        assert!(check(&tree("docs/dashboard.png")).is_empty());
    }

    #[test]
    fn big_file_should_be_found() {
        let size = usize::try_from(TRACKED_BYTES_MAX).expect("fits");
        assert!(rules("a.json", &" ".repeat(size)).is_empty());
        assert_eq!(rules("a.json", &" ".repeat(size + 1)), ["big-file"]);
        assert!(rules("Cargo.lock", &" ".repeat(size + 1)).is_empty());
    }
}
