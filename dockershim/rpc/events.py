"""GetContainerEvents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from dockershim.shim import Shim


def get_container_events(shim: Shim) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """Make the RPC: every change from now on; it ends when the subscriber is too slow, who then lists again."""

    async def stream(_request: Any, context: Any) -> AsyncIterator[Any]:
        queue = shim.events.subscribe()
        try:
            await context.send_initial_metadata(())  # tells the client that from now on nothing is missed
            while (event := await queue.get()) is not None:
                yield event
        finally:
            shim.events.unsubscribe(queue)

    return stream
