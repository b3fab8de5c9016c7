//! `cargo xtask deploy-check`: whether what is under `infra/deploy/` is what the tools of its world accept.
//!
//! The folder has its own script, which uses what is on the `PATH`; here its tools are built from their Go modules
//! and put there: helm, kubeconform, promtool, and Kubernetes' own definitions of its objects. What the script cannot
//! see is added: promtool parses every expression of the Grafana dashboards, and the compose file is read by the
//! library that Docker reads it with. A part that is not there is skipped and named. Not part of `test`: it needs Go,
//! and building the tools takes minutes the first time.

mod expressions;
mod tools;

use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tools::Tool;

const DEPLOY: &str = "infra/deploy";

/// One thing to look at; `Ok(false)` where it is not there.
type Check = fn(&Paths, &Path) -> Result<bool>;

const CHECKS: [(&str, Check); 3] = [
    ("chart and rules (check.sh)", script),
    ("expressions of the dashboards", dashboards),
    ("compose file", compose),
];

pub fn run(paths: &Paths) -> Result<ExitCode> {
    tools::require_go()?;
    let deploy = paths.root.join(DEPLOY);
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        match check(paths, &deploy) {
            Ok(true) => println!("deploy-check: {name}: fine"),
            Ok(false) => println!("deploy-check: {name}: SKIPPED, there is none under {DEPLOY}"),
            Err(error) => {
                println!("deploy-check: {name}: FAILED: {error:#}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("deploy-check: not accepted: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn script(paths: &Paths, deploy: &Path) -> Result<bool> {
    let script = deploy.join("check.sh");
    if !script.is_file() {
        return Ok(false);
    }
    if process::find_program(&["jq"]).is_none() {
        bail!("jq is missing; run: sudo apt-get install -y jq");
    }
    let mut dirs = Vec::new();
    for tool in [Tool::Helm, Tool::Kubeconform, Tool::Promtool] {
        let program = tools::ensure(paths, tool)?;
        dirs.extend(program.parent().map(Path::to_path_buf));
    }
    dirs.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let path = env::join_paths(dirs).context("a directory of the PATH has a colon in its name")?;
    let mut check = process::command(paths, "sh");
    check.arg(script).env("PATH", path);
    process::run(check.env("KUBERNETES", tools::kubernetes(paths)?))?;
    Ok(true)
}

fn dashboards(paths: &Paths, deploy: &Path) -> Result<bool> {
    let files = files(&deploy.join("grafana"), ".json")?;
    if files.is_empty() {
        return Ok(false);
    }
    let mut rules = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        rules.extend(expressions::in_dashboard(&name, &text)?);
    }
    if rules.is_empty() {
        bail!("{} dashboards without one expression", files.len());
    }
    let scratch = tempfile::tempdir().context("no temporary directory")?;
    let file = scratch.path().join("expressions.yaml");
    fs::write(&file, expressions::as_rules(&rules)).context("cannot write the expressions")?;
    let mut promtool = process::command(paths, tools::ensure(paths, Tool::Promtool)?);
    // Two panels may well ask the same: only the syntax is judged.
    process::run(promtool.args(["check", "rules", "--lint=none"]).arg(&file))?;
    Ok(true)
}

fn compose(paths: &Paths, deploy: &Path) -> Result<bool> {
    let file = deploy.join("compose.yaml");
    if !file.is_file() {
        return Ok(false);
    }
    let mut compose = process::command(paths, tools::ensure(paths, Tool::Compose)?);
    // Values are a person's; the shape of the file is ours.
    compose.current_dir(deploy).arg("-no-interpolation").arg(&file);
    // It prints the whole project again; only its verdict matters.
    process::capture(&mut compose)?;
    Ok(true)
}

/// The files of a directory with this end of their name, in order; none where there is no directory.
fn files(dir: &Path, end: &str) -> Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry
            .with_context(|| format!("cannot list {}", dir.display()))?
            .path();
        if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_should_be_chosen_by_the_end_of_their_name() {
        let dir = tempfile::tempdir().expect("temp dir");
        for name in ["b.json", "a.json", "a.yaml"] {
            fs::write(dir.path().join(name), "").expect("writes");
        }
        let names: Vec<_> = files(dir.path(), ".json").expect("lists");
        assert_eq!(names, [dir.path().join("a.json"), dir.path().join("b.json")]);
        assert!(
            files(&dir.path().join("absent"), ".json")
                .expect("none")
                .is_empty()
        );
    }
}
