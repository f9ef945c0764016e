"""How the registry stores: compare and set on the revision that the decision was made on.

A decision is first made on what the watch cache has, which costs no read. Where the store says that the object has
moved on, or the decision is an error, it is made again on the live object: nobody is refused on stale grounds. Who
has lost twice takes turns with all others who have, so that many writers of one object all come to their end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import msgspec

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import answers
from apiserver.core.apply.update import without_managed
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.registry.fences import write_fenced
from apiserver.registry.held import NOTHING_HELD, Held
from apiserver.registry.parts import Parts
from apiserver.request import ObjectReply, Request
from apiserver.storage.interface import LARGEST, Differs, Outcome, Stored, Unmoved, Written
from machinery.model.errors import Definite
from machinery.model.requests import PatchType

ATTEMPTS: Final = 12  # of a write whose turn it is, against other apiservers and newcomers


class Put(msgspec.Struct, frozen=True, gc=False):
    """Store this object; `claims` are kept with it, or dropped where it is not stored; the answer warns."""

    obj: Json
    claims: Held = NOTHING_HELD
    warnings: tuple[str, ...] = ()


class Gone(msgspec.Struct, frozen=True, gc=False):
    """Remove the object; the answer shows it as `obj`."""

    obj: Json
    claims: Held = NOTHING_HELD
    warnings: tuple[str, ...] = ()


class Same(msgspec.Struct, frozen=True, gc=False):
    """Write nothing."""

    obj: Json
    warnings: tuple[str, ...] = ()


Step: TypeAlias = Put | Gone | Same
Decide: TypeAlias = Callable[[Json | None, int], Awaitable[Step]]
"""Decides on an object as it is stored, with its resourceVersion, and on how many bytes of JSON; None and 0: there is none."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """An object's place, and the request that writes there."""

    kind: Kind
    namespace: str
    name: str
    request: Request
    dry_run: bool = False

    @property
    def key(self) -> str:
        """The storage key."""
        return self.kind.key(self.namespace, self.name)

    @property
    def cached(self) -> str:
        """The place in the watch cache."""
        return self.kind.place(self.namespace, self.name)


class Done(msgspec.Struct, frozen=True, gc=False):
    """What came of it."""

    step: Step
    reply: ObjectReply


class _Current(msgspec.Struct, frozen=True, gc=False):
    obj: Json | None
    size_bytes: int  # of its JSON
    revision: int  # 0: there is no object
    is_live: bool


