{{- define "akeso.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "akeso.operator" -}}
{{ include "akeso.fullname" . }}-operator
{{- end -}}

{{- /* Of cluster-scoped objects: two installations must not meet. */ -}}
{{- define "akeso.clusterwide" -}}
{{ include "akeso.operator" . }}.{{ .Release.Namespace }}
{{- end -}}

{{- define "akeso.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "akeso.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name must name an account when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "akeso.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "akeso.labels" -}}
{{ include "akeso.selector" . }}
app.kubernetes.io/part-of: akeso
akeso.dev/namespace: {{ .Release.Namespace }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "akeso.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- /* Settings that were said: null is the operator's own default. */ -}}
{{- define "akeso.settings" -}}
{{- $said := dict -}}
{{- range $key, $value := .Values.settings -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $said $key $value -}}
{{- end -}}
{{- end -}}
{{ toYaml $said }}
{{- end -}}

{{- /* Changes of these need new pods; of all others the operator reads while it runs. */ -}}
{{- define "akeso.restart" -}}
{{- $said := include "akeso.settings" . | fromYaml -}}
{{- $these := dict -}}
{{- range .Files.Get "files/restart-settings.yaml" | fromYamlArray -}}
{{- if hasKey $said . -}}
{{- $_ := set $these . (get $said .) -}}
{{- end -}}
{{- end -}}
{{ toYaml $these | sha256sum }}
{{- end -}}

{{- /* One rule of files/rights.yaml as RBAC has it. */ -}}
{{- define "akeso.rule" -}}
{{- $rule := omit .rule "why" "unless" "when" -}}
{{- if hasKey $rule "resourceNames" -}}
{{- $names := list -}}
{{- range $rule.resourceNames -}}
{{- $names = append $names (replace "{namespace}" $.namespace .) -}}
{{- end -}}
{{- $_ := set $rule "resourceNames" $names -}}
{{- end -}}
- {{ toYaml $rule | nindent 2 | trim }}
{{- end -}}

{{- /* The rules that hold with these settings: some are needed only while a setting is unset. */ -}}
{{- define "akeso.rules" -}}
{{- range .rules }}
{{- $unneeded := and .unless (get $.root.Values.settings .unless) }}
{{- $needless := and .when (not (get $.root.Values.settings .when)) }}
{{- if not (or $unneeded $needless) }}
{{ include "akeso.rule" (dict "rule" . "namespace" $.root.Release.Namespace) }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The operator, as the API server knows it. */ -}}
{{- define "akeso.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "akeso.account" . }}
{{- end -}}

{{- /* Where an admission policy of this installation holds: where its operator works. */ -}}
{{- define "akeso.reach" -}}
{{- with .Values.settings.watchNamespaces -}}
namespaceSelector:
  matchExpressions:
  - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- end -}}
{{- end -}}
