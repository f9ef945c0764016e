"""FlowSchemas and PriorityLevelConfigurations as objects: flow control follows them, and their conditions follow it.

A write costs a note; what has changed is read at the next request. Those that every cluster has, and that are not their
operator's, are soon again as they should be. A schema whose level is not there is told so in its
condition Dangling, by whichever apiserver notices first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from apiserver import objects
from apiserver.core.flow.configuration import FlowConfiguration, with_dangling
from apiserver.core.flow.suggested import SUGGESTED
from apiserver.core.values import Json, metadata
from apiserver.flow_control import FlowControl
from apiserver.lookup import own_request
from apiserver.objects import CachedObject
from apiserver.registry import Registry
from apiserver.watch_cache_feed import Feed
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s import served
from machinery.model.kinds import KindNames
from machinery.model.log import EventLog

_KINDS: Final = (served.FLOW_SCHEMAS, served.PRIORITY_LEVEL_CONFIGURATIONS)
_LOOK_S: Final = 5.0  # wall seconds between two looks at conditions


class FlowObjects:
    """The objects of both kinds (`apiserver.watch_cache.Follower` of each)."""

    def __init__(self, feed: Feed, flow: FlowControl, clock: Clock, log: EventLog) -> None:
        self._objects: dict[tuple[str, str], CachedObject] = {}
        self._clock = clock
        self._log = log
        self._has_changed = False
        self._stale = flow.follow(self._read)
        for kind in _KINDS:
            feed.cache(kind).follow(_Follower(kind, self))

    def set(self, kind: KindNames, place: str, obj: CachedObject | None) -> None:
        """Note an object as it is now, None for one that is gone."""
        if obj is None:
            self._objects.pop((kind.kind, place), None)
        else:
            self._objects[kind.kind, place] = obj
        self._has_changed = True
        self._stale()

    def clear(self, kind: KindNames) -> None:
        """Forget all of a kind."""
        self._objects = {key: obj for key, obj in self._objects.items() if key[0] != kind.kind}

    def existing(self) -> dict[tuple[str, str], Json]:
        """Return the objects, by kind and name."""
        return {(obj["kind"], metadata(obj)["name"]): obj for obj in map(_decoded, self._objects.values())}

    async def keep(
        self,
        registry: Registry,
        uphold: Callable[[], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """After every change uphold what is the server's own, and write the condition Dangling of schemas, until cancelled."""
        while True:
            if self._has_changed:
                self._has_changed = False
                with suppress(
                    ApiError
                ):  # told of by whoever else cannot write; the next change is the next try
                    await uphold()
                await self.write_conditions(registry)
            await sleep(_LOOK_S)

    def _read(self) -> FlowConfiguration:
        """Return what the objects say; before the first of them is there, what is suggested."""
        return FlowConfiguration([_decoded(each) for each in self._objects.values()] or SUGGESTED)

    async def write_conditions(self, registry: Registry) -> None:
        """Write the conditions that are not as they should be."""
        existing = self.existing()
        dangling = FlowConfiguration(existing.values()).dangling
        now = self._clock.timescale.format(self._clock.now())
        for (kind, name), obj in existing.items():
            if kind != served.FLOW_SCHEMAS.kind:
                continue
            changed = with_dangling(obj, dangles=name in dangling, now=now)
            if changed is not None:
                body = objects.to_json(changed)
                request = own_request(
                    "update", served.FLOW_SCHEMAS, name=name, subresource="status", body=body
                )
                with suppress(
                    ApiError
                ):  # another apiserver was faster, or it has changed: the next look sees that
                    await registry.update(request)


class _Follower:
    def __init__(self, kind: KindNames, of: FlowObjects) -> None:
        self._kind = kind
        self._of = of

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again from a whole list."""
        self._of.clear(self._kind)
        for obj in every:
            self._of.set(self._kind, obj.place, obj)

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write."""
        found = new if new is not None else old
        if found is not None:
            self._of.set(self._kind, found.place, new)


def _decoded(obj: CachedObject) -> dict[str, Any]:
    return objects.decode(obj.json)
