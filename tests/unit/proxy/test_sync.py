"""The loop, under virtual time, with a kernel that keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from machinery.model.k8s.core_v1 import Service
from proxy.commands import CommandError
from proxy.core.flows import Flow
from proxy.core.routes import Route
from proxy.core.ruleset import Ruleset
from proxy.sync import Kernel, NodeView, Syncer
from tests.support.proxy import SERVICE_IP, endpoint, endpoint_slice, routed_node, service, service_port
from tests.support.virtual_clock import START_S, VirtualClock


@dataclass
class Recorder:
    """A filter, a route table and a flow table; `failure` makes the filter refuse."""

    clock: VirtualClock
    failure: str = ""
    written: list[tuple[float, bool]] = field(default_factory=list)  # when, and whether in full
    text: str = ""
    routes: tuple[Route, ...] = ()
    known: tuple[Flow, ...] = ()

    def kernel(self) -> Kernel:
        """Return it as the kernel."""
        return Kernel(self, _RouteRecorder(self), self)

    async def apply(self, rules: Ruleset, *, anyway: bool = False) -> bool:
        """Keep rules."""
        self.written.append((round(self.clock.monotonic() - START_S, 3), anyway))
        if self.failure:
            raise CommandError(self.failure)
        self.text = rules.text()
        return True

    async def flows(self) -> tuple[Flow, ...]:
        """List."""
        return self.known

    async def forget(self, flow: Flow) -> None:
        """Delete."""
        self.known = tuple(known for known in self.known if known != flow)


@dataclass
class _RouteRecorder:
    recorder: Recorder
    refused: tuple[Route, ...] = ()

    async def apply(self, wanted: tuple[Route, ...], *, anyway: bool = False) -> bool:
        """Keep routes."""
        self.recorder.routes = wanted
        return True


@dataclass
class Events:
    """A log that keeps what it is told."""

    names: list[str] = field(default_factory=list)

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **_fields: self.names.append(f"{level}:{event}")


@dataclass
class Setting:
    """A loop and its surroundings."""

    clock: VirtualClock
    recorder: Recorder
    services: list[Service]
    events: Events
    syncer: Syncer
    successes: list[float]


@asynccontextmanager
async def running(*, failure: str = "", known: tuple[Flow, ...] = ()) -> AsyncIterator[Setting]:
    """Run the loop of node-1 with one UDP Service."""
    clock, events, successes = VirtualClock(), Events(), []
    recorder = Recorder(clock, failure, known=known)
    services = [service(ports=[service_port(protocol="UDP")])]
    view = NodeView(
        services=services,
        slices=[endpoint_slice(endpoint("10.244.2.2", node="node-2"), protocol="UDP")],
        nodes=[
            routed_node("node-1", "10.244.1.0/24", "10.77.0.11"),
            routed_node("node-2", "10.244.2.0/24", "10.77.0.12"),
        ],
        node_name="node-1",
        cluster_cidr="10.244.0.0/16",
        sees_bridged=False,
    )
    syncer = Syncer(
        view,
        recorder.kernel(),
        clock=clock,
        log=events,
        period_s=30,
        min_gap_s=0.05,
        on_success=successes.append,
    )
    task = asyncio.ensure_future(syncer.run())
    try:
        yield Setting(clock, recorder, services, events, syncer, successes)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_everything_is_written_at_the_start() -> None:
    """Rules, routes and the bridge's masquerade are there at once."""
    async with running() as here:
        await here.clock.settle()
        assert here.recorder.written == [(0.0, True)]
        assert SERVICE_IP in here.recorder.text
        assert "ip saddr 10.244.1.0/24 ip daddr 10.244.1.0/24" in here.recorder.text
        assert here.recorder.routes == (Route("10.244.2.0/24", "10.77.0.12"),)
        assert len(here.successes) == 1


async def test_a_change_is_written_at_once_and_a_burst_together() -> None:
    """The first change of a burst does not wait; the others are written 50 ms later, in one go."""
    async with running() as here:
        await here.clock.advance(10)
        for _ in range(5):
            here.syncer.changed()
            await here.clock.advance(0.01)
        await here.clock.advance(1)
        assert here.recorder.written[1:] == [(10.0, False), (10.05, False)]


async def test_all_is_written_again_every_period() -> None:
    """Every 30 s everything is written, changed or not."""
    async with running() as here:
        await here.clock.advance(61)
        assert here.recorder.written == [(0.0, True), (30.0, True), (60.0, True)]


async def test_a_failure_is_logged_once_and_tried_again() -> None:
    """The pauses grow, /readyz knows the reason, and the end of it is logged."""
    async with running(failure="nft: no") as here:
        await here.clock.advance(0.65)
        assert [when for when, _ in here.recorder.written] == [0.0, 0.1, 0.3]
        assert here.syncer.problem == "nft: no"
        assert here.successes == []
        here.recorder.failure = ""
        await here.clock.advance(1)
        assert here.syncer.problem == ""
        assert [name for name in here.events.names if "sync_" in name] == [
            "error:sync_failed",
            "info:sync_recovered",
        ]


async def test_routes_do_not_wait_for_rules() -> None:
    """A filter that refuses does not keep pods from reaching each other."""
    async with running(failure="nft: no") as here:
        await here.clock.settle()
        assert here.recorder.routes


async def test_stale_flows_are_forgotten() -> None:
    """At the start flows to what is no endpoint go; when a Service goes, so do its own."""
    good, stale = Flow(SERVICE_IP, 8123, "10.244.2.2"), Flow(SERVICE_IP, 8123, "10.244.9.9")
    async with running(known=(good, stale)) as here:
        await here.clock.settle()
        assert here.recorder.known == (good,)
        await here.clock.advance(1)
        here.services.clear()
        here.syncer.changed()
        await here.clock.settle()
        assert here.recorder.known == ()
