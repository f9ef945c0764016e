"""Services and what stands behind them."""

from __future__ import annotations

from typing import Any

from tests.support.visited.objects import CREATED, NEW, PODS_EACH, Json, made, owned_by


def service(index: int, app: int | None = None) -> Json:
    """Return a Service of a Deployment's pods."""
    selector = {"app": f"web-{index if app is None else app}", "tier": "all"}
    ports = [{"port": 80, "protocol": "TCP"}]
    return made(
        "v1", "Service", f"svc-{index}", spec={"selector": selector, "clusterIP": "10.96.0.9", "ports": ports}
    )


def balancer(index: int, **spec: Any) -> Json:
    """Return a Service with a load balancer that a node answers for."""
    note = {"kubarium.dev/announced-by": f"node-{index}"} if index != NEW else {}
    metadata = {"annotations": note, "finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}
    spec = {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": [{"port": 80}], **spec}
    ingress = [{"ip": f"172.16.{index // 250}.{index % 250}", "ipMode": "VIP"}] if index != NEW else []
    return made(
        "v1",
        "Service",
        f"lb-{index}",
        metadata=metadata,
        spec=spec,
        status={"loadBalancer": {"ingress": ingress}},
    )


def endpoint_slice(index: int) -> Json:
    """Return a Service's slice."""
    labels = {
        "kubernetes.io/service-name": f"svc-{index}",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    endpoints = [{"addresses": [f"10.0.{index % 250}.{number + 1}"]} for number in range(PODS_EACH)]
    metadata = {"labels": labels, "ownerReferences": owned_by(service(index))}
    return made(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"svc-{index}-x",
        metadata=metadata,
        addressType="IPv4",
        endpoints=endpoints,
        ports=[{"port": 80, "protocol": "TCP"}],
    )


def endpoints(index: int) -> Json:
    """Return a Service's Endpoints."""
    addresses = [{"ip": f"10.0.{index % 250}.{number + 1}"} for number in range(PODS_EACH)]
    subset = {"addresses": addresses, "ports": [{"port": 80, "protocol": "TCP"}]}
    return made("v1", "Endpoints", f"svc-{index}", subsets=[subset])


def manual_service(index: int) -> Json:
    """Return a Service that finds no pods itself."""
    return service(index) | {
        "spec": {"ports": [{"port": 80}]},
        "metadata": service(index)["metadata"] | {"name": f"own-{index}"},
    }


def manual_endpoints(index: int) -> Json:
    """Return the Endpoints that somebody writes for it."""
    return endpoints(index) | {
        "metadata": endpoints(index)["metadata"] | {"name": f"own-{index}", "uid": f"own-{index}"}
    }


def service_cidr(index: int, **metadata: Any) -> Json:
    """Return a range of Services' addresses."""
    protected = {"finalizers": ["networking.k8s.io/service-cidr-finalizer"], **metadata}
    spec = {"cidrs": [f"10.{index // 250}.{index % 250}.0/24"]}
    status = {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "",
                "message": "Kubernetes Service CIDR is ready",
                "lastTransitionTime": CREATED,
            }
        ]
    }
    kind = ("networking.k8s.io/v1", "ServiceCIDR")
    return made(*kind, f"range-{index}", "", metadata=protected, spec=spec, status=status)
