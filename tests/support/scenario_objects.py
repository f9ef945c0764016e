"""Manifests for scenarios, as a client sends them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
LABELS = {"app": "web"}


def pod_template(
    image: str = "app:1", *, annotations: Json | None = None, cpu: str = "100m", **spec: Any
) -> Json:
    """Return the template of the pods of `web`; their containers are simulated as the annotations say."""
    container = {"name": "main", "image": image, "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
    return {
        "metadata": {"labels": LABELS, "annotations": dict(annotations or {})},
        "spec": {
            "containers": [container],
            "automountServiceAccountToken": False,
            "dnsPolicy": "Default",
            **spec,
        },
    }


def web(replicas: int = 3, *, name: str = "web", template: Json | None = None, **spec: Any) -> Json:
    """Return a Deployment that replaces its pods one by one, and none before its successor is Ready."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "strategy": strategy,
            "template": template or pod_template(),
            **spec,
        },
    }


def web_service() -> Json:
    """Return the Service in front of it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def pod(name: str, *, annotations: Json | None = None, owners: Any = (), **spec: Any) -> Json:
    """Return a bare pod."""
    template = pod_template(annotations=annotations, **spec)
    meta = {**template["metadata"], "name": name, "labels": {"app": name}, "ownerReferences": list(owners)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def database(replicas: int = 3, **spec: Any) -> Json:
    """Return a StatefulSet whose pods hold identities."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": LABELS},
            "template": pod_template(terminationGracePeriodSeconds=5),
            **spec,
        },
    }
