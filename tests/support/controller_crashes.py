"""One controller's process that dies after a chosen write, over and over a course of events, and what comes out of it.

The write has been carried out when the process dies; its answer never arrives. What it does from then on has no effect,
until a fresh process, with nothing in its memory, takes its place.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from apiserver.core.kinds import KINDS
from controllers.core.controller import Build
from machinery.client.waiting import event_within
from machinery.model.errors import Unavailable
from tests.support.controllers_cluster import Cluster, cluster_with

_QUIET_S: Final = 3.0  # virtual: longer than what failed waits for its next try
_ROUNDS: Final = 100
_BESIDE: Final = frozenset(
    {"events", "leases"}
)  # written beside the work: no plan depends on whether they were
_NOT_COMPARED: Final = frozenset(
    {"resourceVersion", "managedFields", "timeAdded", "generation", "finishedAt", "startedAt"}
)


class CrashWorld:
    """A cluster whose only controllers are those of `table`; it counts their writes, and dies once after a chosen one."""

    def __init__(self, cluster: Cluster, crash_after: int | None) -> None:
        self.cluster = cluster
        self.user, self.server, self.clock = cluster.user, cluster.server, cluster.clock
        self.writes = 0
        self.crash_after = crash_after
        self._died = asyncio.Event()

    def start(self) -> None:
        """Start a process."""
        api = self.cluster.start("a")
        self._died.clear()
        api.before_call, api.before_reply = self._before_call, self._before_reply

    async def live(self, for_s: float) -> None:
        """Advance the time; a process that dies is followed by a fresh one."""
        end_s = self.clock.now() + for_s
        while await event_within(self._died, self.clock, end_s - self.clock.now()):
            await self.cluster.stop("a", kill=True)
            self.start()

    async def settle(self, quiet_s: float = _QUIET_S) -> None:
        """Advance the time until the controllers have written nothing for so long."""
        for _ in range(_ROUNDS):
            before = self.writes
            await self.live(quiet_s)
            if self.writes == before:
                return
        raise AssertionError("the controllers do not come to rest")

    async def outcome(self) -> list[str]:
        """Describe every object that there is; of what differs from run to run (names, uids, times) only what it stands for."""
        objects = [
            json.loads(item.value)
            for kind in KINDS.values()
            if kind.plural not in _BESIDE
            for item in (await self.server.storage.list(f"{kind.storage_prefix}/")).items
        ]
        assert all(_is_observed(obj) for obj in objects)
        text = json.dumps([_comparable(obj) for obj in objects])
        for obj in objects:
            meta = obj["metadata"]
            name = f"{meta['generateName']}*" if meta.get("generateName") else meta["name"]
            text = text.replace(meta["uid"], f"uid of {obj['kind']} {name}").replace(meta["name"], name)
        return sorted(json.dumps(obj, sort_keys=True) for obj in json.loads(text))

    async def _before_call(self, _verb: str, _plural: str, _name: str) -> None:
        if self._died.is_set():
            raise Unavailable("it is dead")

    async def _before_reply(self, _verb: str, plural: str, _name: str) -> None:
        if plural in _BESIDE:
            return
        self.writes += 1
        if self.writes == self.crash_after:
            self._died.set()
            raise Unavailable("it is dead")


Course: TypeAlias = Callable[[CrashWorld], Awaitable[None]]


@asynccontextmanager
async def crash_world(table: Sequence[Build], crash_after: int | None = None) -> AsyncIterator[CrashWorld]:
    """Run a cluster with these controllers, which die after so many writes."""
    async with cluster_with(table=table) as cluster:
        world = CrashWorld(cluster, crash_after)
        world.start()
        yield world


async def play(course: Course, table: Sequence[Build], crash_after: int | None = None) -> CrashPlay:
    """Play a course of events to its end."""
    async with crash_world(table, crash_after) as world:
        await course(world)
        await world.settle()
        return CrashPlay(world.writes, await world.outcome())


class CrashPlay:
    """What a course of events came to."""

    def __init__(self, writes: int, outcome: list[str]) -> None:
        self.writes = writes
        self.outcome = outcome


def _comparable(value: Any) -> Any:
    """Return a document without what tells when something happened."""
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _comparable(item) for key, item in value.items() if not _tells_when(key)}
    return {key: item for key, item in kept.items() if item != {}}


def _is_observed(obj: dict[str, Any]) -> bool:
    """Whether a status that says which generation it is about is about the last one."""
    generation = obj["metadata"].get("generation")
    return obj.get("status", {}).get("observedGeneration", generation) == generation  # type: ignore[no-any-return]


def _tells_when(key: str) -> bool:
    return (
        key in _NOT_COMPARED
        or key == "observedGeneration"
        or key.endswith(("Time", "Timestamp", "last-change-trigger-time"))
    )
