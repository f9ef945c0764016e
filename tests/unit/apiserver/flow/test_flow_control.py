"""Floods: what they take, and what they leave to everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.flow_control import FlowControl
from apiserver.flow_pages import FlowPages
from apiserver.request import ObjectReply, Request, UserInfo, WriteOptions
from apiserver.rest.http_request import HttpRequest
from apiserver.storage.memory import MemoryStorage
from machinery.model.errors import TooManyRequests
from machinery.process.clock import SystemClock
from machinery.process.metrics import Metrics
from machinery.process.tls import Peer
from tests.support.apiserver import ADMIN, RegistryBench, config_map, running_registry
from tests.support.both_doors import both_doors
from tests.support.virtual_clock import VirtualClock

LEASES = "kube-node-lease"
AUTH = "system:authenticated"
JANE = UserInfo("jane", groups=(AUTH,))
ACCOUNT = UserInfo("system:serviceaccount:default:app", groups=("system:serviceaccounts", AUTH))
OTHER_ACCOUNT = UserInfo("system:serviceaccount:default:other", groups=("system:serviceaccounts", AUTH))
NODE = UserInfo("system:node:node-1", groups=("system:nodes", AUTH))
SCHEDULER = UserInfo("system:kube-scheduler", groups=(AUTH,))


class SlowConfigMaps(MemoryStorage):
    """A store that writes ConfigMaps when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()
        self.begun = 0

    async def create(self, key: str, *arguments: Any, **options: Any) -> Any:
        """Create."""
        if key.startswith("/registry/configmaps/default/flood"):
            self.begun += 1
            await self.released.wait()
        return await super().create(key, *arguments, **options)


def creation(bench: RegistryBench, user: UserInfo, name: str) -> Awaitable[ObjectReply]:
    """Create a ConfigMap as a user, who has been authorized."""
    body = msgspec.json.encode(config_map(name))
    request = bench.request("create", "configmaps", body=body, writing=WriteOptions())
    return bench.registry.create(msgspec.structs.replace(request, user=user))


def lease(bench: RegistryBench, user: UserInfo, name: str) -> Awaitable[ObjectReply]:
    """Create a Lease as a user."""
    body = msgspec.json.encode({"metadata": {"name": name}, "spec": {"holderIdentity": user.name}})
    request = bench.request("create", "leases", namespace=LEASES, body=body, writing=WriteOptions())
    return bench.registry.create(msgspec.structs.replace(request, user=user))


async def test_a_flood_is_bounded_and_the_systems_own_does_not_wait() -> None:
    """Nor does another caller of the same level wait behind all of it."""
    storage = SlowConfigMaps()
    async with running_registry(storage, clock=SystemClock()) as bench, asyncio.timeout(20):
        await bench.create("namespaces", {"metadata": {"name": LEASES}})
        flood = [asyncio.ensure_future(creation(bench, ACCOUNT, f"flood-{n}")) for n in range(500)]
        refused, _ = await asyncio.wait(flood, timeout=0.2)
        assert all(isinstance(each.exception(), TooManyRequests) for each in refused)
        assert 0 < storage.begun < 60
        assert len(refused) == 500 - storage.begun - 300
        await lease(bench, NODE, "node-1")
        await lease(bench, SCHEDULER, "kube-scheduler")
        await creation(bench, SCHEDULER, "a-scheduler")
        await creation(bench, JANE, "janes")
        await creation(bench, ADMIN, "an-admins")
        other = asyncio.ensure_future(creation(bench, OTHER_ACCOUNT, "others"))
        begun = storage.begun
        storage.released.set()
        await other
        assert storage.begun - begun < 300
        ended = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(each, ObjectReply) for each in ended) == 500 - len(refused)
        await creation(bench, ACCOUNT, "after")


def request(user: UserInfo) -> Request:
    """Write a request."""
    return Request(user=user, verb="get", resource="pods")


