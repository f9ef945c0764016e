"""The cost of an event follows what it concerns: the same beside N Services and N nodes, and beside 10 N.

Except for the node itself: when it gets another address or pod range, all routes are planned again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from machinery.client.informer import Informer
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.log import SILENT
from machinery.model.requests import EventType, WatchEvent
from machinery.model.resources import ENDPOINT_SLICES, NODES, SERVICES, KubeObject
from proxy.core.desired import Desired
from proxy.core.endpoints import Target
from proxy.core.flows import Flow
from proxy.core.merged import Merged
from proxy.core.routes import Route, change_routes
from proxy.core.table import Item, write_changes
from proxy.sync import BY_SERVICE, Kernel, Stores, Syncer, services_of
from tests.support.builders import changed
from tests.support.proxy import Nowhere, endpoint, endpoint_slice, routed_node, service, service_port
from tests.support.virtual_clock import VirtualClock
from tests.support.visits import counted

N = 12
NEW = 240


def service_of(index: int, protocol: str = "TCP", **fields: Any) -> Service:
    """Return a Service with an address of its own."""
    ports = [service_port(80, protocol)]
    return service(f"web-{index}", ip=f"10.96.0.{index + 1}", ports=ports, **fields)


def slice_of(index: int, *numbers: int, protocol: str = "TCP") -> EndpointSlice:
    """Return a Service's endpoints, one on each of some nodes."""
    ends = [endpoint(f"10.244.{number}.{index + 1}", node=f"node-{number}") for number in numbers]
    return endpoint_slice(*ends, of=f"web-{index}", protocol=protocol)


def node_of(index: int, address: str = "") -> Node:
    """Return a node with a range of its own."""
    return routed_node(f"node-{index}", f"10.244.{index}.0/24", address or f"10.77.0.{index + 1}")


class Written:
    """A filter and a table of flows that only write down what they would do."""

    def __init__(self) -> None:
        self.text = ""

    async def apply(self, table: Merged[Item, str], *, anyway: bool = False) -> bool:
        """Write the changes."""
        self.text += write_changes(table.differences())
        return True

    async def flows(self) -> tuple[Flow, ...]:
        """List none."""
        return ()

    async def forget(self, flow: Flow) -> None:
        """Nothing."""

    async def attempts(self) -> frozenset[Target]:
        """Say that all is answered."""
        return frozenset()

    async def abandon(self, target: Target) -> None:
        """Nothing."""


class WrittenRoutes:
    """A table of routes of the same kind."""

    refused: tuple[Route, ...] = ()

    def __init__(self) -> None:
        self.commands: tuple[str, ...] = ()

    async def apply(self, wanted: Merged[str, str], *, anyway: bool = False) -> bool:
        """Write the changes."""
        self.commands += change_routes(wanted.differences())
        return True


