"""GetContainerEvents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from dockershim.shim import Shim


def get_container_events(shim: Shim) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """Return the RPC: every change from now on; it ends when the subscriber is too slow, who then lists again."""

    def stream(_request: Any, context: Any) -> AsyncIterator[Any]:
        return shim.events.subscribers.serve(context)

    return stream
