//! `cargo xtask coverage`: which lines of the product the tests run, by crate; fails below the gate.
//!
//! The workspace's crates are compiled with `-C instrument-coverage`, others as always, in a target directory of their
//! own. Counters live in files that are mapped into every process, so that what a killed process ran counts as well, and
//! all processes of one binary share a file. Not counted: tests, wherever they stand; the dashboard, which runs in
//! browsers; xtask. What is counted but never runs here is counted as not run.

mod lines;

use crate::engines::{self, running::Running};
use crate::paths::Paths;
use crate::test::SELECTION;
use crate::{process, test, web};
use anyhow::{Context, Result, bail, ensure};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// Of a hundred lines of the product, so many run in tests.
pub const LINES_PERCENT_MIN: u64 = 80;
/// Where it is built and measured, in the cache.
const TARGET: &str = "target-coverage";
/// Set where this program stands before rustc for each crate of the workspace. No shell script does: `sh` drops variables
/// such as `CARGO_BIN_EXE_a-b` from the environment.
pub const INSTRUMENTS: &str = "XTASK_INSTRUMENTS";
/// The copy of this program that does: cargo may build the other one again meanwhile.
const WRAPPER: &str = "instrumenting-xtask";
/// What each of them is compiled with.
const FLAGS: [&str; 4] = [
    "-C",
    "instrument-coverage",
    "-C",
    "llvm-args=--runtime-counter-relocation",
];

/// Becomes the compiler that `args` begin with.
pub fn instrument(args: &[String]) -> Result<ExitCode> {
    let (rustc, rest) = args
        .split_first()
        .context("cargo gives a compiler and its arguments")?;
    Err(Command::new(rustc).args(rest).args(FLAGS).exec()).with_context(|| format!("cannot start {rustc}"))
}

