"""The cluster's DNS as NetworkPolicies see it, where it is a process and no pod.

Policies that let pods ask for names mean the pods of kube-system with the label `k8s-app: kube-dns`, at port 53. A process
that the Service `kube-dns` leads to without a selector counts as such a pod: read here from the Service and its slices, for
whom rules are planned and connections explained.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from machinery.model.endpoints import IPV4, ServiceKey, port_in, service_of
from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.network_policies import NamedPort, PolicyPod, ProcessPort

DNS_SERVICE: Final[ServiceKey] = ("kube-system", "kube-dns")
DNS_LABELS: Final = {"k8s-app": "kube-dns"}


def dns_processes(service: Service | None, slices: Iterable[EndpointSlice]) -> tuple[ProcessPort, ...]:
    """Return what counts as a pod, by the Service `kube-dns` and its slices: none where the Service selects pods.

    Each port counts as that of the Service, by which the containers of a DNS in pods call theirs, too.
    """
    if service is None or service.spec.selector:
        return ()
    namespace, name = DNS_SERVICE
    ports = tuple(NamedPort(port.protocol or "TCP", port.name, port.port) for port in service.spec.ports)
    return tuple(
        ProcessPort(PolicyPod(namespace, name, DNS_LABELS, (ip,), "", ports), protocol, number, port.port)
        for slice_ in slices
        if service_of(slice_, IPV4) == DNS_SERVICE
        for port in service.spec.ports
        for protocol in [port.protocol or "TCP"]
        if (number := port_in(slice_, port))
        for endpoint in slice_.endpoints
        if endpoint.targetRef is None  # that of a pod is known as the pod
        for ip in endpoint.addresses[:1]
    )
