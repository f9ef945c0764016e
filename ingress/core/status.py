"""What Ingresses say of themselves: where they are reached.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
"""

from __future__ import annotations

from collections.abc import Iterable

from machinery.model.endpoints import HEADLESS
from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.networking_v1 import Ingress, IngressLoadBalancerIngress


def addresses_of(service: Service | None) -> tuple[IngressLoadBalancerIngress, ...]:
    """Return where a Service is reached from outside; of one that is only inside, from there."""
    if service is None:
        return ()
    balancers = service.status.loadBalancer.ingress if service.status.loadBalancer else []
    if service.spec.type == "LoadBalancer":
        return tuple(IngressLoadBalancerIngress(ip=each.ip, hostname=each.hostname) for each in balancers)
    ips = service.spec.externalIPs or service.spec.clusterIPs or [service.spec.clusterIP]
    return tuple(IngressLoadBalancerIngress(ip=ip) for ip in ips if ip and ip != HEADLESS)


def out_of_date(
    ingresses: Iterable[Ingress], addresses: tuple[IngressLoadBalancerIngress, ...]
) -> list[Ingress]:
    """Return the Ingresses whose status says something else."""
    return [each for each in ingresses if _said(each) != addresses]


def _said(ingress: Ingress) -> tuple[IngressLoadBalancerIngress, ...]:
    status = ingress.status.loadBalancer
    return tuple(status.ingress) if status else ()
