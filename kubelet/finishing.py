"""Calls that are better ended than broken off.

A request to the runtime that is cancelled half way may still be carried out, unseen. So whoever is cancelled while
making or starting something waits for the answer first, unless the whole process is going.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def finish(work: Awaitable[T], is_draining: Callable[[], bool]) -> T:
    """Await something that runs to its end even where the caller is cancelled; the cancellation comes after it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if is_draining():
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at: the caller is gone
        raise
