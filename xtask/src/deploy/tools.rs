//! Tools that are built from their Go modules, each once a version, into the tool cache.

use crate::engines::install;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Helm,
    Kubeconform,
    Promtool,
    /// Reads a compose file as Docker does; the module calls its program `cmd`.
    Compose,
}

impl Tool {
    /// Name of the cache, program, package and version.
    fn source(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Helm => ("helm", "helm", "helm.sh/helm/v3/cmd/helm", "v3.22.0"),
            Self::Kubeconform => (
                "kubeconform",
                "kubeconform",
                "github.com/yannh/kubeconform/cmd/kubeconform",
                "v0.8.0",
            ),
            Self::Promtool => (
                "promtool",
                "promtool",
                "github.com/prometheus/prometheus/cmd/promtool",
                "v0.316.0",
            ),
            Self::Compose => (
                "compose",
                "cmd",
                "github.com/compose-spec/compose-go/v2/cmd",
                "v2.16.2",
            ),
        }
    }
}

/// The program, built when it was not there.
pub fn ensure(paths: &Paths, tool: Tool) -> Result<PathBuf> {
    let (name, program, package, version) = tool.source();
    let place = paths.tools().join(format!("{name}-{version}"));
    install::once(&place, |dir| {
        require_go()?;
        println!("building {name} {version}: minutes, once");
        let mut go = process::command(paths, "go");
        go.current_dir(dir).env("GOBIN", dir);
        go.args(["install", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]);
        process::run(go.arg(format!("{package}@{version}")))
            .with_context(|| format!("{name} could not be built"))
    })?;
    Ok(place.join(program))
}

/// Says what to do where Go is not there; Debian's is too old for these modules, so nothing is installed.
pub fn require_go() -> Result<()> {
    if process::find_program(&["go"]).is_none() {
        bail!("no go on the PATH: install Go 1.26 or newer, the tools are built from their Go modules");
    }
    Ok(())
}
