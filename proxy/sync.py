"""From the informers' stores to the kernel, again and again.

The first change is written at once; whatever comes while that is being done, or within `min_gap_s` after it, is
written together. Only what has changed is looked at, and only what is different is written. Every `period_s` the kernel
is looked at, changed or not, so that what another hand has done to the node heals. A failure is logged once for each message, shown in /readyz, and tried again with growing pauses; the
rules that were there stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.endpoints import IPV4, IPV6, service_of
from machinery.model.insist import Failures
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.log import EventLog
from machinery.model.store import Change, Store, key_of
from proxy.commands import CommandError
from proxy.core.desired import Desired
from proxy.core.endpoints import LocalEndpoints, Target
from proxy.core.flows import Flow, may_be_stale, plan_forgetting
from proxy.core.merged import Merged, Owner
from proxy.core.routes import Route
from proxy.core.table import Item

BACKOFF: Final = Backoff(0.1, 5.0)  # wall seconds
BY_SERVICE: Final = "service"  # index of slices: "namespace/name" of the Service

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Writable(Protocol[K, V]):
    async def apply(self, wanted: Merged[K, V], /, *, anyway: bool = False) -> bool: ...


class Filter(Protocol):
    """What writes the packet filter's table: `proxy.nft.Nft`."""

    async def apply(self, table: Merged[Item, str], *, anyway: bool = False) -> bool:
        """Put a table in place; return whether there was anything to write."""
        ...


class RouteTable(Protocol):
    """What writes routes: `proxy.routes.Routes`."""

    @property
    def refused(self) -> tuple[Route, ...]:
        """The wanted routes that the kernel did not take."""
        ...

    async def apply(self, wanted: Merged[str, str], *, anyway: bool = False) -> bool:
        """Make our routes the wanted ones; return whether any was changed."""
        ...


class FlowTable(Protocol):
    """What knows UDP flows, and attempts at TCP connections: `proxy.conntrack.Conntrack`."""

    async def flows(self) -> tuple[Flow, ...]:
        """List the UDP flows."""
        ...

    async def forget(self, flow: Flow) -> None:
        """Delete the entries of a flow."""
        ...

    async def attempts(self) -> frozenset[Target]:
        """List who has not answered yet to somebody who would connect."""
        ...

    async def abandon(self, target: Target) -> None:
        """Delete the attempts at connections with a target that it has not answered."""
        ...


class HealthDoors(Protocol):
    """What answers load balancers: `proxy.health.HealthServers`."""

    async def apply(self, wanted: Merged[int, LocalEndpoints], *, anyway: bool = False) -> bool:
        """Serve at these node ports; return whether any was opened or closed."""
        ...


class HeldAddresses(Protocol):
    """What holds addresses for load balancers: `proxy.addresses.Addresses`."""

    async def apply(self, wanted: Merged[str, str], *, anyway: bool = False) -> bool:
        """Hold these addresses, and none besides; return whether any came or went."""
        ...


@dataclass(frozen=True, slots=True)
class Kernel:
    """The places that are written to."""

    filter: Filter
    routes: RouteTable
    flows: FlowTable
    health: HealthDoors
    addresses: HeldAddresses


@dataclass(frozen=True, slots=True)
class Stores:
    """What one node's proxy reads: the informers' stores, slices with the index `BY_SERVICE`."""

    services: Store[Service]
    slices: Store[EndpointSlice]
    nodes: Store[Node]


def services_of(slice_: EndpointSlice) -> tuple[str, ...]:
    """Return the one key of the index `BY_SERVICE`, if any: the same for both families."""
    owner = service_of(slice_, IPV4) or service_of(slice_, IPV6)
    return (_index_key(owner),) if owner else ()


def _described(node: Node) -> tuple[object, ...]:
    return node.spec, node.status, node.metadata.labels


def _index_key(owner: Owner) -> str:
    return "/".join(owner)


