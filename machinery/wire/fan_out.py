"""One source of events, many streams of an RPC: each subscriber has a bounded queue of its own.

The CRI's GetContainerEvents is served from it, by dockershim and by the hollow runtime. Who is too slow loses its
stream, and lists again: an event that a subscriber missed is never passed over in silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

BACKLOG: Final = 1_000  # events that a slow subscriber may lag behind


class FanOut:
    """The subscribers of one source."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Any | None]] = set()

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._queues)

    def subscribe(self) -> asyncio.Queue[Any | None]:
        """Return a queue of the events from now on; None in it says that events were lost."""
        queue: asyncio.Queue[Any | None] = asyncio.Queue(BACKLOG)
        self._queues.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Any | None]) -> None:
        """Stop adding events to a queue. Idempotent."""
        self._queues.discard(queue)

    def publish(self, event: Any) -> None:
        """Add an event to every queue; one that is full ends with None."""
        for queue in list(self._queues):
            if queue.full():
                self.unsubscribe(queue)
                queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    async def serve(self, context: Any) -> AsyncIterator[Any]:
        """Yield the events of one RPC from now on, until its client leaves or is too slow."""
        queue = self.subscribe()
        try:
            await context.send_initial_metadata(())  # tells the client that from now on nothing is missed
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self.unsubscribe(queue)
