//! `cargo xtask deploy-check`: whether what is under `infra/deploy/` is what the tools of its world accept.
//!
//! helm lints and renders the chart, kubeconform holds every rendered object against Kubernetes' own published
//! definitions, promtool reads the rules, runs their tests and parses every expression of the Grafana dashboards.
//! A part that is not there is skipped and named. Not part of `test`: it needs Go, and building the three tools
//! takes minutes the first time.

mod expressions;
mod schemas;
mod tools;

use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tools::Tool;

const DEPLOY: &str = "infra/deploy";
const RELEASE: &str = "vaultstream";

/// One thing to look at; `Ok(false)` where it is not there.
type Check = fn(&Paths, &Path) -> Result<bool>;

const CHECKS: [(&str, Check); 5] = [
    ("chart", chart),
    ("rules", rules),
    ("tests of the rules", rule_tests),
    ("dashboards", dashboards),
    ("compose file", compose),
];

pub fn run(paths: &Paths) -> Result<ExitCode> {
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

/// Renders it with its own values and with each file under `ci/`, as helm's chart testing names them.
fn chart(paths: &Paths, deploy: &Path) -> Result<bool> {
    let chart = deploy.join("helm").join(RELEASE);
    if !chart.join("Chart.yaml").is_file() {
        return Ok(false);
    }
    let helm = tools::ensure(paths, Tool::Helm)?;
    let schemas = schemas::ensure(paths)?;
    let kubeconform = tools::ensure(paths, Tool::Kubeconform)?;
    let mut variants: Vec<Option<PathBuf>> = vec![None];
    variants.extend(files(&chart.join("ci"), "-values.yaml")?.into_iter().map(Some));
    for values in variants {
        let with = |command: &mut Command| {
            if let Some(values) = &values {
                command.arg("--values").arg(values);
            }
        };
        let mut lint = process::command(paths, &helm);
        with(lint.args(["lint", "--strict"]).arg(&chart));
        process::run(&mut lint)?;
        let mut template = process::command(paths, &helm);
        with(template.args(["template", RELEASE]).arg(&chart));
        let rendered = process::capture(&mut template)?;
        let scratch = tempfile::tempdir().context("no temporary directory")?;
        let file = scratch.path().join("rendered.yaml");
        fs::write(&file, rendered).context("cannot write what helm rendered")?;
        let mut conform = process::command(paths, &kubeconform);
        // Objects of operators (monitors, scalers) have definitions of their own, which are not published with Kubernetes.
        conform.args([
            "-strict",
            "-summary",
            "-verbose",
            "-ignore-missing-schemas",
            "-schema-location",
        ]);
        conform.arg(schemas::template(&schemas));
        process::run(conform.arg(&file))?;
    }
    Ok(true)
}

fn rules(paths: &Paths, deploy: &Path) -> Result<bool> {
    promtool(paths, "check", &files(&deploy.join("prometheus"), ".rules.yaml")?)
}

fn rule_tests(paths: &Paths, deploy: &Path) -> Result<bool> {
    promtool(
        paths,
        "test",
        &files(&deploy.join("prometheus"), ".rules.test.yaml")?,
    )
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
    promtool(paths, "check", &[file])
}

fn promtool(paths: &Paths, verb: &str, files: &[PathBuf]) -> Result<bool> {
    if files.is_empty() {
        return Ok(false);
    }
    let tool = tools::ensure(paths, Tool::Promtool)?;
    let mut promtool = process::command(paths, tool);
    process::run(promtool.args([verb, "rules"]).args(files))?;
    Ok(true)
}

fn compose(paths: &Paths, deploy: &Path) -> Result<bool> {
    let file = deploy.join("compose.yaml");
    if !file.is_file() {
        return Ok(false);
    }
    let tool = tools::ensure(paths, Tool::Compose)?;
    let mut compose = process::command(paths, tool);
    // What it prints is the whole project again; only its verdict matters.
    process::capture(compose.current_dir(deploy).arg(&file))?;
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
        for name in ["b.rules.yaml", "a.rules.yaml", "a.rules.test.yaml"] {
            fs::write(dir.path().join(name), "").expect("writes");
        }
        let names: Vec<_> = files(dir.path(), ".rules.yaml").expect("lists");
        assert_eq!(
            names,
            [dir.path().join("a.rules.yaml"), dir.path().join("b.rules.yaml")]
        );
        assert!(
            files(&dir.path().join("absent"), ".yaml")
                .expect("none")
                .is_empty()
        );
    }
}
