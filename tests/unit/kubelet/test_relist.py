"""When everything is looked at: often where the runtime tells nothing, seldom where it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from kubelet.relist import Relist
from machinery.model.errors import Unavailable
from tests.support.virtual_clock import VirtualClock


class _Runtime:
    """Has nothing; tells events once it is let, until it is broken."""

    def __init__(self) -> None:
        self.lists = 0
        self.tells = asyncio.Event()
        self.breaks = asyncio.Event()

    async def list_sandboxes(self, _labels: Any = None) -> Sequence[Any]:
        self.lists += 1
        return ()

    async def list_containers(self, _labels: Any = None) -> Sequence[Any]:
        return ()

    async def container_events(self) -> AsyncIterator[Any]:
        await self.tells.wait()
        yield None
        await self.breaks.wait()
        raise Unavailable("the connection has broken")


@pytest.fixture
async def clock() -> VirtualClock:
    return VirtualClock()


async def test_events_take_the_place_of_looking(clock: VirtualClock) -> None:
    """Each second before; once when the stream is there, for what came before it; then each half minute."""
    runtime: Any = _Runtime()
    relist = asyncio.ensure_future(Relist(runtime, clock).run())
    await clock.advance(5.5)
    assert runtime.lists == 6
    runtime.tells.set()
    await clock.advance(0.1)
    assert runtime.lists == 7
    await clock.advance(29)
    assert runtime.lists == 7
    await clock.advance(1)
    assert runtime.lists == 8
    relist.cancel()
    await asyncio.gather(relist, return_exceptions=True)


async def test_a_stream_that_breaks_is_a_reason_to_look_at_once(clock: VirtualClock) -> None:
    """And again when the next one is there: nobody told of what happened between."""
    runtime: Any = _Runtime()
    runtime.tells.set()
    relist = asyncio.ensure_future(Relist(runtime, clock).run())
    await clock.advance(1)
    seen = runtime.lists
    runtime.tells.clear()
    runtime.breaks.set()
    await clock.advance(0.01)
    assert runtime.lists == seen + 1
    await clock.advance(5)
    assert runtime.lists > seen + 4  # it looks each second again
    seen = runtime.lists
    runtime.breaks.clear()
    runtime.tells.set()
    await clock.advance(0.01)
    assert runtime.lists == seen + 1
    relist.cancel()
    await asyncio.gather(relist, return_exceptions=True)
