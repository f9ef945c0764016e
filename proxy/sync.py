"""From the informers' stores to the kernel, again and again.

The first change is written at once; whatever comes while that is being done, or within `min_gap_s` after it, is
written together. Every `period_s` all is written again, changed or not, so that what another hand has done to the
node heals. A failure is logged once for each message, shown in /readyz, and tried again with growing pauses; the
rules that were there stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.insist import Failures
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.log import EventLog
from proxy.commands import CommandError
from proxy.core.endpoints import PortPlan, plan_ports
from proxy.core.flows import Flow, UdpTable, plan_forgetting, plan_udp
from proxy.core.routes import Route, node_addresses, plan_routes, pod_range
from proxy.core.ruleset import Ruleset, Surroundings, plan_ruleset

BACKOFF: Final = Backoff(0.1, 5.0)  # wall seconds


class Filter(Protocol):
    """What writes rules: `proxy.nft.Nft`."""

    async def apply(self, rules: Ruleset, *, anyway: bool = False) -> bool:
        """Put a ruleset in place; return whether there was anything to write."""
        ...


class RouteTable(Protocol):
    """What writes routes: `proxy.routes.Routes`."""

    @property
    def refused(self) -> tuple[Route, ...]:
        """The wanted routes that the kernel did not take."""
        ...

    async def apply(self, wanted: tuple[Route, ...], *, anyway: bool = False) -> bool:
        """Make our routes the wanted ones; return whether any was changed."""
        ...


class FlowTable(Protocol):
    """What knows UDP flows: `proxy.conntrack.Conntrack`."""

    async def flows(self) -> tuple[Flow, ...]:
        """List the UDP flows."""
        ...

    async def forget(self, flow: Flow) -> None:
        """Delete the entries of a flow."""
        ...


@dataclass(frozen=True, slots=True)
class Kernel:
    """The three places that are written to."""

    filter: Filter
    routes: RouteTable
    flows: FlowTable


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """What one node's proxy reads: the informers' stores, and what it knows of its node."""

    services: Iterable[Service]
    slices: Iterable[EndpointSlice]
    nodes: Iterable[Node]
    node_name: str
    cluster_cidr: str
    sees_bridged: bool  # whether the packet filter sees what passes between two pods of this node

    def plans(self) -> tuple[PortPlan, ...]:
        """Resolve all Services."""
        return plan_ports(self.services, self.slices, self.node_name)

    def around(self) -> Surroundings:
        """Return what the rules need besides Services."""
        own = "" if self.sees_bridged else pod_range(self.nodes, self.node_name)
        return Surroundings(self.cluster_cidr, node_addresses(self.nodes), own)


class Syncer:
    """The loop. `changed()` wakes it; `problem` says why the kernel is not up to date, "" when it is."""

    def __init__(
        self,
        view: NodeView,
        kernel: Kernel,
        *,
        clock: Clock,
        log: EventLog,
        period_s: float,
        min_gap_s: float,
        on_success: Callable[[float], None] = lambda _elapsed_s: None,
    ) -> None:
        self.problem = ""
        self._view = view
        self._kernel = kernel
        self._clock = clock
        self._log = log
        self._period_s = period_s  # cluster seconds
        self._min_gap_s = min_gap_s  # wall seconds
        self._on_success = on_success
        self._dirty = asyncio.Event()
        self._udp: UdpTable | None = None  # None: the flows have to be looked at
        self._refused: tuple[Route, ...] = ()
        self._failures = Failures(clock, BACKOFF, self._tell)

    def changed(self) -> None:
        """Note that something that is read has changed. Cheap; may be called from an informer's callback."""
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
        """Write all once; return whether anything was written.

        Routes and rules do not wait for each other's success; flows are forgotten after the rules have changed,
        for until then new ones come up.

        Raises:
            CommandError: something was not written; the message says all of it.
        """
        plans = self._view.plans()
        rules = plan_ruleset(plans, self._view.around())
        wanted = plan_routes(self._view.nodes, self._view.node_name)
        steps: tuple[Callable[[], Awaitable[bool]], ...] = (
            lambda: self._kernel.filter.apply(rules, anyway=anyway),
            lambda: self._kernel.routes.apply(wanted, anyway=anyway),
            lambda: self._forget(plans, anyway=anyway),
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

    async def _forget(self, plans: tuple[PortPlan, ...], *, anyway: bool) -> bool:
        """Forget the UDP flows to what is no endpoint any more; look only where UDP's endpoints changed."""
        table = plan_udp(plans)
        if table == self._udp and not anyway:
            return False
        before = self._udp or UdpTable({})
        if not table.allowed and not before.allowed:
            self._udp = table
            return False
        own = node_addresses(node for node in self._view.nodes if node.metadata.name == self._view.node_name)
        stale = plan_forgetting(await self._kernel.flows.flows(), table, before, own)
        for flow in stale:
            await self._kernel.flows.forget(flow)
        self._udp = table
        if stale:
            self._log.info("udp_flows_forgotten", count=len(stale))
        return bool(stale)
