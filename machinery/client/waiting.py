"""Waiting for an event, or for cluster time to pass, whichever comes first."""

from __future__ import annotations

import asyncio

from machinery.model.clock import Clock


async def event_within(event: asyncio.Event, clock: Clock, limit_s: float | None) -> bool:
    """Wait until the event is set, at most so many cluster seconds (None: for ever). Return whether it is set."""
    if limit_s is None:
        await event.wait()
    if event.is_set() or limit_s is None:
        return event.is_set()
    waiting = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep(limit_s))]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return event.is_set()