class Modifier:
    """Stores what others decide."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by storage key

    async def create(self, place: Place, put: Put) -> Stored | ObjectReply | None:
        """Store a new object; returns the reply, or what is there already."""
        value = _encoded(place, put.obj)
        if place.dry_run:
            existing = await self._parts.storage.get(place.key)
            return existing or ObjectReply(value, uid=_uid(put.obj), created=True, warnings=put.warnings)
        outcome = await self._write(place, 0, put, value)
        if not isinstance(outcome, Written):
            return outcome.current
        self._record(place, "create", put.obj, outcome.revision)
        shown = objects.with_revision(place.kind, value, outcome.revision)
        return ObjectReply(shown, _uid(put.obj), outcome.revision, created=True, warnings=put.warnings)

    async def modify(self, place: Place, decide: Decide) -> Done:
        """Decide on the object and store the decision, again and again until nobody has come between.

        Raises:
            ApiError: of `decide`, made on the live object.
            Conflict: others wrote all the time.
        """
        current = self._cached(place) or await self._live(place)
        if done := await self._repeat(place, current, decide, 2):  # the first time, the cache may be behind
            return done
        async with self._turns.setdefault(place.key, asyncio.Lock()):
            if done := await self._repeat(place, await self._live(place), decide, ATTEMPTS):
                return done
        raise answers.conflict(place.kind, place.name)

    async def _repeat(self, place: Place, current: _Current, decide: Decide, times: int) -> Done | None:
        for _ in range(times):
            tried = await self._try(place, current, decide)
            if isinstance(tried, Done):
                return tried
            current = tried
        return None

    async def _try(self, place: Place, current: _Current, decide: Decide) -> Done | _Current:
        """Decide and store; returns what is there now where that was in vain."""
        try:
            step = await decide(current.obj, current.size_bytes)
        except Definite:
            if current.is_live or (live := await self._live(place)).revision == current.revision:
                raise
            return live
        return await self._attempt(place, current, step)

    async def _attempt(self, place: Place, current: _Current, step: Step) -> Done | _Current:
        if isinstance(step, Same):
            return await self._unchanged(place, current, step)
        try:
            done = await self._store(place, current, step)
        except Definite:
            await step.claims.drop()
            raise
        stored = isinstance(done, Done) and not place.dry_run
        await (step.claims.keep() if stored else step.claims.drop())
        return done

    async def _unchanged(self, place: Place, current: _Current, step: Same) -> Done | _Current:
        """Answer with what is there, if it is there: an acknowledged no-op must not rest on a stale cache."""
        if not current.is_live:
            live = await self._live(place)
            if live.revision != current.revision:
                return live
        return Done(step, _shown(place, objects.encode(step.obj), step, current.revision))

    async def _store(self, place: Place, current: _Current, step: Put | Gone) -> Done | _Current:
        value = _encoded(place, step.obj)
        created = not current.revision
        if place.dry_run:
            return Done(step, _shown(place, value, step, current.revision, created=created))
        outcome = await self._write(place, current.revision, step, value)
        if not isinstance(outcome, Written):
            return await _live(place.kind, outcome.current)
        self._record(place, _verb(step, current), step.obj, outcome.revision)
        return Done(step, _shown(place, value, step, outcome.revision, created=created))

    async def _write(self, place: Place, revision: int, step: Put | Gone, value: bytes) -> Written | Differs:
        storage, key = self._parts.storage, place.key

        async def write(provided: Unmoved | None) -> Outcome:
            if isinstance(step, Gone):
                return await storage.delete(key, revision, provided=provided)
            if revision:
                return await storage.update(key, value, revision, provided=provided)
            return await storage.create(key, value, ttl_s=self._ttl_s(place.kind), provided=provided)

        return await write_fenced(self._parts, place.request.fence, write)

    def _cached(self, place: Place) -> _Current | None:
        found = self._parts.feed.cache(place.kind).get(place.cached)
        if found is None:
            return None
        return _Current(objects.decode(found.json), len(found.json), found.revision, is_live=False)

    async def _live(self, place: Place) -> _Current:
        return await _live(place.kind, await self._parts.storage.get(place.key))

    def _ttl_s(self, kind: Kind) -> int:
        """Return the wall seconds that an object of the kind is kept; 0 for ever."""
        ttl_s = kind.rules.ttl_s
        return max(1, round(self._parts.clock.timescale.wall(ttl_s))) if ttl_s else 0

    def _record(self, place: Place, verb: str, obj: Json, revision: int) -> None:
        self._parts.write_record.record(
            user=place.request.user.name,
            verb=verb,
            resource=place.kind.group_resource,
            namespace=place.namespace,
            name=place.name,
            uid=_uid(obj),
            revision=revision,
        )


def _encoded(place: Place, obj: Json) -> bytes:
    """Return an object as it is stored: without the owners of its fields, where it would be too large with them.

    That is how Kubernetes has it; what is applied keeps them, and is refused.
    """
    value = objects.encode(obj)
    if len(place.key) + len(value) <= LARGEST or place.request.patch_type is PatchType.APPLY:
        return value
    return objects.encode(without_managed(obj))


async def _live(kind: Kind, stored: Stored | None) -> _Current:
    if stored is None:
        return _Current(None, 0, 0, is_live=True)
    obj = await aside(len(stored.value), objects.decode_at, kind, stored.value, stored.revision)
    return _Current(obj, len(stored.value), stored.revision, is_live=True)


def _shown(place: Place, value: bytes, step: Step, revision: int, *, created: bool = False) -> ObjectReply:
    shown = objects.with_revision(place.kind, value, revision) if revision else value
    return ObjectReply(shown, _uid(step.obj), revision, created, step.warnings)


def _verb(step: Put | Gone, current: _Current) -> str:
    if isinstance(step, Gone):
        return "delete"
    return "update" if current.revision else "create"


def _uid(obj: Json) -> str:
    return str(obj["metadata"].get("uid", ""))
