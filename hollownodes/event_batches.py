"""The Events of many nodes, in as few requests as they fit into.

Each kubelet gathers its own for a moment already; here those of all that come in the same moment go together. What comes of
one is told to its kubelet alone; causes go with each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from machinery.client.transport import ApiRequest, New, Page, Transport
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.resources import EVENTS
from machinery.wire.resources import EACH_LIMIT

_GATHER_S: Final = 0.05  # wall seconds that a request waits for others


class _Waiting(NamedTuple):
    each: Sequence[New]
    answer: asyncio.Future[Page]


class EventBatches:
    """The requests that wait to be sent together."""

    def __init__(self, transport: Transport, tasks: asyncio.TaskGroup, clock: Clock) -> None:
        self._transport = transport
        self._tasks = tasks
        self._clock = clock
        self._waiting: list[_Waiting] = []

    async def write(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to one CreateEach, which may be sent with others.

        Raises:
            ApiError: nobody knows of any of the events, or the request as a whole was refused.
        """
        waiting = _Waiting(request.each, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._tasks.create_task(self._send_soon(timeout_s), name="events-together")
        return await waiting.answer

    async def _send_soon(self, timeout_s: float) -> None:
        await self._clock.sleep_wall(_GATHER_S)
        waiting, self._waiting = self._waiting, []
        for together in _portions(waiting):
            await self._send(together, timeout_s)

    async def _send(self, together: Sequence[_Waiting], timeout_s: float) -> None:
        each = tuple(new for waiting in together for new in waiting.each)
        try:
            page = await self._transport.page(ApiRequest("CreateEach", EVENTS, each=each), timeout_s)
        except ApiError as error:
            for waiting in together:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        place = 0
        for waiting in together:
            items = page.items[place : place + len(waiting.each)]
            place += len(waiting.each)
            if not waiting.answer.done():  # its kubelet has ended
                waiting.answer.set_result(Page(items, page.revision, "", sum(map(len, items))))


def _portions(waiting: Sequence[_Waiting]) -> list[list[_Waiting]]:
    """Divide requests into portions that one request can carry."""
    portions: list[list[_Waiting]] = [[]]
    size = 0
    for one in waiting:
        if portions[-1] and size + len(one.each) > EACH_LIMIT:
            portions.append([])
            size = 0
        portions[-1].append(one)
        size += len(one.each)
    return portions
