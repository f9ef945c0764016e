"""Waiting for an event, or for cluster time to pass, whichever comes first."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from machinery.model.clock import Clock


async def event_within(event: asyncio.Event, clock: Clock, limit_s: float | None) -> bool:
    """Wait until the event is set, at most so many cluster seconds (None: for ever). Return whether it is set."""
    if limit_s is None:
        await event.wait()
    elif not event.is_set():
        with suppress(TimeoutError):
            async with clock.timeout(limit_s):
                await event.wait()
    return event.is_set()
