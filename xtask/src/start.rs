//! `cargo xtask start`: from a clone to a running demo, in steps that say how long they took.
//!
//! The last step replaces this process by the product, so that Ctrl-C, SIGTERM and the exit status belong to
//! it with nobody in between.

use crate::paths::Paths;
use crate::steps::Steps;
use crate::{doctor, process, web};
use anyhow::{Result, bail};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

pub fn run(paths: &Paths, rest: &[String]) -> Result<ExitCode> {
    let arguments = after_dashes(rest)?;
    let mut steps = Steps::new(3);
    steps.step("target for the dashboard", || doctor::ensure_wasm_target(paths))?;
    steps.step("dashboard", || web::build(paths).map(|built| println!("{built}")))?;
    steps.step("release binary (some minutes the first time)", || {
        build_release(paths)
    })?;
    let mut serve = std::process::Command::new(paths.release_binary("vaultstream"));
    serve
        .args(["serve", "--demo"])
        .args(arguments)
        .env("VAULTSTREAM_WEB_DIR", paths.web());
    let error = serve.exec();
    bail!("cannot start the binary: {error}")
}

/// The binary people run, also what `bench` measures.
pub fn build_release(paths: &Paths) -> Result<()> {
    process::run(&mut process::cargo(
        paths,
        "build --release -p vaultstream --bin vaultstream",
    ))
}

fn after_dashes(rest: &[String]) -> Result<&[String]> {
    match rest.split_first() {
        None => Ok(&[]),
        Some((first, arguments)) if first == "--" => Ok(arguments),
        Some((first, _)) => bail!("unexpected `{first}`: what the binary gets goes after `--`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn arguments_should_be_handed_on_only_after_dashes() {
        assert!(after_dashes(&[]).expect("none").is_empty());
        let given = words("-- --listen 127.0.0.1:9000");
        assert_eq!(after_dashes(&given).expect("two"), &given[1..]);
        let error = after_dashes(&words("--listen 127.0.0.1:9000")).expect_err("before dashes");
        assert!(error.to_string().contains("after `--`"), "{error}");
    }
}
