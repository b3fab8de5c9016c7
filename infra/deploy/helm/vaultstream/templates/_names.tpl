{{/* The name of everything of one role. */}}
{{- define "vaultstream.name" -}}
{{- printf "%s-%s" .root.Release.Name .role | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* Labels that never change; selectors are made of them. */}}
{{- define "vaultstream.selector" -}}
app.kubernetes.io/name: vaultstream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "vaultstream.labels" -}}
{{ include "vaultstream.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "vaultstream.serviceAccount" -}}
{{- .Values.serviceAccount.name | default .Release.Name -}}
{{- end }}

{{- define "vaultstream.config" -}}
{{- printf "%s-config" .Release.Name -}}
{{- end }}

{{/* The container of a role. Its address is the pod's own, so that the pod answers to that name. */}}
{{- define "vaultstream.container" -}}
name: {{ .role }}
image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args:
  - serve
  - --role={{ .role }}
  - --config=/etc/vaultstream/cluster.toml
  - --data-dir={{ if and .root.Values.keystoreClaim (eq .role "migrate") }}/keys{{ else }}/data{{ end }}
  - --listen=$(POD_IP):8080
env:
  - name: POD_IP
    valueFrom: { fieldRef: { fieldPath: status.podIP } }
  - name: VAULTSTREAM_TELEMETRY__INSTANCE
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
  {{- range $name, $ref := .root.Values.secretEnv }}
  - name: {{ $name }}
    valueFrom: { secretKeyRef: { name: {{ $ref.secret }}, key: {{ $ref.key }} } }
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: config, mountPath: /etc/vaultstream/cluster.toml, subPath: cluster.toml, readOnly: true }
  - { name: data, mountPath: /data }
  - { name: tmp, mountPath: /tmp }
  {{- if or .root.Values.trust.secret .root.Values.trust.configMap }}
  - { name: trust, mountPath: /etc/vaultstream/trust, readOnly: true }
  {{- end }}
  {{- if .root.Values.keystoreClaim }}
  - { name: keys, mountPath: /keys }
  {{- end }}
{{- end }}

{{- define "vaultstream.volumes" -}}
- name: config
  configMap: { name: {{ include "vaultstream.config" .root }} }
- name: data
  emptyDir: { sizeLimit: 256Mi }
- name: tmp
  emptyDir: { sizeLimit: 16Mi }
{{- if .root.Values.trust.secret }}
- name: trust
  secret: { secretName: {{ .root.Values.trust.secret }} }
{{- else if .root.Values.trust.configMap }}
- name: trust
  configMap: { name: {{ .root.Values.trust.configMap }} }
{{- end }}
{{- if .root.Values.keystoreClaim }}
- name: keys
  persistentVolumeClaim: { claimName: {{ .root.Values.keystoreClaim }} }
{{- end }}
{{- end }}
