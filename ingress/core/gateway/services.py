"""The Service in front of each Gateway: its address and its ports.

It stands beside the Service that Ingresses are reached by, leads to the same pods, and each of its ports to a port of the proxy that is
that Gateway's alone: so the Service itself says which that is, to every replica.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ingress.core.gateway.listeners import Door
from ingress.core.gateway.objects import Gateway
from machinery.model.k8s.core_v1 import Service

FIRST_PORT: Final = 20_000
LAST_PORT: Final = 29_999
OWNED: Final = "kubarium.dev/gateway"  # label of the Services that are made here
NAME_LABEL: Final = "gateway.networking.k8s.io/gateway-name"
_LONGEST_LABEL: Final = 63


class Wish(NamedTuple):
    """A Gateway and the ports that it wants."""

    gateway: Gateway
    ports: tuple[int, ...]


def service_name(gateway: Gateway) -> str:
    """Return what a Gateway's Service is called."""
    place = f"{gateway.metadata.namespace}/{gateway.metadata.name}"
    return f"gateway-{gateway.metadata.name[:44].rstrip('.-').replace('.', '-')}-{_digest(place)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def wanted_ports(doors: Iterable[Door]) -> tuple[int, ...]:
    """Return the ports of a Gateway's listeners that are followed."""
    return tuple(sorted({each.listener.port for each in doors if each.is_accepted}))


def own_ports(service: Service | None) -> dict[int, int]:
    """Return the proxy's port for each port of a Gateway's Service."""
    if service is None or OWNED not in service.metadata.labels:
        return {}
    pairs = ((each.port, each.targetPort) for each in service.spec.ports)
    return {port: own for port, own in pairs if isinstance(own, int) and FIRST_PORT <= own <= LAST_PORT}


class Changes(NamedTuple):
    """What is to be done: manifests of new Services, patches of others by name, names of those to delete."""

    made: Sequence[Mapping[str, Any]] = ()
    patched: Sequence[tuple[str, Mapping[str, Any]]] = ()
    deleted: Sequence[str] = ()


def plan_services(wishes: Iterable[Wish], published: Service, services: Iterable[Service]) -> Changes:
    """Return how the Services come to be as the Gateways want them; a port of the proxy that one has it keeps."""
    namespace = published.metadata.namespace
    ours = {
        each.metadata.name: each
        for each in services
        if each.metadata.namespace == namespace and OWNED in each.metadata.labels
    }
    wanted = {service_name(each.gateway): each for each in wishes if each.ports}
    ports = _assigned({name: each.ports for name, each in wanted.items()}, ours)
    made, patched = [], []
    for name, wish in wanted.items():
        manifest = _manifest(name, wish, ports[name], published)
        if name not in ours:
            made.append(manifest)
        elif patch := _difference(ours[name], manifest):
            patched.append((name, patch))
    return Changes(made, patched, [name for name in ours if name not in wanted])


def _assigned(wanted: Mapping[str, Sequence[int]], ours: Mapping[str, Service]) -> dict[str, dict[int, int]]:
    """Return the proxy's port for each port of each Service: no two have one."""
    taken: set[int] = set()
    found: dict[str, dict[int, int]] = {}
    for name in sorted(wanted):
        found[name] = {}
        had = own_ports(ours.get(name))
        for port in wanted[name]:
            if port in had and had[port] not in taken:
                found[name][port] = had[port]
                taken.add(had[port])
    free = (each for each in range(FIRST_PORT, LAST_PORT + 1) if each not in taken)
    for name, ports in wanted.items():
        for port in ports:
            if port not in found[name] and (own := next(free, None)) is not None:
                found[name][port] = own
    return found


def _manifest(name: str, wish: Wish, ports: Mapping[int, int], published: Service) -> dict[str, Any]:
    gateway, spec = wish.gateway, published.spec
    infrastructure = gateway.spec.infrastructure
    place = f"{gateway.metadata.namespace}/{gateway.metadata.name}"
    asked = (place, sorted(infrastructure.labels.items()), sorted(infrastructure.annotations.items()))
    labels = {**infrastructure.labels, OWNED: _digest(repr(asked))}  # annotations are not remembered
    if len(gateway.metadata.name) <= _LONGEST_LABEL:
        labels[NAME_LABEL] = gateway.metadata.name
    address = next((each.value for each in gateway.spec.addresses if each.value), "")
    balanced = {"loadBalancerIP": address, "externalTrafficPolicy": spec.externalTrafficPolicy}
    return {
        "metadata": {
            "name": name,
            "namespace": published.metadata.namespace,
            "labels": labels,
            "annotations": {**infrastructure.annotations, OWNED: place},
        },
        "spec": {
            "type": spec.type or "ClusterIP",
            "ipFamilyPolicy": spec.ipFamilyPolicy or "SingleStack",
            "selector": dict(spec.selector),
            "ports": [_port(port, own) for port, own in sorted(ports.items())],
            **(
                {key: value for key, value in balanced.items() if value}
                if spec.type == "LoadBalancer"
                else {}
            ),
        },
    }


def _port(port: int, own: int) -> dict[str, Any]:
    return {"name": f"port-{port}", "port": port, "targetPort": own, "protocol": "TCP"}


def _difference(service: Service, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a patch that makes a Service what its manifest says; ports keep the node ports that they have."""
    spec, wanted = service.spec, manifest["spec"]
    nodes = {each.port: each.nodePort for each in spec.ports if each.nodePort}
    ports = [
        {**each, "nodePort": nodes[each["port"]]} if each["port"] in nodes else each
        for each in wanted["ports"]
    ]
    changed: dict[str, Any] = {}
    if [(each["port"], each["targetPort"]) for each in ports] != [
        (each.port, each.targetPort) for each in spec.ports
    ]:
        changed["ports"] = ports
    if wanted["selector"] != spec.selector:
        changed["selector"] = {**dict.fromkeys(spec.selector), **wanted["selector"]}
    if wanted["ipFamilyPolicy"] != (spec.ipFamilyPolicy or "SingleStack"):
        changed["ipFamilyPolicy"] = wanted["ipFamilyPolicy"]
    for key in ("type", "externalTrafficPolicy", "loadBalancerIP"):
        if (value := wanted.get(key, "")) != (getattr(spec, key) or ""):
            changed[key] = value or None
    meta = manifest["metadata"]
    is_known = meta["labels"].items() <= service.metadata.labels.items()
    found = {
        "spec": changed,
        "metadata": {} if is_known else {key: meta[key] for key in ("labels", "annotations")},
    }
    return {key: value for key, value in found.items() if value}