class Syncer:
    """The loop of one family of addresses. What has changed wakes it; `problem` says why the kernel is not up to date, "" when it is."""

    def __init__(
        self,
        desired: Desired,
        stores: Stores,
        kernel: Kernel,
        *,
        clock: Clock,
        log: EventLog,
        period_s: float,
        min_gap_s: float,
        on_success: Callable[[float], None] = lambda _elapsed_s: None,
    ) -> None:
        self.problem = ""
        self._desired = desired
        self._stores = stores
        self._kernel = kernel
        self._clock = clock
        self._log = log
        self._period_s = period_s  # cluster seconds
        self._min_gap_s = min_gap_s  # wall seconds
        self._on_success = on_success
        self._dirty = asyncio.Event()
        self._others: list[Callable[[], None]] = []
        self._services: set[Owner] = set()  # to be looked at
        self._nodes: set[str] = set()
        self._refused: tuple[Route, ...] = ()
        self._failures = Failures(clock, BACKOFF, self._tell)

    def on_service(self, change: Change[Service]) -> None:
        """Note that a Service has changed; like the other two a callback of an informer."""
        self._services.add(key_of(change.object))
        self._dirty.set()

    def on_slice(self, change: Change[EndpointSlice]) -> None:
        """Note that endpoints of a Service, or of two, have changed."""
        for state in (change.old, change.new):
            if state is not None and (owner := service_of(state, self._desired.family.name)):
                self._services.add(owner)
                self._dirty.set()

    def on_node(self, change: Change[Node]) -> None:
        """Note that a node has changed, except for a heartbeat."""
        old, new = change.old, change.new
        if old is None or new is None or _described(old) != _described(new):
            self._nodes.add(change.object.metadata.name)
            self._dirty.set()

    def look_also(self, look: Callable[[], None]) -> None:
        """Call before each write somebody who brings more of what is desired up to date; who has something calls `wake`."""
        self._others.append(look)

    def wake(self) -> None:
        """Note that something is to be looked at."""
        self._dirty.set()

    async def run(self) -> None:
        """Write now, then after every change and every period, until cancelled."""
        due_s = self._clock.monotonic()
        while True:
            now_s = self._clock.monotonic()
            is_full = now_s >= due_s
            if is_full:
                due_s = now_s + self._period_s
            self._dirty.clear()
            if await self._attempt(anyway=is_full):
                await self._clock.sleep_wall(self._min_gap_s)
                await event_within(self._dirty, self._clock, max(0.0, due_s - self._clock.monotonic()))
            else:
                due_s = self._clock.monotonic()  # what failed is done again in full
                await self._failures.pause()

    async def sync(self, *, anyway: bool) -> bool:
        """Write what has changed; return whether anything was written. With `anyway` the kernel is looked at, too.

        Routes and rules do not wait for each other's success; flows and attempts are forgotten after the rules have
        changed, for until then new ones come up.

        Raises:
            CommandError: something was not written; the message says all of it.
        """
        self._look()
        steps: tuple[Callable[[], Awaitable[bool]], ...] = (
            lambda: self._write(self._kernel.filter, self._desired.table, anyway=anyway),
            lambda: self._write(self._kernel.routes, self._desired.routes, anyway=anyway),
            lambda: self._forget(anyway=anyway),
            self._abandon,
            lambda: self._write(self._kernel.addresses, self._desired.held, anyway=anyway),
            lambda: self._write(self._kernel.health, self._desired.health, anyway=anyway),
        )
        problems: list[str] = []
        written = False
        for step in steps:
            try:
                written |= await step()
            except CommandError as error:
                problems.append(str(error))
        if problems:
            raise CommandError("; ".join(problems))
        return written

    def _look(self) -> None:
        """Plan again for what has changed."""
        for look in self._others:
            look()
        services, self._services = self._services, set()
        nodes, self._nodes = self._nodes, set()
        before = self._desired.around
        for name in nodes:
            self._desired.put_node(name, self._stores.nodes.get("", name))
        if self._desired.around != before:
            services.update(map(key_of, self._stores.services))
        for owner in services:
            slices = self._stores.slices.by_index(BY_SERVICE, _index_key(owner))
            self._desired.put_service(owner, self._stores.services.get(*owner), slices)

    @staticmethod
    async def _write(place: _Writable[K, V], wanted: Merged[K, V], *, anyway: bool) -> bool:
        is_written = await place.apply(wanted, anyway=anyway)
        wanted.settle()
        return is_written

    async def _attempt(self, *, anyway: bool) -> bool:
        begun_s = self._clock.monotonic()
        try:
            written = await self.sync(anyway=anyway)
        except CommandError as error:
            self._failures.note(error)
            return False
        self._succeeded(begun_s, is_written=written)
        return True

    def _tell(self, error: Exception, failures: int) -> None:
        problem = str(error)
        if problem != self.problem:
            self._log.error("sync_failed", error=problem, failures=failures)
        self.problem = problem

    def _succeeded(self, begun_s: float, *, is_written: bool) -> None:
        if self.problem:
            self._log.info("sync_recovered", failures=self._failures.count)
        self._failures.forget()
        self.problem = ""
        if (refused := self._kernel.routes.refused) != self._refused:
            self._refused = refused
            self._log.warning(
                "routes_refused", routes=[f"{one.destination} via {one.gateway}" for one in refused]
            )
        elapsed_s = self._clock.timescale.wall(self._clock.monotonic() - begun_s)
        if is_written:
            self._log.debug("synced", elapsed_ms=round(elapsed_s * 1000))
        self._on_success(elapsed_s)

    async def _forget(self, *, anyway: bool) -> bool:
        """Forget the UDP flows to what is no endpoint any more; look only where UDP has lost endpoints."""
        udp = self._desired.udp
        differences = udp.differences()
        if (len(udp) or differences) and (anyway or may_be_stale(differences)):
            before = {each.key: each.old for each in differences}
            flows = await self._kernel.flows.flows()
            stale = plan_forgetting(flows, udp.get, before.get, self._desired.own.addresses)
        else:
            stale = ()
        for flow in stale:
            await self._kernel.flows.forget(flow)
        udp.settle()
        if stale:
            self._log.info("udp_flows_forgotten", count=len(stale))
        return bool(stale)

    async def _abandon(self) -> bool:
        """Forget what was tried at endpoints of TCP that have gone, and was not answered: it is tried elsewhere then."""
        gone = self._desired.abandoned
        tried = gone & await self._kernel.flows.attempts() if gone else frozenset[Target]()
        for target in tried:
            await self._kernel.flows.abandon(target)
        gone.clear()
        if tried:
            self._log.info("tcp_attempts_forgotten", endpoints=len(tried))
        return bool(tried)
