"""Work that takes longer than the event loop can be kept waiting is done beside it, in a thread.

One thread does all of it: several would keep the loop from its turns, as only one of them runs at a time. What is given
away may not be changed by anybody until it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

import msgspec

from apiserver.core.conversion import ConversionNeeded
from machinery.model.errors import InternalError

R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CONVERSIONS: Final = 20  # that one piece of work may need
SMALL: Final = 32 * 1024  # bytes of JSON that are read and checked in some 10 ms
_SLICE: Final = 128 * 1024  # bytes of JSON, after which others have their turn
_THREAD: Final = ThreadPoolExecutor(1, "aside")


async def aside(weight: int, work: Callable[[Unpack[Ts]], R], *given: *Ts) -> R:
    """Return what `work` returns; it is done here where the weight, in bytes of JSON, is small.

    Work that needs conversions that somebody else makes is done anew once each of them has been made.

    Raises:
        Exception: what `work` raises.
    """
    for _ in range(CONVERSIONS):
        try:
            if weight <= SMALL:
                return work(*given)
            return await asyncio.get_running_loop().run_in_executor(_THREAD, work, *given)
        except ConversionNeeded as needed:
            await needed.make()
    raise InternalError("the object needs more and more conversions")


def slices(
    items: Sequence[T], weight_of: Callable[[T], int], most: int = _SLICE
) -> Iterator[tuple[Sequence[T], int]]:
    """Yield the items in slices that are not too heavy for one turn, with their weights; an item is never divided."""
    begin, weight = 0, 0
    for end, item in enumerate(items):
        own = weight_of(item)
        if weight and weight + own > most:
            yield items[begin:end], weight
            begin, weight = end, 0
        weight += own
    if begin < len(items):
        yield items[begin:], weight


def weigh(value: Any) -> int:
    """Return how many bytes of JSON a value takes; some µs for an object as they usually are."""
    return len(msgspec.json.encode(value))
