"""`kubarium net check`: deploys a few pods and Services in a namespace of its own, tries every way there is, and cleans up."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any, Final

import msgspec

from kubarium.core.addresses import Addresses
from kubarium.core.layout import Layout
from kubarium.core.net import check_ground, matrix
from kubarium.core.net.check_ground import Ground
from kubarium.core.net.matrix import Result
from kubarium.core.net.scene import MACHINE
from kubarium.core.network import node_namespace
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.host.network import NAMESPACES as NETWORK_NAMESPACES
from kubarium.net.following import require_network
from kubarium.net.kernel import pod_spaces
from kubarium.net.probing import Place, serving, try_all
from kubarium.net.spaces import Spaces
from kubarium.waiting import connect
from machinery.client.api import Api
from machinery.model.conditions import find
from machinery.model.errors import AlreadyExists, ApiError, NotFound
from machinery.model.k8s.core_v1 import Pod, Service
from machinery.model.load_balancers import addresses as balancer_addresses
from machinery.model.requests import Selection
from machinery.model.resources import (
    ENDPOINT_SLICES,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from machinery.process.clock import WALL

_KINDS: Final[Mapping[str, Resource[Any]]] = {
    each.kind: each for each in (NAMESPACES, NETWORK_POLICIES, SERVICES, PODS)
}
_LOOK_S: Final = 0.1
_GONE_S: Final = 30.0
_SETTLED_S: Final = (
    6.0  # until then what has not come out as it has to is tried again: rules follow the API within a second
)
_PAUSE_S: Final = 1.0
_NAMED: Final = 8  # nodes


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check."""

    ground: Ground  # by IPv4
    results: tuple[Result, ...]
    took_s: float

    @property
    def failed(self) -> list[Result]:
        """The probes that did not come out as they have to."""
        return [result for result in self.results if not result.passed]


def check(
    spec: ClusterSpec, layout: Layout[Path], *, image: str, timeout_s: float, told: Callable[[str], None]
) -> Checked:
    """Try every way there is between pods, nodes and the machine.

    Raises:
        KubariumError: the nodes are simulated or not Ready, the pods do not start, or the apiserver does not answer.
    """
    require_network(spec)
    try:
        return asyncio.run(_check(spec, layout, image, timeout_s, told))
    except (TimeoutError, OSError, ApiError) as error:
        raise KubariumError(
            f'cluster "{spec.name}" cannot be checked: {str(error) or "no answer in time"}'
        ) from error


async def _check(
    spec: ClusterSpec, layout: Layout[Path], image: str, timeout_s: float, told: Callable[[str], None]
) -> Checked:
    began = WALL.monotonic_wall()
    api = connect(spec, layout)
    try:
        nodes = await _ready_nodes(api, spec, told)
        async with _deployed(api, spec, image, nodes, told) as namespace:
            grounds = await _waited_for(api, spec, namespace, nodes, timeout_s)
            ground = grounds[0]
            told(f"the pods run after {WALL.monotonic_wall() - began:.1f} s")
            with Spaces() as spaces:
                places = _places(spec, layout, ground)
                servers = {name: places[name] for name in check_ground.SERVERS}
                families = [AF_INET6 if each.is_ipv6 else AF_INET for each in grounds]
                async with serving(spaces, servers, families):
                    probes = [probe for each in grounds for probe in matrix.probes(each)]
                    results = await _tried(spaces, places, probes, told)
    finally:
        await api.aclose()
    return Checked(ground, tuple(results), WALL.monotonic_wall() - began)


async def _tried(
    spaces: Spaces, places: Mapping[str, Place], probes: Sequence[matrix.Probe], told: Callable[[str], None]
) -> list[Result]:
    """Try all; those that fail a few times more, since what was deployed a moment ago takes a moment."""
    results: dict[int, Result] = {}
    left = dict(enumerate(probes))
    settled = WALL.monotonic_wall() + _SETTLED_S
    while True:
        found = await try_all(spaces, places, left.values())
        results.update(zip(left, found, strict=True))
        left = {number: probe for number, probe in left.items() if not results[number].passed}
        if not left or WALL.monotonic_wall() > settled:
            break
        told(f"{len(left)} of {len(probes)} probes are tried again")
        await WALL.sleep_wall(_PAUSE_S)
    return [results[number] for number in range(len(probes))]


async def _ready_nodes(api: Api, spec: ClusterSpec, told: Callable[[str], None]) -> tuple[str, str]:
    here, elsewhere = check_ground.choose_nodes(
        (await api.list(NODES)).items, {node.name for node in spec.nodes}
    )
    if not here:
        raise KubariumError("no node of this machine is Ready: `kubectl get nodes` says what they wait for")
    if elsewhere:
        more = f" and {len(elsewhere) - _NAMED} more" if len(elsewhere) > _NAMED else ""
        names = ", ".join(elsewhere[:_NAMED]) + more
        told(f"nodes of other machines, or simulated ones, are not tried: {names}")
    return here[0], here[min(1, len(here) - 1)]


