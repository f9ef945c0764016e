"""What runs on two hosts that are joined: a pod and a Service on each."""

from __future__ import annotations

NODES = {"node-1": "web-1", "node-2-1": "web-2"}
MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  nodeSelector: {{kubernetes.io/hostname: {node}}}
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: busybox:1.36
    command: [sh, -c, "dd if=/dev/zero of=/tmp/big bs=1024 count=2048; echo {name} >/tmp/index.html; echo serving; exec httpd -f -p 8080 -h /tmp"]
    readinessProbe: {{httpGet: {{path: /index.html, port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  ipFamilyPolicy: PreferDualStack
  selector: {{app: {name}}}
  ports: [{{port: 8081, targetPort: 8080}}]
---
"""
