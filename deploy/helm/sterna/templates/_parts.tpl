{{/* What several templates share. */}}

{{- define "sterna.selector" -}}
app.kubernetes.io/name: sterna
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sterna.labels" -}}
{{ include "sterna.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* Name of the headless service, and what follows the name of a pod in the names of members. */}}
{{- define "sterna.headless" -}}
{{ .Release.Name }}-members
{{- end }}

{{- define "sterna.domain" -}}
{{ include "sterna.headless" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "sterna.members" -}}
{{- $members := list }}
{{- range until (int .Values.membersMax) }}
{{- $members = append $members (printf "%s-%d.%s:8801" $.Release.Name . (include "sterna.domain" $)) }}
{{- end }}
{{- join "," $members }}
{{- end }}

{{/* How many members run. Where an autoscaler decides it, an upgrade keeps what it finds: a StatefulSet without this field
would shrink to one member. */}}
{{- define "sterna.replicas" -}}
{{- $replicas := int .Values.replicas }}
{{- if .Values.autoscaling.enabled }}
{{- $live := lookup "apps/v1" "StatefulSet" .Release.Namespace .Release.Name }}
{{- $replicas = max $replicas (dig "spec" "replicas" 0 ($live | default dict)) | int }}
{{- end }}
{{- if lt $replicas (int .Values.seeds) }}
{{- fail "replicas: a cluster with fewer members than seeds loses its majority with the first failure" }}
{{- end }}
{{- if gt $replicas (int .Values.membersMax) }}
{{- fail "replicas: more than membersMax, the places in ClusterMembers" }}
{{- end }}
{{- $replicas }}
{{- end }}

{{/* A value as the server reads it: numbers in full, and $( as it stands, not as a variable of Kubernetes. */}}
{{- define "sterna.text" -}}
{{- $text := kindIs "float64" . | ternary (toJson .) (toString .) }}
{{- $text | replace "$(" "$$(" }}
{{- end }}
