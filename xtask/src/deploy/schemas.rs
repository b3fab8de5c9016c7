//! Kubernetes' own definitions of its objects, as kubeconform wants them: one file a kind, each whole in itself.
//!
//! They come with the Go module of Kubernetes, so that no other registry is asked. A key that a definition does not
//! know is refused, because a misspelt one would be ignored silently by many a cluster.

use crate::deploy::tools;
use crate::engines::install;
use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const MODULE: &str = "k8s.io/kubernetes";
const VERSION: &str = "v1.34.4";
const REFERENCE: &str = "#/definitions/";

/// The directory of the files.
pub fn ensure(paths: &Paths) -> Result<PathBuf> {
    let place = paths.tools().join(format!("kubernetes-schemas-{VERSION}"));
    install::once(&place, |dir| {
        tools::require_go()?;
        let mut go = process::command(paths, "go");
        go.current_dir(dir).args(["mod", "download", "-json"]);
        let said = process::capture(go.arg(format!("{MODULE}@{VERSION}")))?;
        let said: Value = serde_json::from_slice(&said).context("go did not answer with JSON")?;
        let module = said["Dir"].as_str().context("go names no directory")?;
        let file = Path::new(module).join("api/openapi-spec/swagger.json");
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for (name, schema) in schemas(&text)? {
            let bytes = serde_json::to_vec(&schema).context("a schema is not JSON")?;
            fs::write(dir.join(&name), bytes).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(())
    })?;
    Ok(place)
}

/// Where kubeconform finds a kind.
pub fn template(dir: &Path) -> String {
    format!(
        "{}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json",
        dir.display()
    )
}

fn schemas(swagger: &[u8]) -> Result<Vec<(String, Value)>> {
    let mut swagger: Value = serde_json::from_slice(swagger).context("the definitions are not JSON")?;
    let mut definitions = match swagger["definitions"].take() {
        Value::Object(definitions) => definitions,
        _ => anyhow::bail!("the file has no definitions"),
    };
    for (name, definition) in &mut definitions {
        refuse_unknown(name, definition);
    }
    let mut files = Vec::new();
    for (name, definition) in &definitions {
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        for kind in kinds.into_iter().flatten() {
            if let Some(file) = file_name(kind) {
                let reference = format!("{REFERENCE}{name}");
                let schema = json!({ "$ref": reference, "definitions": closure(name, &definitions) });
                files.push((file, schema));
            }
        }
    }
    Ok(files)
}

/// `networkpolicy-networking-v1.json`; the core group has no name.
fn file_name(kind: &Value) -> Option<String> {
    let (group, version) = (kind["group"].as_str()?, kind["version"].as_str()?);
    let group = group.split('.').next().filter(|group| !group.is_empty());
    let group = group.map_or_else(String::new, |group| format!("-{group}"));
    let kind = kind["kind"].as_str()?.to_lowercase();
    Some(format!("{kind}{group}-{version}.json"))
}

/// Closes an object's list of keys. Two definitions say "string" and mean "or a number".
fn refuse_unknown(name: &str, definition: &mut Value) {
    if name.ends_with(".IntOrString") || name.ends_with(".Quantity") {
        *definition = json!({ "type": ["string", "number"] });
    } else if definition["properties"].is_object() && definition["additionalProperties"].is_null() {
        definition["additionalProperties"] = Value::Bool(false);
    }
}

/// The definition and all it refers to.
fn closure(name: &str, definitions: &Map<String, Value>) -> Map<String, Value> {
    let mut wanted = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    let mut found = Map::new();
    while let Some(name) = wanted.pop() {
        if let Some(definition) = definitions.get(&name).filter(|_| seen.insert(name.clone())) {
            references(definition, &mut wanted);
            found.insert(name, definition.clone());
        }
    }
    found
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let reference = map.get("$ref").and_then(Value::as_str);
            found.extend(
                reference
                    .and_then(|text| text.strip_prefix(REFERENCE))
                    .map(str::to_owned),
            );
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWAGGER: &str = r##"{"definitions": {
        "api.Policy": {
            "properties": {"spec": {"$ref": "#/definitions/api.Spec"}},
            "x-kubernetes-group-version-kind": [
                {"group": "networking.k8s.io", "kind": "NetworkPolicy", "version": "v1"}]},
        "api.Pod": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}]},
        "api.Spec": {"properties": {"port": {"$ref": "#/definitions/util.IntOrString"},
            "again": {"items": {"$ref": "#/definitions/api.Spec"}}}},
        "util.IntOrString": {"type": "string"}}}"##;

    #[test]
    fn each_kind_should_have_a_file_that_is_whole_and_closed() {
        let files = schemas(SWAGGER.as_bytes()).expect("reads");
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["pod-v1.json", "networkpolicy-networking-v1.json"]);
        let policy = &files[1].1;
        let held = policy["definitions"].as_object().expect("an object");
        assert_eq!(held.len(), 3, "itself and what it refers to, a circle included");
        assert_eq!(held["api.Spec"]["additionalProperties"], false);
        assert_eq!(held["util.IntOrString"]["type"][1], "number");
        assert!(schemas(b"{}").is_err());
    }
}
