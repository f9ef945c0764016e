"""The loop, under virtual time, with a kernel that keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from machinery.model.k8s.core_v1 import Service
from machinery.model.requests import EventType
from machinery.model.store import Change, key_of
from proxy.commands import CommandError
from proxy.core.desired import Desired
from proxy.core.endpoints import Target
from proxy.core.flows import Flow
from proxy.core.merged import Merged
from proxy.core.routes import Route
from proxy.core.table import Item, write_whole
from proxy.sync import Kernel, Stores, Syncer
from tests.support.proxy import (
    SERVICE_IP,
    Nowhere,
    endpoint,
    endpoint_slice,
    routed_node,
    service,
    service_port,
    stores_of,
    tell_all,
)
from tests.support.virtual_clock import START_S, VirtualClock


@dataclass
class Recorder:
    """A filter, a route table and a flow table; `failure` makes the filter refuse."""

    clock: VirtualClock
    failure: str = ""
    written: list[tuple[float, bool]] = field(default_factory=list)  # when, and whether in full
    text: str = ""
    differences: int = 0  # that were told last
    listings: int = 0
    routes: dict[str, str] = field(default_factory=dict)
    known: tuple[Flow, ...] = ()
    tried: set[Target] = field(default_factory=set)

    def kernel(self) -> Kernel:
        """Return it as the kernel."""
        return Kernel(self, _RouteRecorder(self), self, Nowhere(), Nowhere())

    async def apply(self, table: Merged[Item, str], *, anyway: bool = False) -> bool:
        """Keep rules."""
        self.written.append((round(self.clock.monotonic() - START_S, 3), anyway))
        if self.failure:
            raise CommandError(self.failure)
        self.differences = len(table.differences())
        self.text = write_whole(dict(table.items()), None)
        return True

    async def flows(self) -> tuple[Flow, ...]:
        """List."""
        self.listings += 1
        return self.known

    async def forget(self, flow: Flow) -> None:
        """Delete."""
        self.known = tuple(known for known in self.known if known != flow)

    async def attempts(self) -> frozenset[Target]:
        """List."""
        self.listings += 1
        return frozenset(self.tried)

    async def abandon(self, target: Target) -> None:
        """Delete."""
        self.tried.discard(target)


@dataclass
class _RouteRecorder:
    recorder: Recorder
    refused: tuple[Route, ...] = ()

    async def apply(self, wanted: Merged[str, str], *, anyway: bool = False) -> bool:
        """Keep routes."""
        self.recorder.routes = dict(wanted.items())
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
    stores: Stores
    events: Events
    syncer: Syncer
    successes: list[float]

    def change(self, svc: Service) -> None:
        """Call back as for a Service that has changed."""
        self.syncer.on_service(Change(EventType.MODIFIED, svc, svc))


@asynccontextmanager
async def running(*, failure: str = "", known: tuple[Flow, ...] = ()) -> AsyncIterator[Setting]:
    """Run the loop of node-1 with one UDP Service."""
    clock, events, successes = VirtualClock(), Events(), []
    recorder = Recorder(clock, failure, known=known)
    stores = stores_of(
        [service(ports=[service_port(protocol="UDP")])],
        [endpoint_slice(endpoint("10.244.2.2", node="node-2"), protocol="UDP")],
        [
            routed_node("node-1", "10.244.1.0/24", "10.77.0.11"),
            routed_node("node-2", "10.244.2.0/24", "10.77.0.12"),
        ],
    )
    syncer = Syncer(
        Desired("node-1", "10.244.0.0/16", sees_bridged=False),
        stores,
        recorder.kernel(),
        clock=clock,
        log=events,
        period_s=30,
        min_gap_s=0.05,
        on_success=successes.append,
    )
    tell_all(stores, syncer)
    task = asyncio.ensure_future(syncer.run())
    try:
        yield Setting(clock, recorder, stores, events, syncer, successes)
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
        assert here.recorder.routes == {"10.244.2.0/24": "10.77.0.12"}
        assert len(here.successes) == 1


async def test_a_change_is_written_at_once_and_a_burst_together() -> None:
    """The first change of a burst does not wait; the others are written 50 ms later, in one go."""
    async with running() as here:
        await here.clock.advance(10)
        for _ in range(5):
            here.change(service())
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
    good, stale = (Flow(SERVICE_IP, 8123, Target(ip, 9123)) for ip in ("10.244.2.2", "10.244.9.9"))
    async with running(known=(good, stale)) as here:
        await here.clock.settle()
        assert here.recorder.known == (good,)
        await here.clock.advance(1)
        (svc,) = here.stores.services.list()
        here.stores.services.drop(key_of(svc))
        here.syncer.on_service(Change(EventType.DELETED, svc, None))
        await here.clock.settle()
        assert here.recorder.known == ()


async def test_attempts_at_what_is_gone_are_forgotten() -> None:
    """They alone, and where nothing has gone nobody looks."""
    async with running() as here:
        web = service("web", ip="10.96.7.8")
        slices = [
            endpoint_slice(*(endpoint(ip, node="node-2") for ip in ips), of="web", name="web-abcde")
            for ips in (["10.244.2.3", "10.244.2.4"], ["10.244.2.3"])
        ]
        here.recorder.tried = {Target("10.244.2.3", 9123), Target("10.244.2.4", 9123)}
        here.stores.services.put(web)
        here.recorder.listings = 0
        for each in slices:
            here.stores.slices.put(each)
            here.syncer.on_slice(Change(EventType.MODIFIED, each, each))
            await here.clock.advance(1)
        assert here.recorder.tried == {Target("10.244.2.3", 9123)}
        assert here.recorder.listings == 1


async def test_a_failure_forgets_no_difference() -> None:
    """What was not written is still different when it is tried again."""
    async with running() as here:
        await here.clock.advance(1)
        here.recorder.failure = "nft: no"
        here.stores.services.put(service("other", ip="10.96.7.8"))
        here.change(service("other"))
        await here.clock.settle()
        here.recorder.failure = ""
        await here.clock.advance(1)
        assert here.recorder.differences == 2
        assert here.recorder.text.count("10.96.7.8") == 2


async def test_changes_that_come_together_are_one_transaction() -> None:
    """Also while another is being written."""
    async with running() as here:
        await here.clock.advance(1)
        here.recorder.written.clear()
        for number in range(20):
            svc = service(f"web-{number}", ip=f"10.96.8.{number}")
            here.stores.services.put(svc)
            here.change(svc)
        await here.clock.advance(1)
        assert len(here.recorder.written) == 1
        assert here.recorder.differences == 40


async def test_flows_are_listed_only_where_endpoints_went() -> None:
    """A change of a Service without UDP, or another endpoint of one with it, looks at no flow."""
    async with running() as here:
        await here.clock.advance(1)
        here.recorder.listings = 0
        web = service("tcp", ip="10.96.7.8")
        here.stores.services.put(web)
        here.change(web)
        more = endpoint_slice(
            endpoint("10.244.2.2", node="node-2"), endpoint("10.244.2.3", node="node-2"), protocol="UDP"
        )
        here.stores.slices.put(more)
        here.syncer.on_slice(Change(EventType.MODIFIED, more, more))
        await here.clock.advance(1)
        assert "10.244.2.3" in here.recorder.text
        assert here.recorder.listings == 0


async def test_endpoints_that_move_to_another_service_are_told_to_both() -> None:
    """A slice whose label changes concerns the Service that it had, too."""
    async with running() as here:
        await here.clock.advance(1)
        (old,) = here.stores.slices.list()
        new = endpoint_slice(
            endpoint("10.244.2.2", node="node-2"), protocol="UDP", of="other", name="web-abcde"
        )
        here.stores.slices.put(new)
        here.syncer.on_slice(Change(EventType.MODIFIED, old, new))
        await here.clock.advance(1)
        assert "10.244.2.2" not in here.recorder.text


async def test_another_zone_of_the_own_node_concerns_every_service() -> None:
    """What is near is another matter then; another node's zone is nobody's."""
    async with running() as here:
        far = endpoint("10.244.2.2", node="node-2", zones=["b"])
        ends = endpoint_slice(endpoint("10.244.1.2", zones=["a"]), far, protocol="UDP")
        here.stores.slices.put(ends)
        here.syncer.on_slice(Change(EventType.MODIFIED, ends, ends))
        for zone, node, is_far in (
            ("", "node-1", True),
            ("a", "node-1", False),
            ("c", "node-1", True),
            ("a", "node-2", True),
        ):
            (old,) = (each for each in here.stores.nodes if each.metadata.name == node)
            new = routed_node(node, old.spec.podCIDR, old.status.addresses[1].address, zone)
            here.stores.nodes.put(new)
            here.syncer.on_node(Change(EventType.MODIFIED, old, new))
            await here.clock.advance(1)
            assert ("10.244.2.2 . 9123" in here.recorder.text) is is_far


async def test_a_heartbeat_wakes_nobody() -> None:
    """A node whose spec and addresses are as before is not looked at."""
    async with running() as here:
        await here.clock.advance(1)
        here.recorder.written.clear()
        same, moved = (
            routed_node("node-2", "10.244.2.0/24", address) for address in ("10.77.0.12", "10.77.0.22")
        )
        here.syncer.on_node(Change(EventType.MODIFIED, same, same))
        await here.clock.advance(1)
        assert here.recorder.written == []
        here.stores.nodes.put(moved)
        here.syncer.on_node(Change(EventType.MODIFIED, same, moved))
        await here.clock.advance(1)
        assert here.recorder.routes == {"10.244.2.0/24": "10.77.0.22"}
