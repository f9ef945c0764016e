"""One controller's process to which a chosen thing happens, over and over a course of events, and what comes out of it.

It dies after a write: that has been carried out, its answer never arrives, and what the process does from then on has no
effect, until a fresh one, with nothing in its memory, takes its place. Or an event of a watch is overtaken by the next one of
another watch; or it comes late, when all that could be done without it has been done; or it never comes, nor do those behind
it, and everything is listed anew after that while.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from apiserver.core.kinds import KINDS
from controllers.core.controller import Build
from machinery.client.waiting import event_within
from machinery.model.errors import Expired, Unavailable
from machinery.model.pods import is_ready
from machinery.model.resources import PODS
from tests.support.controllers_cluster import TABLE, Cluster, cluster_with

_QUIET_S: Final = 3.0  # virtual: longer than what failed waits for its next try
_LATE_S: Final = 2.0  # virtual: shorter than that
_TURN_S: Final = 0.05  # virtual, in which what overtakes an event is acted on
_ROUNDS: Final = 100
_SELDOM: Final = replace(TABLE, leader_lease_s=3000.0, leader_renew_deadline_s=2000.0, leader_retry_s=500.0)
"""Nobody else wants the lease, and to renew it is most of what long quiet times would cost."""
_BESIDE: Final = frozenset(
    {"events", "leases"}
)  # written beside the work: no plan depends on whether they were
_NOT_COMPARED: Final = frozenset(
    {"resourceVersion", "managedFields", "timeAdded", "generation", "finishedAt", "startedAt"}
)


@dataclass(frozen=True, slots=True)
class Mishap:
    """What happens once, and when: after so many writes, or to the n-th event that the process hears."""

    crash_after: int = 0
    overtaken: int = 0
    late: int = 0
    lost: int = 0


NONE: Final = Mishap()


class CrashWorld:
    """A cluster whose only controllers are those of `table`; it counts what they write and hear, and has one mishap."""

    def __init__(self, cluster: Cluster, mishap: Mishap) -> None:
        self.cluster = cluster
        self.user, self.server, self.clock = cluster.user, cluster.server, cluster.clock
        self.writes = 0
        self.heard = 0
        self.mishap = mishap
        self._died = asyncio.Event()
        self._held = ""  # the kind of which an event waits to be overtaken
        self._overtaken = asyncio.Event()

    def start(self) -> None:
        """Start a process."""
        api = self.cluster.start("a")
        self._died.clear()
        api.before_call, api.before_reply = self._before_call, self._before_reply
        api.before_event = self._before_event

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

    async def run_pods(self) -> None:
        """Be the kubelets, until every pod is Ready or gone."""
        while True:
            await self.settle()
            pods = (await self.user.list(PODS)).items
            if all(map(is_ready, pods)) and not await self.cluster.end_pods():
                return
            await self.cluster.kubelet()

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
        if self.writes == self.mishap.crash_after:
            self._died.set()
            raise Unavailable("it is dead")

    async def _before_event(self, _verb: str, plural: str, _name: str) -> None:
        if plural in _BESIDE:
            return
        self.heard += 1
        number = self.heard
        if self._held and plural != self._held:
            self._overtaken.set()
        if number == self.mishap.overtaken:
            self._held = plural
            await event_within(self._overtaken, self.clock, _LATE_S)
            await self.clock.sleep(_TURN_S)
            self._held = ""
        if number in {self.mishap.late, self.mishap.lost}:
            await self.clock.sleep(_LATE_S)
        if number == self.mishap.lost:
            raise Expired("the history is compacted")


Course: TypeAlias = Callable[[CrashWorld], Awaitable[None]]


@asynccontextmanager
async def crash_world(table: Sequence[Build], mishap: Mishap = NONE) -> AsyncIterator[CrashWorld]:
    """Run a cluster with these controllers, to which this happens."""
    async with cluster_with(table=table, intervals_=_SELDOM) as cluster:
        world = CrashWorld(cluster, mishap)
        world.start()
        yield world


async def play(course: Course, table: Sequence[Build], mishap: Mishap = NONE) -> CrashPlay:
    """Play a course of events to its end."""
    async with crash_world(table, mishap) as world:
        await course(world)
        await world.settle()
        return CrashPlay(world.writes, world.heard, await world.outcome())


class CrashPlay:
    """What a course of events came to."""

    def __init__(self, writes: int, heard: int, outcome: list[str]) -> None:
        self.writes = writes
        self.heard = heard  # events
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