@asynccontextmanager
async def _deployed(
    api: Api, spec: ClusterSpec, image: str, nodes: tuple[str, str], told: Callable[[str], None]
) -> AsyncIterator[str]:
    """Deploy everything in a namespace of its own, whose name is yielded; take it away at the end."""
    name = f"kubarium-net-check-{secrets.token_hex(3)}"
    try:
        for obj in check_ground.objects(name, image, nodes, Addresses(spec).host_ips):
            resource = _KINDS[obj["kind"]]
            if obj["kind"] == "Pod":
                await _until(
                    lambda: _has_account(api, name), _GONE_S, lambda: "the namespace gets no ServiceAccount"
                )
            with suppress(AlreadyExists):  # its first answer was lost
                await api.create(resource, msgspec.convert(obj, resource.type))
        told(
            f"namespace {name}: {len(check_ground.PODS)} pods of {image} on {' and '.join(dict.fromkeys(nodes))}"
        )
        yield name
    finally:
        with suppress(NotFound):
            await api.delete(NAMESPACES, name)
        with suppress(TimeoutError):  # it goes all the same
            await _until(lambda: _is_gone(api, name), _GONE_S, lambda: "")


async def _waited_for(
    api: Api, spec: ClusterSpec, namespace: str, nodes: tuple[str, str], timeout_s: float
) -> list[Ground]:
    """Wait until every pod is Ready and every Service has what it is going to have; return where, by each family."""
    own, addresses = Selection(namespace=namespace), Addresses(spec)
    pods: list[Pod] = []
    services: list[Service] = []

    async def is_there() -> bool:
        pods[:] = (await api.list(PODS, own)).items
        services[:] = (await api.list(SERVICES, own)).items
        balanced = all(balancer_addresses(each) for each in services if each.spec.type == "LoadBalancer")
        behind = {
            ip
            for each in (await api.list(ENDPOINT_SLICES, own)).items
            for end in each.endpoints
            for ip in end.addresses
        }
        return (
            balanced
            and all(map(_is_ready, pods))
            and len(behind) >= len(check_ground.SERVERS) * len(addresses.host_ips)
        )

    await _until(is_there, timeout_s, lambda: _waiting(pods, services))
    known = {node.name: addresses.node_ips(node) for node in spec.nodes}
    return [
        Ground(
            namespace,
            machine,
            nodes,
            {name: known[name][number] for name in nodes},
            {pod.metadata.name: pod.status.podIPs[number].ip for pod in pods},
            {each.metadata.name: _addresses(each, number) for each in services},
        )
        for number, machine in enumerate(addresses.host_ips)
    ]


def _addresses(service: Service, number: int) -> check_ground.Addresses:
    """Return where a Service is, by the first family or the second one (numbers 0 and 1)."""
    found = service.spec.clusterIPs[number : number + 1] or [service.spec.clusterIP]
    return check_ground.Addresses(
        found[0],
        {(port.protocol or "TCP").lower(): port.nodePort or 0 for port in service.spec.ports},
        next((each for each in balancer_addresses(service) if (":" in each) == bool(number)), ""),
    )


def _waiting(pods: Sequence[Pod], services: Sequence[Service]) -> str:
    """Say what is not there, and why."""
    for pod in pods:
        for status in pod.status.containerStatuses:
            waits = status.state.waiting if status.state else None
            if waits and waits.reason not in {"", "ContainerCreating"}:
                return f"pod {pod.metadata.name}: {waits.reason}: {waits.message} (--image names one with `sleep`)"
    missing = [pod.metadata.name for pod in pods if not _is_ready(pod)]
    balancers = [
        each.metadata.name
        for each in services
        if each.spec.type == "LoadBalancer" and not balancer_addresses(each)
    ]
    if missing:
        return f"these pods are not Ready: {', '.join(missing)}"
    return (
        f"these Services have no load balancer: {', '.join(balancers)}"
        if balancers
        else "endpoints are missing"
    )


def _is_ready(pod: Pod) -> bool:
    ready = find(pod.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


async def _has_account(api: Api, namespace: str) -> bool:
    try:
        await api.get(SERVICE_ACCOUNTS, "default", namespace=namespace)
    except NotFound:
        return False
    return True


async def _is_gone(api: Api, namespace: str) -> bool:
    try:
        await api.get(NAMESPACES, namespace)
    except NotFound:
        return True
    return False


async def _until(is_so: Callable[[], Awaitable[bool]], within_s: float, why: Callable[[], str]) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it is not, in time; the message is `why`.
    """
    deadline = WALL.monotonic_wall() + within_s
    while not await is_so():
        if WALL.monotonic_wall() > deadline:
            raise TimeoutError(why())
        await WALL.sleep_wall(_LOOK_S)


def _places(spec: ClusterSpec, layout: Layout[Path], ground: Ground) -> dict[str, Place]:
    """Find everybody's network namespace.

    Raises:
        KubariumError: a pod's is not found.
    """
    places = {
        MACHINE: Place(""),
        **{node: Place(str(NETWORK_NAMESPACES / node_namespace(spec.name, node))) for node in ground.hosts},
    }
    for node in ground.hosts:
        names = {ground.pod_ips[name]: name for name in check_ground.PODS if ground.node_of(name) == node}
        found = pod_spaces(layout.node(node), set(names))
        if missing := [name for ip, name in names.items() if ip not in found]:
            raise KubariumError(f"the networks of {', '.join(missing)} on {node} are not found")
        places |= {names[ip]: Place(*found[ip]) for ip in found}
    return places
