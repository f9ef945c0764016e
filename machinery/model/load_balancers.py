"""What the controller of load balancers and the proxies agree on."""

from __future__ import annotations

from typing import Final

from machinery.model.k8s.core_v1 import Service

ANNOUNCER: Final = "kubarium.dev/announced-by"
"""Annotation of a Service: the node that answers for the addresses of its load balancer. The controller writes it."""
FINALIZER: Final = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDED: Final = "node.kubernetes.io/exclude-from-external-load-balancers"  # label of a node


def is_ours(service: Service) -> bool:
    """Whether a Service is to have a load balancer of the cluster's own: one of a class is somebody else's."""
    return service.spec.type == "LoadBalancer" and not service.spec.loadBalancerClass


def addresses(service: Service) -> list[str]:
    """Return the addresses of a Service's load balancer."""
    status = service.status.loadBalancer
    return [ingress.ip for ingress in status.ingress if ingress.ip] if status else []
