"""What the runtime's events tell of starts, kept for a moment for those who have made them: then they need not ask.

Fed by `Relist` from the event stream. Runtimes tell of a start about when they answer the call that made it: before it or
a little after, and some never.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, Final

from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.pb import cri_pb2 as cri

_KEPT: Final = 128  # events that nobody has asked for: as many as can be started at once, and more
_WAIT_S: Final = 0.02  # wall seconds that an event may come after the answer


class StartNews:
    """The newest events of starts, by what was started: CRI ContainerEventResponse messages."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: OrderedDict[str, Any] = OrderedDict()
        self._awaited: dict[str, asyncio.Event] = {}

    def tell(self, event: Any) -> None:
        """Keep an event of a start until it is asked for, or until there is a newer one: then the runtime is to be asked."""
        self._events.pop(event.container_id, None)
        if event.container_event_type != cri.CONTAINER_STARTED_EVENT:
            return
        self._events[event.container_id] = event
        if len(self._events) > _KEPT:
            self._events.popitem(last=False)
        if awaited := self._awaited.get(event.container_id):
            awaited.set()

    def forget(self) -> None:
        """Drop what was told: the stream has ended, so nobody knows whether it is the newest."""
        self._events.clear()

    async def take(self, id_: str) -> Any | None:
        """Return the event of something that has just been started, None where it does not come within a moment."""
        if id_ not in self._events:
            self._awaited[id_] = awaited = asyncio.Event()
            try:
                await event_within(awaited, self._clock, self._clock.timescale.cluster(_WAIT_S))
            finally:
                del self._awaited[id_]
        return self._events.pop(id_, None)
