"""Fills the holes that imports leave in the memory of a process before others are forked from it.

A forked process shares its parent's pages until it writes to them. Imports leave free places between the objects
that stay, and the C library and Python take those first: so each small thing that a child allocates would cost it
a page of its own, a third of its memory. The parent takes these places itself, and what a child allocates lies
together. They are resident anyway; nothing is put into them, and nothing else depends on it.
"""

from __future__ import annotations

import ctypes
from typing import Final

# Python's allocator (obmalloc.c): small objects of one size lie together in pools; what is larger is malloc's.
_POOL_BYTES: Final = 16 * 1024
_SIZES: Final = range(48, 512 + 1, 16)
_EMPTY_BYTES: Final = b"".__sizeof__()
_MAX_OBJECTS: Final = 10_000  # of one size: where pools look otherwise than described, the filling ends
_LARGEST_HOLE_BYTES: Final = 64 * 1024  # below the size from which malloc maps pages for a block alone

_fillers: list[bytes] = []


def fill_holes() -> None:
    """Allocate what is free between the objects of this process, for ever; to be done once, before it forks."""
    _fill_malloc()
    for size in _SIZES:
        _fill_pools(size)


def _fill_pools(size: int) -> None:
    """Allocate objects of a size until they come from a pool that was empty: then their addresses follow each other."""
    last = following = 0
    for _ in range(_MAX_OBJECTS):
        filler = bytes(size - _EMPTY_BYTES)
        _fillers.append(filler)
        following = following + 1 if id(filler) == last + size else 0
        last = id(filler)
        if following * size > _POOL_BYTES // 2:
            return


class _MallocInfo(ctypes.Structure):
    """`struct mallinfo2` of malloc.h."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def _fill_malloc() -> None:
    """Allocate blocks of each size, large ones first, until they come from the end of the heap."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return  # not glibc, or one before 2.33
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    libc.sbrk.argtypes, libc.mallinfo2.restype = [ctypes.c_ssize_t], _MallocInfo
    size = _LARGEST_HOLE_BYTES
    while size >= min(_SIZES):
        end = libc.sbrk(0) - libc.mallinfo2().keepcost
        while (block := libc.malloc(size) or end) < end:
            pass
        libc.free(block if block != end else None)
        size -= max(16, size // 16)
