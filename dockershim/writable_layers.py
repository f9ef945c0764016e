"""What containers have written into their own file systems, beside their volumes: measured when somebody asks, and not too often.

The engine keeps it in a folder of its own for each container (overlay2), which is walked in a thread where it can be seen
from here. Elsewhere (another storage driver, a node that is a container itself) the engine measures, by apparent sizes.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final

from dockershim.core.states import Details
from dockershim.docker import Engine
from machinery.model.clock import Clock
from machinery.pb import cri_pb2 as cri
from machinery.process.trees import measure_tree

_LEAST_NS: Final = 5 * 10**9  # wall time between two measurements of one container
_MOST_ENTRIES: Final = 500_000  # files and folders of one container that are looked at: a few seconds


class WritableLayers:
    """Measures one container at a time, and remembers what it found."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._known: dict[str, Any] = {}  # FilesystemUsage by id
        self._measuring = asyncio.Lock()

    async def usage(self, details: Details) -> Any:
        """Return CRI's FilesystemUsage of a container; as it was at most five seconds ago.

        Raises:
            NotFound: it is gone.
            ApiError: the engine does not answer.
        """
        async with self._measuring:
            known = self._known.get(details.id)
            if known is None or self._clock.wall_ns() - known.timestamp >= _LEAST_NS:
                known = self._known[details.id] = await self._measure(details)
            return known

    def forget(self, id_: str) -> None:
        """Drop what is remembered of a container that is gone."""
        self._known.pop(id_, None)

    async def _measure(self, details: Details) -> Any:
        folder = details.layer_folder
        is_seen = await asyncio.to_thread(os.path.isdir, folder)
        if is_seen:
            size = await asyncio.to_thread(measure_tree, Path(folder), _MOST_ENTRIES)
            return _usage(self._clock.wall_ns(), folder, size.used_bytes, size.inodes)
        return _usage(self._clock.wall_ns(), folder, await self._engine.layer_bytes(details.id), None)


def _usage(now_ns: int, folder: str, used_bytes: int, inodes: int | None) -> Any:
    usage = cri.FilesystemUsage(timestamp=now_ns, used_bytes=cri.UInt64Value(value=used_bytes))
    usage.fs_id.mountpoint = folder
    if inodes is not None:
        usage.inodes_used.value = inodes
    return usage