pub fn run(paths: &Paths, rest: &[String]) -> Result<ExitCode> {
    let only_report = is_report(rest)?;
    let tools = tools(paths)?;
    let apart = paths.with_target(paths.scratch_target(TARGET));
    let profiles = apart.target.join("profiles");
    let mut tests_passed = true;
    if !only_report {
        let _ = fs::remove_dir_all(&profiles);
        fs::create_dir_all(&profiles).context("cannot make a directory for counters")?;
        let itself = env::current_exe().context("this program has no path")?;
        fs::copy(itself, apart.target.join(WRAPPER)).context("cannot copy this program")?;
        tests_passed = measure(paths, &apart, &profiles)?;
    }
    let summary = report(&apart, &tools, &profiles)?;
    println!("\n{summary}");
    let percent = summary.percent();
    println!("{percent:.1} % of the product's lines run in tests; the gate is {LINES_PERCENT_MIN} %");
    if !tests_passed {
        println!("tests failed: what they would have run is not counted");
    }
    let passed = tests_passed && summary.reaches(LINES_PERCENT_MIN);
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether only what an earlier run left is to be read.
fn is_report(rest: &[String]) -> Result<bool> {
    match rest {
        [] => Ok(false),
        [word] if word == "--report" => Ok(true),
        _ => bail!("unexpected {rest:?}: this verb takes `--report`, which reads what an earlier run left"),
    }
}

/// A cargo that instruments the workspace.
fn cargo(paths: &Paths, profiles: &Path, words: &str) -> Result<Command> {
    let mut command = process::cargo(paths, words);
    command
        .env("RUSTC_WORKSPACE_WRAPPER", paths.target.join(WRAPPER))
        .env(INSTRUMENTS, "1")
        .env("CARGO_INCREMENTAL", "0")
        // One file a binary, shared by its processes and kept up to date while they run.
        .env("LLVM_PROFILE_FILE", profiles.join("%m%c.profraw"));
    Ok(command)
}

/// Runs the product's tests as `cargo xtask test` does; whether they passed. The dashboard is the ordinary one: what runs
/// in browsers is not counted.
fn measure(paths: &Paths, apart: &Paths, profiles: &Path) -> Result<bool> {
    println!("{}", web::build(paths)?);
    process::run(&mut cargo(
        apart,
        profiles,
        &format!("build {SELECTION} --bins --tests"),
    )?)?;
    let engines = engines::ensure(paths).context("the tests need their engines")?;
    let running = Running::start().context("the tests need running engines")?;
    let mut tests = cargo(apart, profiles, &format!("test {SELECTION} --no-fail-fast"))?;
    test::equip(&mut tests, paths, &engines);
    running.equip(&mut tests);
    tests
        .env("VAULTSTREAM_BIN", apart.debug_binary("vaultstream"))
        .env(
            "VAULTSTREAM_SANDBOX_EVM_BIN",
            apart.debug_binary("vaultstream-sandbox-evm"),
        );
    match process::run(&mut tests) {
        Ok(()) => Ok(true),
        Err(error) => {
            println!("{error:#}");
            Ok(false)
        }
    }
}

/// LLVM's own tools, of the compiler's version.
struct Tools {
    profdata: PathBuf,
    cov: PathBuf,
}

fn tools(paths: &Paths) -> Result<Tools> {
    let mut rustc = process::command(paths, "rustc");
    let printed = process::capture(rustc.args(["--print", "target-libdir"]))?;
    let lib = PathBuf::from(String::from_utf8_lossy(&printed).trim());
    let bin = lib
        .parent()
        .context("the library has a directory above it")?
        .join("bin");
    let tools = Tools {
        profdata: bin.join("llvm-profdata"),
        cov: bin.join("llvm-cov"),
    };
    if !tools.profdata.is_file() {
        let mut rustup = process::command(paths, "rustup");
        process::run(rustup.args(["component", "add", "llvm-tools"]))
            .context("the component llvm-tools of the Rust toolchain is needed")?;
    }
    ensure!(tools.cov.is_file(), "there is no llvm-cov in {}", bin.display());
    Ok(tools)
}

fn report(paths: &Paths, tools: &Tools, profiles: &Path) -> Result<lines::Summary> {
    let raw = files(profiles, |name| name.ends_with(".profraw"))?;
    ensure!(
        !raw.is_empty(),
        "no counters in {}; run this verb without --report",
        profiles.display()
    );
    let merged = profiles.join("merged.profdata");
    let mut merge = process::command(paths, &tools.profdata);
    process::run(
        merge
            .args(["merge", "--sparse", "--failure-mode=all", "-o"])
            .arg(&merged)
            .args(&raw),
    )?;
    let deps = paths.target.join("debug/deps");
    let mut objects = files(&deps, |name| !name.contains('.'))?;
    objects.retain(|file| fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0));
    ensure!(!objects.is_empty(), "no binaries in {}", deps.display());
    let mut export = process::command(paths, &tools.cov);
    export
        .args(["export", "--format=lcov", "--instr-profile"])
        .arg(&merged);
    for object in &objects {
        export.arg("--object").arg(object);
    }
    let lcov = process::capture(&mut export)?;
    lines::Summary::read(&paths.root, &String::from_utf8_lossy(&lcov))
}

fn files(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files
        .filter(|file| {
            file.is_file()
                && file
                    .file_name()
                    .is_some_and(|name| wanted(&name.to_string_lossy()))
        })
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verb_should_take_its_one_word_and_no_other() {
        let read = |words: &[&str]| is_report(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert!(!read(&[]).expect("a whole run"));
        assert!(read(&["--report"]).expect("what is there"));
        for words in [&["--gate"][..], &["--report", "--report"], &["kernel"]] {
            let error = read(words).expect_err("not a word of this verb");
            assert!(error.to_string().contains("--report"), "{error}");
        }
    }

    #[test]
    fn counters_should_be_told_from_what_lies_beside_them() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["b.profraw", "a.profraw", "merged.profdata"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        fs::create_dir(dir.path().join("c.profraw")).expect("made");
        let found = files(dir.path(), |name| name.ends_with(".profraw")).expect("read");
        assert_eq!(
            found,
            [dir.path().join("a.profraw"), dir.path().join("b.profraw")]
        );
        assert!(files(&dir.path().join("gone"), |_| true).is_err());
    }
}
