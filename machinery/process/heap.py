"""What a burst has taken is given back: memory that C's allocator keeps after it was freed goes back to the machine.

Thousands of connections cost their buffers in C (TLS, gRPC), in small pieces. When they are gone the allocator keeps
most of that for the next burst, and the machine goes without. Python's own memory is not concerned.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from machinery.process.metrics import resident_bytes

_WORTH_IT: Final = 8 * 1024 * 1024  # bytes; where it was less, the next look may come later
_SOON_S: Final = 30.0  # wall seconds between two looks, after one that was worth it
_LATE_S: Final = 480.0  # and when there was nothing several times


def trim() -> int:
    """Return free memory to the machine, and how many bytes that was; 0 where the C library cannot."""
    give_back = _malloc_trim()
    if give_back is None:
        return 0
    before = resident_bytes()
    give_back(0)
    return max(0, before - resident_bytes())


async def keep_trimmed(sleep: Callable[[float], Awaitable[None]], trim: Callable[[], int] = trim) -> None:
    """Trim again and again, beside the event loop; `sleep` takes wall seconds. Does not return."""
    pause_s = _SOON_S
    while True:
        await sleep(pause_s)
        gained = await asyncio.to_thread(trim)
        pause_s = _SOON_S if gained >= _WORTH_IT else min(2 * pause_s, _LATE_S)


@functools.cache
def _malloc_trim() -> Any:
    import ctypes

    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone; without the interpreter's lock