async def test_who_waits_too_long_is_refused() -> None:
    """And who is cancelled loses nothing of the others."""
    clock = VirtualClock()
    control = FlowControl(1, Metrics(), clock, wait_s=15)
    busy = []
    while True:
        ticket = control.arrive(request(JANE))
        assert ticket is not None
        if ticket.seated is not None:
            break
        busy.append(ticket)
    begun = clock.now()
    with pytest.raises(TooManyRequests):
        await control.wait(ticket)
    assert clock.now() - begun == 15
    control.leave(ticket)
    second, third = control.arrive(request(JANE)), control.arrive(request(JANE))
    assert second is not None
    assert third is not None
    control.leave(second)
    control.leave(busy[0])
    await control.wait(third)
    for each in (third, *busy[1:]):
        control.leave(each)
    assert all(control.arrive(request(JANE)) is not None for _ in busy)


async def test_what_waits_is_shown() -> None:
    """In Kubernetes' pages and metrics: levels, queues, requests, with who asks for what where that is wanted."""
    control = FlowControl(1, metrics := Metrics(), VirtualClock())
    pages = FlowPages(control)
    metrics.add(pages)
    served = []
    while (ticket := control.arrive(request(JANE))) is not None and ticket.seated is None:
        served.append(ticket)
    control.arrive(request(JANE))
    shown = {
        name: pages.page(f"dump_{name}", details=True) or ""
        for name in ("priority_levels", "queues", "requests")
    }
    rows = {
        name: [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
        for name, text in shown.items()
    }
    level = next(row for row in rows["priority_levels"] if row[0] == "global-default")
    count = str(len(served))
    assert level[1:] == ["1", "false", "false", "2", count, count, "0", "0", "0"]
    assert [row[:5] for row in rows["queues"][1:]] == [["global-default", "0", "2", count, count]]
    assert [row[:5] for row in rows["requests"][1:]] == [
        ["global-default", "global-default", "0", str(place), "jane"] for place in range(2)
    ]
    assert rows["requests"][1][9:] == ["jane", "get", "", "", "", "v1", "pods", ""]
    assert pages.page("dump_requests", details=False) != shown["requests"]
    assert pages.page("dump_nothing", details=False) is None
    rendered = metrics.render()
    labels = '{priority_level="global-default",flow_schema="global-default"}'
    for name, value in (
        ("current_inqueue_requests", "2"),
        ("current_executing_seats", count),
        ("dispatched_requests_total", count),
    ):
        assert f"apiserver_flowcontrol_{name}{labels} {value}\n" in rendered
    assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="catch-all"} 1\n' in rendered


async def test_open_bodies_of_one_user_are_theirs_to_bear() -> None:
    """620 of them: their user is told to come back, everybody else is answered."""
    never = asyncio.Event()

    async def body() -> bytes:
        await never.wait()
        return b""

    def posted(name: str) -> HttpRequest:
        path = "/api/v1/namespaces/default/configmaps"
        return HttpRequest("POST", path, CIMultiDictProxy(CIMultiDict()), Peer(name), body)

    def got(path: str, peer: Peer) -> HttpRequest:
        return HttpRequest("GET", path, CIMultiDictProxy(CIMultiDict()), peer, b"")

    async with running_registry() as bench, both_doors(bench) as doors, asyncio.timeout(20):
        doors.caller.user = UserInfo("editor", groups=(AUTH,))
        bench.core.gate.admit = _everything  # type: ignore[method-assign]
        flood = [asyncio.ensure_future(doors.door.answer(posted("editor"))) for _ in range(620)]
        done, waiting = await asyncio.wait(flood, timeout=0.2)
        assert {each.result().status for each in done} == {429}
        assert len(waiting) == 200
        bench.core.gate.admit_path = _every_path  # type: ignore[method-assign]
        assert (await doors.door.answer(got("/livez", Peer("editor")))).status == 200
        for user in (JANE, NODE, ADMIN):
            doors.caller.user = user
            reply = await doors.door.answer(got("/api/v1/namespaces/default/configmaps", Peer(user.name)))
            assert reply.status == 200
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)
        doors.caller.user = UserInfo("editor", groups=(AUTH,))
        reply = await doors.door.answer(got("/api/v1/namespaces/default/configmaps", Peer("editor")))
        assert reply.status == 200


async def _everything(_request: Request) -> None:
    """Admit everybody."""


async def _every_path(_user: UserInfo, _verb: str, _path: str) -> None:
    """Admit everybody."""
