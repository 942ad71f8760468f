{{- define "moorage.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "moorage.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "moorage.labels" -}}
{{ include "moorage.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "moorage.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Settings that the nodes and the migration share: the addresses of database and store, and their secrets. */}}
{{- define "moorage.shared" -}}
- name: MOORAGE_DATABASE
  valueFrom: {secretKeyRef: {name: {{ .Values.secret.name | quote }}, key: {{ .Values.secret.keys.database | quote }}}}
- name: MOORAGE_MASTER_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.secret.name | quote }}, key: {{ .Values.secret.keys.masterKey | quote }}}}
- name: MOORAGE_S3_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ .Values.secret.name | quote }}, key: {{ .Values.secret.keys.s3AccessKeyId | quote }}}}
- name: MOORAGE_S3_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.secret.name | quote }}, key: {{ .Values.secret.keys.s3SecretAccessKey | quote }}}}
{{- with .Values.secret.keys.scannerAuthorization }}
- name: MOORAGE_SCANNER_AUTHORIZATION
  valueFrom: {secretKeyRef: {name: {{ $.Values.secret.name | quote }}, key: {{ . | quote }}}}
{{- end }}
{{- with .Values.secret.keys.rootAccessKeyId }}
- name: MOORAGE_ROOT_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ $.Values.secret.name | quote }}, key: {{ . | quote }}}}
{{- end }}
{{- with .Values.secret.keys.rootSecretAccessKey }}
- name: MOORAGE_ROOT_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ $.Values.secret.name | quote }}, key: {{ . | quote }}}}
{{- end }}
- name: MOORAGE_BLOBS
  value: {{ .Values.blobs | quote }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "moorage.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "moorage.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
