"""The REST front door: HTTPS and JSON, for kubectl and every Kubernetes client."""
