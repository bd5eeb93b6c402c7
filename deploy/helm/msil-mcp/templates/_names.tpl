{{/* Names, labels and parts that several templates share. */}}

{{- define "msil-mcp.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component; never changed, since selectors cannot be. */}}
{{- define "msil-mcp.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "msil-mcp.labels" -}}
{{ include "msil-mcp.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: msil-mcp
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "msil-mcp.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "msil-mcp.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "msil-mcp.image" -}}
{{- $image := .Values.image -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- if $image.digest }}@{{ $image.digest }}{{ end -}}
{{- end -}}

{{- define "msil-mcp.bookingImage" -}}
{{- $image := .Values.bookingApi.image -}}
{{- if $image.repository -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- else -}}
{{- include "msil-mcp.image" . -}}
{{- end -}}
{{- end -}}

{{/* A setting as the environment holds it. Helm reads every number of YAML as a float. */}}
{{- define "msil-mcp.setting" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if kindIs "map" . -}}
{{- toJson . -}}
{{- else if kindIs "float64" . -}}
{{- if eq . (floor .) -}}{{- printf "%.0f" . -}}{{- else -}}{{- printf "%v" . -}}{{- end -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* A number of seconds among the settings, rounded up, or what the server takes without it. */}}
{{- define "msil-mcp.seconds" -}}
{{- $given := index .root.Values.settings .name -}}
{{- ternary .default $given (kindIs "invalid" $given) | float64 | ceil | int -}}
{{- end -}}

{{/* From the order to stop until Kubernetes kills: before the signal, and what the server does with it. */}}
{{- define "msil-mcp.goingSeconds" -}}
{{- $leave := include "msil-mcp.seconds" (dict "root" . "name" "MSIL_LEAVE_SECONDS" "default" 5) | int -}}
{{- $drain := include "msil-mcp.seconds" (dict "root" . "name" "MSIL_DRAIN_SECONDS" "default" 30) | int -}}
{{- $call := include "msil-mcp.seconds" (dict "root" . "name" "MSIL_CALL_TIMEOUT_SECONDS" "default" 30) | int -}}
{{- $finish := max (int .Values.drain.finishSeconds) $call -}}
{{- add .Values.drain.preStopSeconds $leave $drain $finish -}}
{{- end -}}

{{/* The whole environment that is no secret. */}}
{{- define "msil-mcp.environment" -}}
{{- $full := include "msil-mcp.fullname" . -}}
{{- $own := printf "%s.%s" $full .Release.Namespace -}}
{{- $hosts := list $full $own (printf "%s.svc" $own) (printf "%s.svc.cluster.local" $own) -}}
{{- $given := index .Values.settings "MSIL_ALLOWED_HOSTS" -}}
{{- if $given -}}
{{- $hosts = append $hosts (include "msil-mcp.setting" $given) -}}
{{- end -}}
{{- $port := int .Values.service.port -}}
{{- $set := dict
      "HOST" "0.0.0.0"
      "MSIL_DRAIN_SECONDS" 30
      "MSIL_PUBLIC_URL" (printf "http://%s%s" $own (ternary "" (printf ":%d" $port) (eq $port 80))) -}}
{{- if .Values.ingress.enabled -}}
{{- $scheme := ternary "https" "http" .Values.ingress.tls.enabled -}}
{{- $_ := set $set "MSIL_PUBLIC_URL" (printf "%s://%s" $scheme .Values.ingress.host) -}}
{{- end -}}
{{- if .Values.scriptedModel.enabled -}}
{{- $_ := set $set "OPENAI_BASE_URL" (printf "http://%s-scripted-model/v1" $full) -}}
{{- $_ := set $set "OPENAI_MODEL" "openai:msil-scripted" -}}
{{- end -}}
{{- $set = mergeOverwrite $set (deepCopy .Values.settings) -}}
{{- $_ := set $set "MSIL_ALLOWED_HOSTS" (join "," $hosts) -}}
{{- $_ := set $set "PORT" 8000 -}}
{{- $_ := set $set "MSIL_DATA_DIR" "/tmp" -}}
{{- $lines := list -}}
{{- range $name := keys $set | sortAlpha -}}
{{- $lines = append $lines (printf "%s: %s" $name (include "msil-mcp.setting" (index $set $name) | quote)) -}}
{{- end -}}
{{- join "\n" $lines -}}
{{- end -}}

{{/* Secrets as variables. */}}
{{- define "msil-mcp.secrets" -}}
- secretRef:
    name: {{ .Values.existingSecret }}
{{- range .Values.extraSecrets }}
- secretRef:
    name: {{ . }}
{{- end }}
{{- end -}}

{{- define "msil-mcp.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "msil-mcp.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What every pod of this chart is given. */}}
{{- define "msil-mcp.pod" -}}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "msil-mcp.podSecurity" . | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A Job of a hook that runs one command of the server's image; hooks run before the ConfigMap
     and the ServiceAccount are there, so it uses neither. */}}
{{- define "msil-mcp.hookPod" -}}
metadata:
  labels:
    {{- include "msil-mcp.labels" . | nindent 4 }}
spec:
  {{- include "msil-mcp.pod" .root | nindent 2 }}
  automountServiceAccountToken: false
  restartPolicy: {{ .restart }}
  containers:
    - name: {{ .component }}
      image: {{ include "msil-mcp.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [msil-mcp]
      args: {{ toJson .args }}
      env:
        - name: MSIL_DATA_DIR
          value: /tmp
      envFrom:
        {{- include "msil-mcp.secrets" .root | nindent 8 }}
      resources:
        requests:
          cpu: 100m
          memory: 256Mi
        limits:
          memory: 512Mi
      securityContext:
        {{- include "msil-mcp.containerSecurity" .root | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- with .root.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- with .root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
