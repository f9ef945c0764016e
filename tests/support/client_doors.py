"""Ways to an apiserver, and what the suites of the client ask through them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import EventType, Selection, WatchEvent
from machinery.process.faults import PlannedFaults
from tests.support.streams import closing


@dataclass(frozen=True)
class Door:
    """A way to an apiserver, and what a test may do to what is behind it."""

    transport: str
    api: Api
    forget: Callable[[], None]  # as a compaction: watches from before now cannot go on
    bookmark: Callable[[], None]  # send running watches a bookmark now


@dataclass(frozen=True)
class FaultyDoor:
    """A connection whose client follows a fault plan, and one to the same apiserver that works."""

    api: Api
    healthy: Api
    plan: PlannedFaults


def config_map(name: str = "a", *, data: dict[str, str] | None = None, **meta: Any) -> ConfigMap:
    """Build a ConfigMap to create."""
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", **meta), data=data or {})


async def revision(api: Api) -> str:
    """Return the revision from which a watch sees what comes now."""
    return str((await api.list(kinds.CONFIG_MAPS, Selection("default"))).revision)


@dataclass
class Watched:
    """A running watch, read as the test needs it."""

    batches: AsyncIterator[Any]
    seen: list[WatchEvent[Any]] = field(default_factory=list)

    async def batch(self) -> list[WatchEvent[Any]]:
        async with asyncio.timeout(60):
            return list(await anext(self.batches))

    async def read(self) -> None:
        """Wait for more events, and keep them, bookmarks left out."""
        self.seen += [each for each in await self.batch() if each.type is not EventType.BOOKMARK]

    async def take(self, count: int) -> list[WatchEvent[Any]]:
        """Return the next events, bookmarks left out."""
        while len(self.seen) < count:
            await self.read()
        taken, self.seen = self.seen[:count], self.seen[count:]
        return taken


@contextlib.asynccontextmanager
async def watching(api: Api, start: str, selection: Selection | None = None) -> AsyncIterator[Watched]:
    """Watch ConfigMaps, established before the block begins."""
    watch = api.watch(kinds.CONFIG_MAPS, selection or Selection("default"), resource_version=start)
    async with closing(watch) as stream:
        watched = Watched(stream)
        await watched.read()
        yield watched


def told(events: list[WatchEvent[Any]]) -> list[tuple[str, str]]:
    """Say what happened to whom."""
    return [(each.type.value, each.object.metadata.name if each.object else "") for each in events]
