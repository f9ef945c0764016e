"""DNS as a workload of the cluster: the Deployment and what it needs, as `up --dns deployment` creates them.

They are the user's from then on: what is there already is left as it is. The server comes to the apiserver as the
ServiceAccount `kube-dns`, whose roles (`kubarium:dns`) every cluster has.
"""

from __future__ import annotations

from typing import Any, Final

from kubarium.core.addresses import CLUSTER_DNS, CLUSTER_DOMAIN
from kubarium.core.compose import IMAGE

NAMESPACE: Final = "kube-system"
NAME: Final = "kube-dns"  # of the Service and the account, as clients look for them
DEPLOYMENT: Final = "kubarium-dns"
REPLICAS: Final = 2
_SELECTOR: Final = {"k8s-app": NAME}
_LABELS: Final = {
    **_SELECTOR,
    "kubernetes.io/cluster-service": "true",
    "kubernetes.io/name": "CoreDNS",  # what `kubectl cluster-info` and others look for
}
_PROTOCOLS: Final = (("dns", "UDP"), ("dns-tcp", "TCP"))
_HEALTH, _READY, _METRICS = 8080, 8181, 9153  # as CoreDNS has them


def account() -> dict[str, Any]:
    """Return the ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(NAME)}


def settings() -> dict[str, Any]:
    """Return the ConfigMap that a user changes."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(DEPLOYMENT), "data": {"hosts": ""}}


def service() -> dict[str, Any]:
    """Return the Service, which selects the pods."""
    ports = [
        {"name": name, "port": 53, "protocol": protocol, "targetPort": name} for name, protocol in _PROTOCOLS
    ]
    metrics = {"name": "metrics", "port": _METRICS, "protocol": "TCP", "targetPort": "metrics"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(NAME),
        "spec": {"clusterIP": CLUSTER_DNS, "selector": _SELECTOR, "ports": [*ports, metrics]},
    }


def deployment(nodes: int, image: str = IMAGE) -> dict[str, Any]:
    """Return the Deployment: two pods where there are two nodes, on different ones if that can be."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(DEPLOYMENT),
        "spec": {
            "replicas": max(1, min(nodes, REPLICAS)),
            "selector": {"matchLabels": _SELECTOR},
            "strategy": {"rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": _SELECTOR}, "spec": _pod(image)},
        },
    }


def _meta(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "labels": _LABELS}


def _pod(image: str) -> dict[str, Any]:
    apart = {"labelSelector": {"matchLabels": _SELECTOR}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",  # it asks the node's own servers, not itself
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]
            }
        },
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {
                "key": "node.kubernetes.io/not-ready",
                "operator": "Exists",
                "effect": "NoSchedule",
            },  # a new node
        ],
        "terminationGracePeriodSeconds": 5,
        "containers": [_container(image)],
    }


def _container(image: str) -> dict[str, Any]:
    flags = {
        "in-cluster": "true",
        "listen": "0.0.0.0:53",
        "cluster-domain": CLUSTER_DOMAIN,
        "cluster-dns": CLUSTER_DNS,
        "health-listen": f"0.0.0.0:{_HEALTH}",
        "ready-listen": f"0.0.0.0:{_READY}",
        "metrics-listen": f"0.0.0.0:{_METRICS}",
    }
    ports = [{"name": name, "containerPort": 53, "protocol": protocol} for name, protocol in _PROTOCOLS]
    return {
        "name": "dns",
        "image": image,
        "imagePullPolicy": "IfNotPresent",  # it was built here, and no registry has it
        "command": ["/opt/kubarium/bin/python", "-P", "-m", "kubarium.program", "dns"],
        "args": [f"--{flag}={value}" for flag, value in flags.items()],
        "ports": [*ports, {"name": "metrics", "containerPort": _METRICS, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": _READY}, "periodSeconds": 1},
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": _HEALTH},
            "initialDelaySeconds": 10,
            "periodSeconds": 10,
            "failureThreshold": 5,
        },
        "resources": {"requests": {"cpu": "20m", "memory": "40Mi"}, "limits": {"memory": "170Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            "readOnlyRootFilesystem": True,
        },
    }
