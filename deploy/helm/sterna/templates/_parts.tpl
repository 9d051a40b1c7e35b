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

{{/* Refuses what the schema of the values cannot. */}}
{{- define "sterna.judge" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]{0,51}$" .Release.Name) }}
{{- fail (printf "release name %s: objects are named after it, so it begins with a letter, has only a-z, 0-9 and -, and 52 characters at most" .Release.Name) }}
{{- end }}
{{- if and (ne (dig "LogFolder" "stdout" .Values.parameters) "stdout") (not .Values.extraVolumeMounts) }}
{{- fail "parameters.LogFolder: the root of a pod cannot be written; mount a volume there with extraVolumes and extraVolumeMounts" }}
{{- end }}
{{- end }}

{{- define "sterna.image" -}}
{{- $image := .Values.image }}
{{- $image.repository }}{{ ternary (print "@" $image.digest) (print ":" ($image.tag | default .Chart.AppVersion)) (ne $image.digest "") }}
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

{{/* A value as the server reads it: numbers in full, and $ as it stands, not as the variables of Kubernetes. */}}
{{- define "sterna.text" -}}
{{- $text := kindIs "float64" . | ternary (toJson .) (toString .) }}
{{- $text | replace "$" "$$" }}
{{- end }}
