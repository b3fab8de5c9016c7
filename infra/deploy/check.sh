#!/bin/sh
# Checks what can be checked of this folder without a cluster: the chart (helm, kubeconform), the rules and the scrape
# (promtool), the form of the dashboards (jq), the compose file where Docker has Compose. Tools come from PATH; what is not
# there is said and left out, and the exit status is 1 when something that ran was refused. `cargo xtask deploy-check`
# builds the tools and runs this.
#
#   KUBERNETES=/path/to/k8s.io/kubernetes@v1.34.x sh infra/deploy/check.sh
#
# KUBERNETES is a checkout (or the Go module) of Kubernetes: its OpenAPI document is what manifests are checked against.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
chart=$here/helm/vaultstream
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
version=1.34.0

has() { command -v "$1" > /dev/null 2>&1 || { echo "left out: $1 is not installed"; return 1; }; }
check() { echo "- $1"; shift; "$@" || { echo "  REFUSED"; failed=1; }; }
render() { helm template v "$chart" --kube-version "$version" "$@"; }
rendered() { file=$1; shift; render "$@" > "$file"; }

# $1 is what the chart's schema must refuse, the rest how it is asked for.
refused() {
  what=$1; shift
  if render "$@" > "$scratch/out" 2>&1; then echo "  accepted: $what"; return 1; fi
  grep -q "don't meet the specifications" "$scratch/out" || { cat "$scratch/out"; return 1; }
}

# One file a kind with all definitions inside; nothing unknown may stand in an object with named properties.
schemas() {
  swagger=$KUBERNETES/api/openapi-spec/swagger.json
  jq -c '.definitions | walk(if type == "object" and .format? == "int-or-string" then {oneOf: [{type: "string"}, {type: "integer"}]}
        elif type == "object" and (.properties? | type) == "object" and (has("additionalProperties") | not)
        then .additionalProperties = false else . end)' "$swagger" > "$scratch/definitions"
  jq -r '.definitions | to_entries[] | .key as $k | .value["x-kubernetes-group-version-kind"]?[]? |
        [$k, (.kind | ascii_downcase), .group, .version] | join("|")' "$swagger" |
  while IFS="|" read -r name kind group of; do
    case $kind in
      configmap|service|serviceaccount|deployment|job|networkpolicy|poddisruptionbudget|horizontalpodautoscaler) ;;
      *) continue ;;
    esac
    # The core group has no name; kubeconform then says the version.
    group=${group:-$of}
    jq -c --arg name "$name" '{"$ref": ("#/definitions/" + $name), definitions: .}' "$scratch/definitions" \
      > "$scratch/$kind-$group-$of.json"
  done
}
# Objects of the Prometheus operator and of the Gateway API have definitions of their own, published elsewhere.
conform() {
  kubeconform -strict -summary -skip HTTPRoute,PodMonitor,PrometheusRule \
    -schema-location "$scratch/{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json" "$1"
}
misspelt() {
  sed 's/readOnlyRootFilesystem/readOnlyRootFileSystem/' "$1" > "$scratch/misspelt.yaml"
  ! conform "$scratch/misspelt.yaml" > /dev/null
}

if has helm; then
  check "helm lint" helm lint --strict "$chart"
  check "helm template, as it comes" rendered "$scratch/defaults.yaml"
  for values in "$chart"/ci/*-values.yaml; do
    name=$(basename "$values" -values.yaml)
    check "helm template, $name" rendered "$scratch/$name.yaml" --values "$values"
  done
  check "an unknown role is refused" refused "an unknown role" --set roles.typo.replicas=1
  check "an unknown value is refused" refused "an unknown value" --set replicas=3
  check "root is refused" refused "a root user" --set podSecurityContext.runAsUser=0
  check "a secret with the name of a configuration key is refused" refused "VAULTSTREAM_X" \
    --set secretEnv.VAULTSTREAM_X.secret=s --set secretEnv.VAULTSTREAM_X.key=k
  if has kubeconform && has jq && [ -n "${KUBERNETES:-}" ]; then
    schemas
    for manifests in "$scratch"/*.yaml; do
      check "kubeconform, $(basename "$manifests" .yaml)" conform "$manifests"
    done
    check "kubeconform sees a misspelt field" misspelt "$scratch/defaults.yaml"
  else
    echo "left out: manifests against Kubernetes' definitions (needs kubeconform, jq and KUBERNETES)"
  fi
fi
if has promtool; then
  check "promtool check rules" promtool check rules "$here/prometheus/vaultstream.rules.yaml"
  check "promtool test rules" promtool test rules "$here/prometheus/vaultstream.rules.test.yaml"
  sed "s#/etc/prometheus/#$here/prometheus/#" "$here/prometheus/prometheus.yaml" > "$scratch/prometheus.yml"
  check "promtool check config" promtool check config "$scratch/prometheus.yml"
fi
if has jq; then
  for dashboard in "$here"/grafana/*.json; do
    check "$(basename "$dashboard")" jq -e '.uid and .title and (.panels | length > 5)
      and ([.panels[].id] | length == (unique | length))' "$dashboard"
  done
fi
if has docker && docker compose version > /dev/null 2>&1; then
  export POSTGRES_PASSWORD=x REDIS_PASSWORD=x KEYSTORE_PASSPHRASE=x GRAFANA_PASSWORD=x
  check "docker compose config" docker compose --file "$here/compose.yaml" config --quiet
else
  echo "left out: docker compose config (no Compose here)"
fi
exit $failed
