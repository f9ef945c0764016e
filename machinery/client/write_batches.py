"""Writes of a process that come in quick succession, in as few requests as they fit into.

What is written in the same moment goes together, by kind; what is alone then goes as it came. Each is still a write of its own
to the store. What comes of one is told to its writer alone; causes go with each. A renewal that comes alone is a request, a
transaction and two wake-ups of every process on its way; a hundred that come together are a hundred transactions, and everything
else once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final, NamedTuple

from machinery.client.transport import ApiRequest, Method, One, Page, Transport, refusal_in
from machinery.model.clock import Clock
from machinery.model.requests import PatchType
from machinery.model.resources import NODES, PODS, Resource
from machinery.wire.cause_headers import acting, acting_on
from machinery.wire.resources import EACH_LIMIT

_MOST: Final = {
    str(NODES): 16,
    str(PODS): 32,
}  # of what costs the apiserver more: it is through with one request in some 50 ms
_TOGETHER: Final[dict[Method, Method]] = {
    "Create": "CreateEach",
    "Update": "UpdateEach",
    "Patch": "PatchEach",
}


class Line(NamedTuple):
    """What waits for each other: requests that differ in nothing but their objects."""

    method: Method  # as it is sent
    resource: Resource[Any]
    subresource: str
    patch_type: PatchType


class _Waiting(NamedTuple):
    each: Sequence[One]
    timeout_s: float
    answer: asyncio.Future[Page]
    alone: ApiRequest | None = None  # of one object: how it goes without others


def line_of(request: ApiRequest) -> Line:
    """Return with which others a write may go. One that carries a fence may not."""
    method = _TOGETHER.get(request.method, request.method)
    return Line(method, request.resource, request.subresource, request.patch_type)


class WriteBatches:
    """The requests that wait to be sent together."""

    def __init__(
        self,
        transport: Transport,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        *,
        gather_s: float = 0.0,
        at_once: int | None = None,
    ) -> None:
        """A request waits so many wall seconds for others, and while as many as `at_once` are under way."""
        self._transport = transport
        self._tasks = tasks
        self._clock = clock
        self._gather_s = gather_s
        self._slots = asyncio.Semaphore(at_once) if at_once else nullcontext()
        self._waiting: dict[Line, list[_Waiting]] = {}

    async def call(self, line: Line, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer to the write of one object, which may be sent with others.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        if self._may_go_now(line):
            async with self._slots:
                return await self._transport.call(request, timeout_s)
        one = One(request.namespace, request.body, acting_on.get(), request.name)
        page = await self._sent(line, (one,), timeout_s, request)
        answer: bytes = page.items[0]
        if (refusal := refusal_in(answer)) is not None:
            raise refusal
        return answer

    async def page(self, line: Line, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to the write of several, which may be sent with others.

        Raises:
            ApiError: nobody knows of any of them, or the request as a whole was refused.
        """
        return await self._sent(line, request.each, timeout_s)

    def _may_go_now(self, line: Line) -> bool:
        """Whether a write need not wait for others, as fewer requests are under way than may be."""
        return isinstance(self._slots, asyncio.Semaphore) and not (
            self._gather_s or line in self._waiting or self._slots.locked()
        )

    async def _sent(
        self, line: Line, each: Sequence[One], timeout_s: float, alone: ApiRequest | None = None
    ) -> Page:
        waiting = _Waiting(each, timeout_s, asyncio.get_running_loop().create_future(), alone)
        together = self._waiting.setdefault(line, [])
        together.append(waiting)
        if len(together) == 1:
            self._tasks.create_task(self._send_soon(line), name="written-together")
        return await waiting.answer

    async def _send_soon(self, line: Line) -> None:
        await self._clock.sleep_wall(self._gather_s)
        async with self._slots:
            # who waited may have ended meanwhile
            waiting = [each for each in self._waiting.pop(line) if not each.answer.done()]
            for together in _portions(waiting, _MOST.get(str(line.resource), EACH_LIMIT)):
                await self._send(line, together)

    async def _send(self, line: Line, together: Sequence[_Waiting]) -> None:
        try:
            page = await self._answer(line, together)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs who wait, and not the others'
            for waiting in together:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        place = 0
        for waiting in together:
            items = page.items[place : place + len(waiting.each)]
            place += len(waiting.each)
            if not waiting.answer.done():
                waiting.answer.set_result(Page(items, page.revision, "", sum(map(len, items))))

    async def _answer(self, line: Line, together: Sequence[_Waiting]) -> Page:
        timeout_s = min(waiting.timeout_s for waiting in together)
        each = tuple(one for waiting in together for one in waiting.each)
        if len(together) == 1 and (alone := together[0].alone) is not None:
            with acting(each[0].causes):
                answer = await self._transport.call(alone, timeout_s)
            return Page((answer,), 0, "", len(answer))
        request = ApiRequest(
            line.method, line.resource, subresource=line.subresource, patch_type=line.patch_type, each=each
        )
        return await self._transport.page(request, timeout_s)


def _portions(waiting: Sequence[_Waiting], most: int) -> list[list[_Waiting]]:
    """Divide requests into portions of so many objects, as one request can carry."""
    portions: list[list[_Waiting]] = []
    size = most
    for one in waiting:
        if size + len(one.each) > most:
            portions.append([])
            size = 0
        portions[-1].append(one)
        size += len(one.each)
    return portions
