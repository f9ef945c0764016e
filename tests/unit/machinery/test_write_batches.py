"""Writes that share requests, and are answered for themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from machinery.client.transport import ApiRequest, One, Page
from machinery.client.write_batches import WriteBatches, line_of
from machinery.model.causes import CauseRef
from machinery.model.errors import Conflict, Unavailable
from machinery.model.resources import EVENTS, LEASES
from machinery.wire.cause_headers import acting, acting_on
from tests.support.virtual_clock import VirtualClock


class Server:
    """Takes events, and remembers how many came together."""

    def __init__(self, *, is_down: bool = False) -> None:
        self.sizes: list[int] = []
        self.is_down = is_down

    async def page(self, request: ApiRequest, _timeout_s: float) -> Page:
        self.sizes.append(len(request.each))
        if self.is_down:
            raise Unavailable("nobody answers")
        return Page([new.body for new in request.each], 7, "", 0)


def _request(*bodies: bytes) -> ApiRequest:
    return ApiRequest("CreateEach", EVENTS, each=tuple(One("default", body, ()) for body in bodies))


async def _written(server: Server, requests: Sequence[ApiRequest]) -> list[Page | BaseException]:
    clock = VirtualClock()
    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(server, tasks, clock, gather_s=0.1)  # type: ignore[arg-type]
        return await asyncio.gather(
            *(batches.page(line_of(each), each, 5) for each in requests), return_exceptions=True
        )


class Leases:
    """Answers each write with what was sent, and refuses that of "b"."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []

    async def call(self, request: ApiRequest, _timeout_s: float) -> bytes:
        assert request.method == "Update"
        self.names.append([request.name])
        return request.body

    async def page(self, request: ApiRequest, _timeout_s: float) -> Page:
        assert request.method == "UpdateEach"
        self.names.append([one.name for one in request.each])
        refused = msgspec.json.encode(Conflict("somebody else wrote").to_status())
        return Page([refused if one.name == "b" else one.body for one in request.each], 0, "", 0)


def _renewal(name: str) -> ApiRequest:
    return ApiRequest(
        "Update", LEASES, "kube-node-lease", name, body=b'{"kind":"Lease","n":"%b"}' % name.encode()
    )


async def test_renewals_of_a_moment_go_together_and_each_hears_of_its_own():
    """What nobody waits for any more, as its node has no power, is not sent."""
    server = Leases()
    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(server, tasks, VirtualClock(), gather_s=0.2)  # type: ignore[arg-type]
        a, b, c = (
            asyncio.ensure_future(batches.call(line_of(_renewal(name)), _renewal(name), 5)) for name in "abc"
        )
        await asyncio.sleep(0)
        c.cancel()
        found = await asyncio.gather(a, b, c, return_exceptions=True)
    assert found[0] == _renewal("a").body
    assert [type(each) for each in found[1:]] == [Conflict, asyncio.CancelledError]
    assert server.names == [["a", "b"]]


async def test_what_cannot_be_sent_is_theirs_who_sent_it():
    """And the next ones go on."""

    class Failing(Leases):
        async def page(self, request: ApiRequest, timeout_s: float) -> Page:
            if "a" in {one.name for one in request.each}:
                raise ValueError("cannot be written")
            return await super().page(request, timeout_s)

        async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
            if request.name == "a":
                raise ValueError("cannot be written")
            return await super().call(request, timeout_s)

    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(Failing(), tasks, VirtualClock(), gather_s=0.2)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="cannot be written"):
            await batches.call(line_of(_renewal("a")), _renewal("a"), 5)
        assert await batches.call(line_of(_renewal("c")), _renewal("c"), 5) == _renewal("c").body


async def test_events_of_a_moment_go_together_and_each_hears_of_its_own():
    """In requests that are not larger than the server takes."""
    server = Server()
    requests = [_request(*(b"%d-%d" % (number, each) for each in range(60))) for number in range(5)]
    pages = await _written(server, requests)
    assert [page.items for page in pages] == [[new.body for new in each.each] for each in requests]
    assert server.sizes == [120, 120, 60]


async def test_all_hear_of_a_request_that_failed():
    """Each decides for itself whether it tries again."""
    found = await _written(Server(is_down=True), [_request(b"a"), _request(b"b")])
    assert [type(each) for each in found] == [Unavailable, Unavailable]


async def test_what_is_alone_goes_as_it_came():
    """By the request of one object, and because of its causes."""
    cause = CauseRef("pods", "default", "a", "uid", 7)
    because: list[Any] = []

    class Watched(Leases):
        async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
            because.append(acting_on.get())
            return await super().call(request, timeout_s)

    server = Watched()
    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(server, tasks, VirtualClock())  # type: ignore[arg-type]
        with acting((cause,)):
            assert await batches.call(line_of(_renewal("a")), _renewal("a"), 5) == _renewal("a").body
    assert (server.names, because) == ([["a"]], [(cause,)])


async def test_what_comes_while_requests_are_under_way_goes_with_the_next():
    """In order, so that nobody waits for others where there are none."""
    arrived = asyncio.Semaphore(0)

    class Slow(Leases):
        async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
            await arrived.acquire()
            return await super().call(request, timeout_s)

    server = Slow()
    async with asyncio.TaskGroup() as tasks:
        batches = WriteBatches(server, tasks, VirtualClock(), at_once=1)  # type: ignore[arg-type]
        asked = [
            tasks.create_task(batches.call(line_of(_renewal("a")), _renewal("a"), 5)),
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asked += [
            tasks.create_task(batches.call(line_of(_renewal(name)), _renewal(name), 5)) for name in "cde"
        ]
        await asyncio.sleep(0)
        arrived.release()
    assert server.names == [["a"], ["c", "d", "e"]]
    assert [each.result() for each in asked] == [_renewal(name).body for name in "acde"]
