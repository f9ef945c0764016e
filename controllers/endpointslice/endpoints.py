"""From a Service and its pods to endpoints: who is in, at which ports, in which state.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from controllers.core.services import hostname_in, target_port
from machinery.model.endpoints import IPV6, protocol_of
from machinery.model.k8s.core_v1 import ObjectReference, Pod, Service
from machinery.model.k8s.discovery_v1 import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from machinery.model.pods import is_ready, is_terminal, is_terminating

Ports: TypeAlias = tuple[tuple[str, str, int, str], ...]  # name, protocol, port, appProtocol
Grouped: TypeAlias = dict[Ports, list[Endpoint]]
_MODE: Final = "service.kubernetes.io/topology-mode"
_OLDER_MODE: Final = "service.kubernetes.io/topology-aware-hints"  # counts first where it is there
_SAME_NODE: Final = "PreferSameNode"
_NEAR: Final = frozenset({"PreferClose", "PreferSameZone", _SAME_NODE})


def group(service: Service, pods: Iterable[Pod], zones: Mapping[str, str], address_type: str) -> Grouped:
    """Return the endpoints of one address type by their ports: where a named port differs, pods part company.

    `zones` has the zone of every node that is there ("" for none). A pod on a node that is not there is left out until the node is
    known, unless the Service publishes what is not ready.
    """
    result: Grouped = {}
    for pod in sorted(pods, key=lambda pod: pod.metadata.name):
        addresses = addresses_of(pod, address_type)
        if not addresses or is_terminal(pod):
            continue
        if pod.spec.nodeName not in zones and not service.spec.publishNotReadyAddresses:
            continue
        endpoint = endpoint_of(service, pod, addresses, zones.get(pod.spec.nodeName, ""))
        result.setdefault(ports_of(service, pod), []).append(endpoint)
    return result


def addresses_of(pod: Pod, address_type: str) -> list[str]:
    """Return the pod's addresses of a family."""
    known = [item.ip for item in pod.status.podIPs] or [pod.status.podIP]
    return [ip for ip in known if ip and (":" in ip) == (address_type == IPV6)]


def endpoint_of(service: Service, pod: Pod, addresses: list[str], zone: str) -> Endpoint:
    """Describe a pod: ready to be used, serving at all, about to end."""
    serving, terminating = is_ready(pod), is_terminating(pod)
    ready = bool(service.spec.publishNotReadyAddresses) or (serving and not terminating)
    meta = pod.metadata
    return Endpoint(
        addresses=addresses,
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hints=_hints(service, pod, zone) if ready else None,
        hostname=hostname_in(service, pod),
        nodeName=pod.spec.nodeName,
        targetRef=ObjectReference(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid),
        zone=zone,
    )


def wants_shares(obj: Service | EndpointSlice) -> bool:
    """Whether a Service asks for hints by share, or a slice was written when it did: slices have its annotations."""
    notes = obj.metadata.annotations
    return notes.get(_OLDER_MODE, notes.get(_MODE)) in {"Auto", "auto"}


def _hints(service: Service, pod: Pod, zone: str) -> EndpointHints | None:
    """Return for whom an endpoint is meant, where its Service prefers what is near (KEP-4444, KEP-3015)."""
    preference = service.spec.trafficDistribution
    if preference not in _NEAR or wants_shares(service):
        return None
    zones = [ForZone(name=zone)] if zone else []
    nodes = [ForNode(name=pod.spec.nodeName)] if pod.spec.nodeName and preference == _SAME_NODE else []
    return EndpointHints(forZones=zones, forNodes=nodes) if zones or nodes else None


def ports_of(service: Service, pod: Pod) -> Ports:
    """Return the ports at which a pod serves; one whose name the pod does not have is left out."""
    found = ((port, target_port(port, pod)) for port in service.spec.ports)
    return tuple(
        sorted(
            (port.name, protocol_of(port.protocol), number, port.appProtocol)
            for port, number in found
            if number is not None
        )
    )


def endpoint_ports(ports: Ports) -> list[EndpointPort]:
    """Write ports as a slice has them."""
    return [
        EndpointPort(name=name, protocol=protocol, port=number, appProtocol=application)
        for name, protocol, number, application in ports
    ]


def ports_key(ports: Iterable[EndpointPort]) -> Ports:
    """Read a slice's ports."""
    return tuple(
        sorted((port.name, protocol_of(port.protocol), port.port or 0, port.appProtocol) for port in ports)
    )


def identity(endpoint: Endpoint) -> tuple[str, tuple[str, ...]]:
    """Return what tells endpoints apart: the same pod at the same addresses is the same endpoint, whatever its state."""
    return (endpoint.targetRef.uid if endpoint.targetRef else ""), tuple(endpoint.addresses)
