//! Tools that are built from their Go modules, each once a version, into the tool cache.

use crate::engines::install;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Helm,
    Kubeconform,
    Promtool,
    /// Reads a compose file as Docker does.
    Compose,
}

/// What one is built from.
struct Source {
    name: &'static str,
    package: &'static str,
    version: &'static str,
}

/// The Kubernetes whose definitions the chart is held against.
const KUBERNETES: &str = "k8s.io/kubernetes@v1.34.4";

impl Tool {
    fn source(self) -> Source {
        let (name, package, version) = match self {
            Self::Helm => ("helm", "helm.sh/helm/v3/cmd/helm", "v3.19.2"),
            Self::Kubeconform => (
                "kubeconform",
                "github.com/yannh/kubeconform/cmd/kubeconform",
                "v0.8.0",
            ),
            Self::Promtool => (
                "promtool",
                "github.com/prometheus/prometheus/cmd/promtool",
                "v0.309.0",
            ),
            Self::Compose => ("compose", "github.com/compose-spec/compose-go/v2/cmd", "v2.16.2"),
        };
        Source {
            name,
            package,
            version,
        }
    }
}

/// The program, built when it was not there.
pub fn ensure(paths: &Paths, tool: Tool) -> Result<PathBuf> {
    let Source {
        name,
        package,
        version,
    } = tool.source();
    let place = paths.tools().join(format!("{name}-{version}"));
    install::once(&place, |dir| {
        require_go()?;
        println!("building {name} {version}: this takes minutes, once");
        // `go install` refuses modules that exclude others' versions, as Prometheus does; a module that needs it may.
        let module = tempfile::tempdir().context("no temporary directory")?;
        let go = |words: &[&str]| {
            let mut go = process::command(paths, "go");
            // No C compiler has a say in tools that only read files.
            go.current_dir(module.path()).env("CGO_ENABLED", "0").args(words);
            process::run(&mut go).with_context(|| format!("{name} could not be built"))
        };
        go(&["mod", "init", "tool"])?;
        go(&["get", &format!("{package}@{version}")])?;
        let output = dir.join(name);
        go(&[
            "build",
            "-buildvcs=false",
            "-o",
            &output.to_string_lossy(),
            package,
        ])
    })?;
    Ok(place.join(name))
}

/// The module of Kubernetes, unpacked by Go into its own cache.
pub fn kubernetes(paths: &Paths) -> Result<PathBuf> {
    let mut go = process::command(paths, "go");
    // Outside of any module of ours.
    go.current_dir(paths.tools());
    let said = process::capture(go.args(["mod", "download", "-json", KUBERNETES]))?;
    let said: Value = serde_json::from_slice(&said).context("go did not answer with JSON")?;
    let dir = said["Dir"]
        .as_str()
        .context("go names no directory of the module")?;
    Ok(dir.into())
}

/// Says what to do where Go is not there; Debian's is too old for these modules, so nothing is installed.
pub fn require_go() -> Result<()> {
    if process::find_program(&["go"]).is_none() {
        bail!("no go on the PATH: install Go 1.26 or newer, the tools are built from their Go modules");
    }
    Ok(())
}
