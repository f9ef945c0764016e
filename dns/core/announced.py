"""The Service `kube-dns` and its EndpointSlice, as a server writes them that is no workload of the cluster."""

from __future__ import annotations

from typing import Any, Final

from machinery.model.endpoints import IPV4, IPV6, SERVICE_NAME
from machinery.model.k8s.core_v1 import Service

NAMESPACE: Final = "kube-system"
SERVICE: Final = "kube-dns"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
MANAGER: Final = "dns.kubarium"
_LABELS: Final = {
    "k8s-app": SERVICE,
    "kubernetes.io/cluster-service": "true",
    "kubernetes.io/name": "CoreDNS",  # what `kubectl cluster-info` and others look for
}
_PORTS: Final = (("dns", "UDP"), ("dns-tcp", "TCP"))
_PORT: Final = 53


def is_ours_to_announce(service: Service | None) -> bool:
    """Whether a server announces itself: not where the Service selects pods, which are the cluster's DNS then."""
    return service is None or not service.spec.selector


def service_object(cluster_ip: str) -> dict[str, Any]:
    """Return the Service, without a selector."""
    ports = [
        {"name": name, "port": _PORT, "protocol": protocol, "targetPort": _PORT} for name, protocol in _PORTS
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {"clusterIP": cluster_ip, "ports": ports, "type": "ClusterIP"},
    }


def slice_object(name: str, address: str, port: int) -> dict[str, Any]:
    """Return the slice of one server."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {SERVICE_NAME: SERVICE, MANAGED_BY: MANAGER, "k8s-app": SERVICE},
        },
        "addressType": IPV6 if ":" in address else IPV4,
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": name, "port": port, "protocol": protocol} for name, protocol in _PORTS],
    }
