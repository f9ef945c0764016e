"""Work that takes longer than the event loop can be kept waiting is done beside it, in a thread.

One thread does all of it: several would keep the loop from its turns, as only one of them runs at a time. What is given
away may not be changed by anybody until it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

import msgspec

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

SMALL: Final = 32 * 1024  # bytes of JSON that are read and checked in some 10 ms
_THREAD: Final = ThreadPoolExecutor(1, "aside")


async def aside(weight: int, work: Callable[[Unpack[Ts]], R], *given: *Ts) -> R:
    """Return what `work` returns; it is done here where the weight, in bytes of JSON, is small.

    Raises:
        Exception: what `work` raises.
    """
    if weight <= SMALL:
        return work(*given)
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work, *given)


def weigh(value: Any) -> int:
    """Return how many bytes of JSON a value takes; some µs for an object as they usually are."""
    return len(msgspec.json.encode(value))
