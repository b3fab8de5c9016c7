//! Files that are made from the code and committed, so that a change of a published shape is seen in review.
//!
//! The binary's hidden verb `emit` knows how to make each of them; this file knows where they belong. `generate`
//! writes them, `lint` compares byte for byte. Directories are owned whole: a file the binary does not emit is
//! as wrong as one that differs.

use crate::lint::Finding;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// `vaultstream emit <what>` prints the file; for a directory, `emit <what> --out DIR` fills it.
struct Artefact {
    what: &'static str,
    place: &'static str,
    kind: Kind,
}

enum Kind {
    File,
    /// Files with this ending.
    Directory(&'static str),
}

const ARTEFACTS: [Artefact; 4] = [
    Artefact {
        what: "sdl",
        place: "query-api/schema.graphql",
        kind: Kind::File,
    },
    Artefact {
        what: "openapi",
        place: "command-api/openapi.json",
        kind: Kind::File,
    },
    Artefact {
        what: "schemas",
        place: "event-schemas/schemas",
        kind: Kind::Directory(".json"),
    },
    Artefact {
        what: "errors",
        place: "docs/errors/README.md",
        kind: Kind::File,
    },
];

/// File name within the place (empty for a single file) → content.
type Files = BTreeMap<String, Vec<u8>>;

/// The verb: builds the binary and rewrites everything it emits.
pub fn write(paths: &Paths) -> Result<ExitCode> {
    process::run(&mut process::cargo(
        paths,
        "build -p vaultstream --bin vaultstream",
    ))?;
    for artefact in &ARTEFACTS {
        let wanted = emit(paths, artefact)?;
        let place = paths.root.join(artefact.place);
        let found = committed(&place, &artefact.kind)?;
        for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
            fs::remove_file(file_in(&place, name)).with_context(|| format!("cannot remove {name}"))?;
        }
        for (name, content) in wanted
            .iter()
            .filter(|(name, content)| found.get(*name) != Some(*content))
        {
            let file = file_in(&place, name);
            let dir = file.parent().context("a file has a directory")?;
            fs::create_dir_all(dir)?;
            fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
            println!("wrote {}", shown(artefact.place, name));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One finding a file that differs, is missing or is too many; needs the built debug binary.
pub fn check(paths: &Paths) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for artefact in &ARTEFACTS {
        match emit(paths, artefact) {
            Ok(wanted) => {
                let found = committed(&paths.root.join(artefact.place), &artefact.kind)?;
                findings.extend(compare(artefact.place, &wanted, &found));
            }
            Err(error) => findings.push(Finding::new(artefact.place, 0, "generated", format!("{error:#}"))),
        }
    }
    Ok(findings)
}

fn compare(place: &str, wanted: &Files, found: &Files) -> Vec<Finding> {
    let finding = |name: &String, line, message: &str| {
        Finding::new(
            shown(place, name),
            line,
            "generated",
            format!("{message}: run `cargo xtask generate`"),
        )
    };
    let mut findings = Vec::new();
    for (name, content) in wanted {
        match found.get(name) {
            None => findings.push(finding(name, 0, "is not committed")),
            Some(old) if old != content => {
                findings.push(finding(
                    name,
                    first_difference(old, content),
                    "differs from the code",
                ));
            }
            Some(_) => {}
        }
    }
    let extra = found.keys().filter(|name| !wanted.contains_key(*name));
    findings.extend(extra.map(|name| finding(name, 0, "is emitted no more")));
    findings
}

/// The first line, counted from 1, in which the two differ.
fn first_difference(one: &[u8], other: &[u8]) -> usize {
    let mut lines = one
        .split(|byte| *byte == b'\n')
        .zip(other.split(|byte| *byte == b'\n'));
    let same = lines.by_ref().take_while(|(one, other)| one == other).count();
    same + 1
}

fn emit(paths: &Paths, artefact: &Artefact) -> Result<Files> {
    let mut binary = process::command(paths, paths.debug_binary("vaultstream"));
    binary.args(["emit", artefact.what]);
    let Kind::Directory(ending) = artefact.kind else {
        let content = process::capture(&mut binary)?;
        ensure!(
            !content.is_empty(),
            "`vaultstream emit {}` printed nothing",
            artefact.what
        );
        return Ok(Files::from([(String::new(), content)]));
    };
    let out = paths.target.join("emit").join(artefact.what);
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    process::capture(binary.arg("--out").arg(&out))?;
    let files = directory(&out, ending)?;
    ensure!(
        !files.is_empty(),
        "`vaultstream emit {}` wrote nothing",
        artefact.what
    );
    Ok(files)
}

fn committed(place: &Path, kind: &Kind) -> Result<Files> {
    match kind {
        Kind::File if place.is_file() => Ok(Files::from([(String::new(), fs::read(place)?)])),
        Kind::Directory(ending) if place.is_dir() => directory(place, ending),
        Kind::File | Kind::Directory(_) => Ok(Files::new()),
    }
}

fn directory(dir: &Path, ending: &str) -> Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(ending) {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

fn file_in(place: &Path, name: &str) -> std::path::PathBuf {
    if name.is_empty() {
        place.to_path_buf()
    } else {
        place.join(name)
    }
}

fn shown(place: &str, name: &str) -> String {
    if name.is_empty() {
        place.to_owned()
    } else {
        format!("{place}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn equal_files_should_pass() {
        let one = files(&[("a.json", "{}"), ("b.json", "[]")]);
        assert!(compare("dir", &one, &one).is_empty());
    }

    #[test]
    fn each_kind_of_difference_should_be_found() {
        let wanted = files(&[("changed", "one\ntwo\nthree"), ("new", "x"), ("same", "s")]);
        let found = files(&[("changed", "one\n2\nthree"), ("old", "x"), ("same", "s")]);
        let findings = compare("dir", &wanted, &found);
        let facts: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.line)).collect();
        assert_eq!(facts, [("dir/changed", 2), ("dir/new", 0), ("dir/old", 0)]);
    }

    #[test]
    fn longer_file_should_differ_after_its_last_common_line() {
        assert_eq!(first_difference(b"a\nb", b"a\nb\nc"), 3);
        assert_eq!(first_difference(b"", b"a"), 1);
    }

    #[test]
    fn directory_should_own_files_of_its_ending_only() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::write(dir.path().join("a.json"), "{}").expect("writes");
        fs::write(dir.path().join("README.md"), "by hand").expect("writes");
        let found = committed(dir.path(), &Kind::Directory(".json")).expect("reads");
        assert_eq!(found, files(&[("a.json", "{}")]));
        let absent = committed(&dir.path().join("absent"), &Kind::File).expect("absent is empty");
        assert!(absent.is_empty());
    }
}
