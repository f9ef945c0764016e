"""`kubarium net WHAT`: puts together what one question needs, and follows its packets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from kubarium.core.addresses import CLUSTER_DOMAIN, Addresses
from kubarium.core.connections import Door
from kubarium.core.layout import Layout
from kubarium.core.net import asked
from kubarium.core.net.asked import Destination, Thing
from kubarium.core.net.filtering import Packet
from kubarium.core.net.report import Journey, Report, Said
from kubarium.core.net.scene import MACHINE, Host, PodPlace, Scene
from kubarium.core.net.way import ways
from kubarium.core.network import node_namespace
from kubarium.core.spec import ClusterSpec
from kubarium.dns_processes import find_dns_processes
from kubarium.errors import KubariumError
from kubarium.net.elsewhere import Elsewhere, look_elsewhere
from kubarium.net.kernel import look_at_host, look_at_wires
from kubarium.net.names import answer
from kubarium.waiting import connect
from machinery.client.api import Api
from machinery.model.conditions import find
from machinery.model.endpoints import HEADLESS, SERVICE_NAME, backends_of, service_of, usable
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.core_v1 import Node, Pod, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.network_policies import Party, pod_of, policy_of
from machinery.model.pods import is_terminal
from machinery.model.requests import Selection
from machinery.model.resources import ENDPOINT_SLICES, NAMESPACES, NETWORK_POLICIES, NODES, PODS, SERVICES

_PATIENCE_S: Final = 30.0  # wall seconds for one answer


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be followed.

    `source` is who asks, in the user's words: `pod/NAME` (of that namespace), `NAMESPACE/NAME`, a node, `machine`; "" is the
    first node of this machine.
    """

    target: Thing
    source: str = ""
    namespace: str = "default"
    door: Door | None = None
    at: str = ""  # the address or node at which a Service is asked for; "" for the usual one
    wants_6: bool = False

    @property
    def is_6(self) -> bool:
        """Whether packets of IPv6 are followed: because that is wanted, or an address says so."""
        return self.wants_6 or ":" in self.at or (self.target.kind == "address" and ":" in self.target.name)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the API says, and who asks."""

    pods: Sequence[Pod]
    service: Service | None
    slices: Sequence[EndpointSlice]
    nodes: Sequence[Node]  # of all machines
    source: Thing


def follow(spec: ClusterSpec, layout: Layout[Path], question: Question) -> Report:
    """Say what becomes of packets.

    Raises:
        KubariumError: something is not there, or cannot be looked at.
    """
    require_network(spec)
    if question.is_6 and not spec.is_dual_stack:
        raise KubariumError(
            f'cluster "{spec.name}" has IPv4 alone: `kubarium up --ip-families ipv4,ipv6` makes one with both'
        )
    try:
        return asyncio.run(_follow(spec, layout, question))
    except NotFound as error:
        raise KubariumError(str(error)) from error
    except ValueError as error:
        raise KubariumError(str(error)) from error
    except (TimeoutError, OSError, ApiError) as error:
        raise KubariumError(f'cluster "{spec.name}" does not say what there is: {error}') from error


def require_network(spec: ClusterSpec) -> None:
    """Check that the nodes have a network that can be looked at.

    Raises:
        KubariumError: they are simulated.
    """
    if not spec.isolated:
        raise KubariumError(
            f'cluster "{spec.name}" runs simulated containers (runtime {spec.runtime}), which have no network: '
            "`kubarium up --runtime docker` has one"
        )


async def _follow(spec: ClusterSpec, layout: Layout[Path], question: Question) -> Report:
    api = connect(spec, layout)
    try:
        known = await _known(api, question, [node.name for node in spec.nodes])
        said = await _said(api, known)
        notes = await _notes(spec, question, known)
        places = {(pod.namespace, pod.name): pod for pod in _places(known.pods, question) if pod}
        destinations = list(_destinations(spec, question, known, places))
        matter = _matter(places.values(), question, known)
        others = _others(spec, known.nodes)
        elsewhere = await look_elsewhere(api, others, matter, is_6=question.is_6)
    finally:
        await api.aclose()
    scene = _look(spec, layout, question, known, places.values(), matter, elsewhere)
    origin = _origin(known.source, scene, places, elsewhere)
    journeys = tuple(
        Journey(each, tuple(ways(scene, _packet(each, origin), origin))) for each in destinations
    )
    return Report(_target(question.target), _source(origin), tuple(notes), journeys, said)


async def _known(api: Api, question: Question, own: Sequence[str]) -> _Known:
    async def listed(resource: Any, selection: Selection | None = None) -> list[Any]:
        return list((await api.list(resource, selection or Selection(), timeout_s=_PATIENCE_S)).items)

    pods, nodes = await listed(PODS), await listed(NODES)
    names = [*own, *(each.metadata.name for each in nodes if each.metadata.name not in own)]
    source = asked.read_source(question.source, question.namespace, names)
    target = question.target
    if target.kind != "service":
        return _Known(pods, None, (), nodes, source)
    service = await api.get(SERVICES, target.name, namespace=target.namespace, timeout_s=_PATIENCE_S)
    its = Selection(namespace=target.namespace, label_selector=f"{SERVICE_NAME}={target.name}")
    family = asked.family_name(is_6=question.is_6)
    slices = [each for each in await listed(ENDPOINT_SLICES, its) if service_of(each, family)]
    return _Known(pods, service, slices, nodes, source)


async def _said(api: Api, known: _Known) -> Said:
    policies = (await api.list(NETWORK_POLICIES, timeout_s=_PATIENCE_S)).items
    namespaces = (await api.list(NAMESPACES, timeout_s=_PATIENCE_S)).items
    pods = [each for each in map(pod_of, known.pods) if each]
    processes = await find_dns_processes(api, _PATIENCE_S)
    backends = (
        each
        for port in (known.service.spec.ports if known.service else ())
        for each in backends_of(port, known.slices)
    )
    return Said(
        [policy_of(each) for each in policies],
        {each.metadata.name: each.metadata.labels for each in namespaces},
        {
            ip: Party(ip, processes=tuple(each for each in processes if ip in each.pod.ips))
            for process in processes
            for ip in process.pod.ips
        }
        | {ip: Party(ip, each) for each in pods for ip in each.ips},
        frozenset((each.ip, each.port) for each in backends) if known.service else None,
    )


async def _notes(spec: ClusterSpec, question: Question, known: _Known) -> list[tuple[str, str]]:
    """Say what comes before the packets: the name, and who is left out."""
    service = known.service
    if service is None:
        return []
    name = f"{question.target.name}.{question.target.namespace}.svc.{CLUSTER_DOMAIN}"
    addresses = Addresses(spec)
    kind = "AAAA" if question.is_6 else "A"
    found = [("name", f"{name} is {await answer(addresses.host, addresses.dns_port, name, kind)}")]
    if service.spec.type == "ExternalName":
        found.append(("packets", "none: a Service of type ExternalName is a name only"))
    elif service.spec.clusterIP == HEADLESS:
        found.append(("packets", "straight to the endpoints: a headless Service has no address of its own"))
    elif not any(usable(backends_of(port, known.slices)) for port in service.spec.ports):
        found.append(("endpoints", "none is ready: connections are refused"))
    owners = {pod.ip: str(pod) for pod in _places(known.pods, question) if pod}
    for ip, why in dict(asked.left_out(service, known.slices)).items():
        found.append(("left out", f"{ip} ({owners.get(ip, 'no pod')}): {why}"))
    return found


def _destinations(
    spec: ClusterSpec, question: Question, known: _Known, places: dict[tuple[str, str], PodPlace]
) -> Iterable[Destination]:
    target, door = question.target, question.door
    nodes = {node.name: Addresses(spec).node_ips(node)[question.is_6] for node in spec.nodes}
    nodes |= {
        node.metadata.name: each
        for node in _others(spec, known.nodes)
        for each in _internal_ips(node)
        if (":" in each) is question.is_6
    }
    if known.service is not None:
        if known.service.spec.type == "ExternalName":
            return []
        address = asked.asked_address(known.service, known.source, question.at, nodes, is_6=question.is_6)
        return asked.service_destinations(known.service, known.slices, door, address)
    if target.kind == "pod":
        place = _require(places, target)
        pod = next(
            pod
            for pod in known.pods
            if (pod.metadata.namespace, pod.metadata.name) == (target.namespace, target.name)
        )
        return asked.pod_destinations(pod, place.ip, door)
    if door is None or door.name:
        raise ValueError(f"which port of {target.name}? Say it as --port 80 or --port 53/udp")
    return [Destination(target.name, door.protocol.lower(), door.number)]


def _matter(places: Iterable[PodPlace], question: Question, known: _Known) -> list[PodPlace]:
    """Return the pods that packets may come to or from, and whose wires are therefore looked at."""
    behind = {ip for each in known.slices for endpoint in each.endpoints for ip in endpoint.addresses[:1]}
    behind |= _behind_host_ports(known.pods)
    things = (question.target, known.source)
    return [pod for pod in places if not pod.is_on_host and (pod.ip in behind or _is_meant(pod, things))]


def _look(
    spec: ClusterSpec,
    layout: Layout[Path],
    question: Question,
    known: _Known,
    places: Iterable[PodPlace],
    matter: Sequence[PodPlace],
    elsewhere: Elsewhere,
) -> Scene:
    """Look at the hosts of this machine, and at the wires of the pods that matter; add what is on others."""
    by_address = {pod.ip: pod for pod in places if not pod.is_on_host}
    is_6 = question.is_6
    hosts = {
        node.name: look_at_host(node.name, node_namespace(spec.name, node.name), is_6=is_6)
        for node in spec.nodes
    }
    for node in {pod.node for pod in matter} & hosts.keys():
        own = [pod for pod in matter if pod.node == node]
        wires = look_at_wires(own, layout.node(node), node_namespace(spec.name, node))
        by_address.update({pod.ip: replace(pod, wire=wires[pod.ip]) for pod in own if pod.ip in wires})
    by_address.update({pod.ip: pod for pod in elsewhere.pods})
    hosts[MACHINE] = look_at_host(MACHINE, "", is_6=is_6)
    addresses = Addresses(spec)
    ranges = (addresses.cluster_cidr, addresses.service_cidr)
    inner = tuple(ip_network(each.split(",")[is_6]) for each in ranges)
    backbone = f"{addresses.host_ips[is_6]}/64" if is_6 else addresses.backbone
    unread = {
        address: (node.metadata.name, elsewhere.unread.get(node.metadata.name, ""))
        for node in _others(spec, known.nodes)
        for address in _internal_ips(node)
        if node.metadata.name not in elsewhere.hosts
    }
    return Scene(
        hosts | dict(elsewhere.hosts),
        by_address,
        ip_network(backbone, strict=False),
        inner,
        unread,
        addresses.machine_ips - hosts[MACHINE].addresses,
    )


def _others(spec: ClusterSpec, nodes: Iterable[Node]) -> list[Node]:
    """Return the nodes that this machine does not run."""
    own = {node.name for node in spec.nodes}
    return [node for node in nodes if node.metadata.name not in own]


def _internal_ips(node: Node) -> list[str]:
    return [each.address for each in node.status.addresses if each.type == "InternalIP"]


def _behind_host_ports(pods: Iterable[Pod]) -> set[str]:
    """Return the addresses of the pods that ports of their nodes lead to."""
    return {
        entry.ip
        for pod in pods
        if any(port.hostPort for container in pod.spec.containers for port in container.ports)
        for entry in pod.status.podIPs
    }


def _is_meant(pod: PodPlace, things: Iterable[Thing]) -> bool:
    return any(
        (thing.kind == "pod" and (thing.namespace, thing.name) == (pod.namespace, pod.name))
        or thing.name == pod.ip
        for thing in things
    )


def _origin(
    source: Thing, scene: Scene, places: dict[tuple[str, str], PodPlace], elsewhere: Elsewhere
) -> PodPlace | Host:
    place = None if source.kind == "node" else _require(places, source)
    node = place.node if place else source.name
    if node not in scene.hosts:
        raise ValueError(
            f"{f'{place} is on {node}' if place else node}, which is no node of this machine, and its kubelet does not say "
            f"what its network is like: {elsewhere.unread.get(node) or 'there is no such node'}"
        )
    if place is None:
        return scene.hosts[node]
    return place if place.is_on_host else scene.pods[place.ip]


def _require(places: dict[tuple[str, str], PodPlace], thing: Thing) -> PodPlace:
    if (place := places.get((thing.namespace, thing.name))) is None:
        raise ValueError(f"pod {thing.namespace}/{thing.name} is not there, or has no such address yet")
    return place


def _packet(destination: Destination, origin: PodPlace | Host) -> Packet:
    address, protocol, port = destination
    if isinstance(origin, PodPlace):
        return Packet(origin.ip, address, protocol, port)
    route = origin.route_to(address)
    near = next(
        (each for each in origin.routes if route and not each.gateway and each.device == route.device), None
    )
    own = sorted(each for each in origin.addresses if near and near.holds(each))
    return Packet(own[0] if own else "::1" if ":" in address else "127.0.0.1", address, protocol, port)


def _places(pods: Iterable[Pod], question: Question) -> Iterator[PodPlace | None]:
    return (_place(pod, is_6=question.is_6) for pod in pods)


def _place(pod: Pod, *, is_6: bool) -> PodPlace | None:
    """Return a pod that has an address of a family, None for any other."""
    ip = next((entry.ip for entry in pod.status.podIPs if (":" in entry.ip) is is_6), "")
    if not ip or is_terminal(pod) or not pod.spec.nodeName:
        return None
    ready = find(pod.status.conditions, "Ready")
    return PodPlace(
        pod.metadata.namespace,
        pod.metadata.name,
        ip,
        pod.spec.nodeName,
        ready is not None and ready.status == "True",
        bool(pod.spec.hostNetwork),
    )


def _target(target: Thing) -> str:
    return f"{target.kind} {target.namespace}/{target.name}" if target.namespace else target.name


def _source(origin: PodPlace | Host) -> str:
    return f"{origin} ({origin.ip}, {origin.node})" if isinstance(origin, PodPlace) else origin.name
