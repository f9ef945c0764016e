{{- define "shop.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
{{- define "shop.pod" -}}
metadata:
  labels:
    app.kubernetes.io/name: {{ .Chart.Name }}
    app.kubernetes.io/instance: {{ .Release.Name }}
  annotations:
    checksum/config: {{ include (print $.Template.BasePath "/settings.yaml") . | sha256sum }}
spec:
  serviceAccountName: {{ .Release.Name }}
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: {{ .Values.image }}
    ports: [{name: http, containerPort: 80}]
    envFrom:
    - configMapRef: {name: {{ .Release.Name }}}
    - secretRef: {name: {{ .Release.Name }}}
    resources:
      requests: {cpu: 10m, memory: 8Mi}
      limits: {cpu: 100m, memory: 64Mi}
{{- end -}}