class World:
    """A proxy on node-0 that knows so many Services, with two endpoints each, and as many nodes."""

    def __init__(self, size: int) -> None:
        clock = VirtualClock()
        none: Any = None  # the informers get their events here
        self.informers: dict[type, Informer[Any]] = {
            Service: Informer(none, SERVICES, clock=clock),
            EndpointSlice: Informer(none, ENDPOINT_SLICES, clock=clock, indexers={BY_SERVICE: services_of}),
            Node: Informer(none, NODES, clock=clock),
        }
        self.written, self.routes = Written(), WrittenRoutes()
        self.syncer = Syncer(
            Desired("node-0", "10.244.0.0/16", sees_bridged=False),
            Stores(*(informer.store for informer in self.informers.values())),
            Kernel(self.written, self.routes, self.written, Nowhere(), Nowhere()),
            clock=clock,
            log=SILENT,
            period_s=30,
            min_gap_s=0.05,
        )
        self.informers[Service].subscribe(self.syncer.on_service)
        self.informers[EndpointSlice].subscribe(self.syncer.on_slice)
        self.informers[Node].subscribe(self.syncer.on_node)
        self._revision = 0
        self._last: dict[tuple[type, str], KubeObject] = {}
        for index in range(size):
            protocol = "UDP" if index % 4 == 3 else "TCP"
            for obj in (
                service_of(index, protocol),
                slice_of(index, 1, 2, protocol=protocol),
                node_of(index),
            ):
                self.put(obj)
        asyncio.run(self.syncer.sync(anyway=False))

    def put(self, obj: KubeObject) -> None:
        """Create or change an object."""
        self._revision += 1
        self._last[type(obj), obj.metadata.name] = obj
        told = changed(obj, metadata__resourceVersion=str(self._revision))
        self.informers[type(obj)].apply(WatchEvent(EventType.MODIFIED, self._revision, told))

    def drop(self, obj: KubeObject) -> None:
        """Delete an object."""
        del self._last[type(obj), obj.metadata.name]
        self.informers[type(obj)].apply(WatchEvent(EventType.DELETED, self._revision, obj))

    def work(self, event: Event) -> int:
        """Return how much the proxy does for an event; what it changed is put back afterwards."""
        before = dict(self._last)
        self.written.text, self.routes.commands = "", ()
        with counted() as work:
            event(self)
            asyncio.run(self.syncer.sync(anyway=False))
        for place, obj in [*self._last.items()]:
            if place not in before:
                self.drop(obj)
        for place, obj in before.items():
            if self._last.get(place) is not obj:
                self.put(obj)
        asyncio.run(self.syncer.sync(anyway=False))
        return work.total


Event: TypeAlias = Callable[[World], object]

EVENTS: dict[str, Event] = {
    "endpoint comes": lambda world: world.put(slice_of(5, 1, 2, 3)),
    "endpoint goes": lambda world: world.put(slice_of(5, 1)),
    "endpoint is replaced": lambda world: world.put(slice_of(5, 4, 2)),
    "udp endpoint goes": lambda world: world.put(slice_of(3, 1, protocol="UDP")),
    "own endpoint comes": lambda world: world.put(slice_of(5, 0, 1)),
    "endpoints go": lambda world: world.drop(slice_of(5, 1, 2)),
    "endpoints as before": lambda world: world.put(slice_of(5, 1, 2)),
    "service comes": lambda world: (world.put(slice_of(NEW, 1, 2)), world.put(service_of(NEW))),
    "service goes": lambda world: world.drop(service_of(5)),
    "first service goes": lambda world: world.drop(service_of(0)),
    "service gets a node port": lambda world: world.put(
        changed(service_of(5), spec__type="NodePort", spec__ports=[service_port(80, nodePort=30_001)])
    ),
    "service remembers clients": lambda world: world.put(service_of(5, sessionAffinity="ClientIP")),
    "node comes": lambda world: world.put(node_of(NEW)),
    "node moves": lambda world: world.put(node_of(5, "10.77.1.1")),
    "node beats": lambda world: world.put(node_of(5)),
    "node goes": lambda world: world.drop(node_of(5)),
}
SILENT_EVENTS = {"endpoints as before", "node beats"}


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    return World(N), World(10 * N)


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_costs_no_more_beside_ten_times_as_many(worlds: tuple[World, World], event: str) -> None:
    """Less than one instruction for ten objects more; and as much is written for it."""
    few, many = (world.work(EVENTS[event]) for world in worlds)
    assert few > 0
    assert many - few < N
    texts = [(world.written.text, world.routes.commands) for world in worlds]
    assert texts[0] == texts[1]
    assert bool(texts[0][0] or texts[0][1]) is (event not in SILENT_EVENTS)


def test_a_walk_is_found(worlds: tuple[World, World]) -> None:
    """One that looks at each Service."""
    walk: Event = lambda world: world.informers[Service].store.list()  # noqa: E731 - one more like those above
    few, many = (world.work(walk) for world in worlds)
    assert many - few >= N
