"""Looks after definitions: which names each has, and that a deleted one takes its objects with it.

Every apiserver does it. Each write is made on the revision that it was decided on, so that of several that decide the
same one is stored, and the others find it done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

from apiserver import objects
from apiserver.aside import aside
from apiserver.core.custom.conditions import with_condition
from apiserver.core.custom.definitions import CLEANUP
from apiserver.core.custom.heads import Head, claims_of, in_order
from apiserver.core.custom.naming import Claims, settled_status
from apiserver.core.values import Json, metadata
from apiserver.custom_resources.serving import Known, ServedDefinitions
from apiserver.lookup import own_request
from apiserver.registry import Registry
from apiserver.storage.interface import Storage
from apiserver.watch_cache_feed import Feed
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Conflict, NotFound
from machinery.model.insist import Failures, insist, tell_first
from machinery.model.kinds import KindNames
from machinery.model.log import EventLog
from machinery.model.requests import PatchType

_RETRY: Final = Backoff(0.1, 5.0)  # wall seconds
_LOOK_AGAIN: Final = Backoff(0.02, 1.0)  # wall seconds, while objects wait for their finalizers
_LAG_S: Final = 5.0  # wall seconds, after which every apiserver has seen a definition go
_PATIENCE_S: Final = (
    60.0  # cluster seconds for which objects may wait for their finalizers before that is told
)
_FAILED: Final = "InstanceDeletionFailed"
_STILL_THERE: Final = "could not confirm zero CustomResources remaining: timed out waiting for the condition"
_ROUNDS: Final = 60  # looks, after which what is left is deleted again


class Upkeep:
    """Settles names, and removes the objects of definitions that are being deleted."""

    def __init__(
        self,
        definitions: KindNames,
        served: ServedDefinitions,
        registry: Registry,
        storage: Storage,
        feed: Feed,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._definitions = definitions
        self._served = served
        self._registry = registry
        self._storage = storage
        self._feed = feed
        self._clock = clock
        self._log = log
        self._changed = asyncio.Event()
        self._gone: list[tuple[Head, int]] = []  # with the revision at which each went
        self._late: list[tuple[Head, int]] = []  # those that were swept once
        self._removing: set[str] = set()  # uids
        # Dicts without values are sets in order.
        self._unsettled: dict[str, None] = {}  # definitions without the names that they want
        self._ending: dict[str, None] = {}  # definitions whose objects have to go
        served.subscribe(self._note)

    def _note(self, name: str, gone: Known | None) -> None:
        if gone is not None and gone.head.is_established:
            self._gone.append((gone.head, self._feed.revision))
        known = self._served.find(name)
        for waiting, waits in (
            (self._unsettled, known is not None and not known.head.has_its_names),
            (self._ending, known is not None and known.head.waits_for_objects),
        ):
            if waits:
                waiting[name] = None
            else:
                waiting.pop(name, None)
        if self._unsettled or self._ending or self._gone:
            self._changed.set()

    async def run(self) -> None:
        """Look after the definitions for ever. The registry has to be open."""
        failures = Failures(self._clock, _RETRY, tell_first(self._log.warning, "definitions_not_kept"))
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._changed.wait()
                self._changed.clear()
                try:
                    await self._settle()
                    await self._sweep()
                    failures.forget()
                    if self._late:
                        tasks.create_task(self._sweep_later(self._late), name="definitions-sweep")
                        self._late = []
                except ApiError as error:
                    failures.note(error)
                    self._changed.set()
                    await failures.pause()
                for known in self._those(self._ending):
                    uid = known.head.metadata.uid
                    if uid not in self._removing:
                        self._removing.add(uid)
                        tasks.create_task(self._remove(known), name=f"definition-{known.head.name}")

    async def _settle(self) -> None:
        """Write the status of every definition whose names or conditions are not what they have to be."""
        groups: dict[str, Claims] = {}
        for head in in_order(known.head for known in self._those(self._unsettled)):
            group = head.spec.group
            if group not in groups:
                groups[group] = claims_of(known.head for known in self._served.of_group(group))
            known = self._served.find(head.name)
            if known is not None:
                await self._settle_one(known, groups[group])

    def _those(self, names: Iterable[str]) -> list[Known]:
        return [known for name in names if (known := self._served.find(name)) is not None]

    async def _settle_one(self, known: Known, claims: Claims) -> None:
        definition = objects.decode(known.cached.json)
        status = await aside(len(known.cached.json), settled_status, definition, claims, self._now())
        claims.claim(known.head.name, status["acceptedNames"])
        if status != definition.get("status"):
            try:
                await self._write({**definition, "status": status})
            except (Conflict, NotFound):  # somebody else was faster: that comes as a change
                return

    async def _sweep(self) -> None:
        """Delete what was stored, by an apiserver that did not know better yet, while a definition went."""
        while self._gone:
            await self._sweep_one(*self._gone[-1])
            self._late.append(self._gone.pop())

    async def _sweep_later(self, gone: list[tuple[Head, int]]) -> None:
        """Look again when every apiserver has learned that the definitions are gone."""
        await self._clock.sleep_wall(_LAG_S)
        told = tell_first(self._log.warning, "definitions_not_swept", every=20)
        for head, revision in gone:
            await insist(partial(self._sweep_one, head, revision), self._clock, _RETRY, told)

    async def _sweep_one(self, head: Head, revision: int) -> None:
        """Delete the objects that no definition knows: all, or those from before one that has the same name now."""
        page = await self._storage.list(f"{head.storage_prefix}/")
        for item in page.items:
            if item.revision < revision or self._served.find(head.name) is None:
                await self._storage.delete(item.key, item.revision)

    async def _remove(self, known: Known) -> None:
        """Remove the objects of a definition, then let it go; what fails is tried again until it works."""
        name, uid = known.head.name, known.head.metadata.uid

        async def attempt() -> None:
            await self._report(
                name, uid, "InstanceDeletionInProgress", "CustomResource deletion is in progress"
            )
            try:
                await self._remove_objects(name, uid)
            except ApiError as error:
                await self._report(name, uid, _FAILED, f"could not issue all deletes: {error}")
                raise
            await self._release(name, uid)

        told = tell_first(self._log.warning, "definition_not_removed", every=20, definition=name)
        await insist(attempt, self._clock, _RETRY, told)
        self._removing.discard(uid)

    async def _remove_objects(self, name: str, uid: str) -> None:
        """Delete the objects again and again until there are none."""
        looks, begun_s = 0, self._clock.now()
        while (known := self._current(name, uid)) and known.kinds:
            served = next((kind for kind in known.kinds if "deletecollection" in kind.verbs), None)
            prefix = f"{known.head.storage_prefix}/"
            if served is None or not (await self._storage.list(prefix, limit=1)).items:
                return
            if looks % _ROUNDS == 0:
                await self._registry.delete_collection(own_request("deletecollection", served))
            looks += 1
            if self._clock.now() - begun_s > _PATIENCE_S:
                await self._report(name, uid, _FAILED, _STILL_THERE)
            await self._clock.sleep_wall(_LOOK_AGAIN.delay(looks))

    async def _report(self, name: str, uid: str, reason: str, message: str) -> None:
        known = self._current(name, uid)
        if known is None or not known.head.is_established:
            return
        definition = objects.decode(known.cached.json)
        changed = with_condition(
            definition, "Terminating", status=True, reason=reason, message=message, now=self._now()
        )
        if changed != definition:
            await self._write(changed)

    async def _release(self, name: str, uid: str) -> None:
        """Remove the finalizer: the definition goes, unless others keep it."""
        known = self._current(name, uid)
        if known is None or not known.head.waits_for_objects:
            return
        definition = objects.decode(known.cached.json)
        reason, message = "InstanceDeletionCompleted", "removed all instances"
        if not known.head.is_established:
            reason, message = "NeverEstablished", "resource was never established"
        meta = metadata(definition)
        left = [each for each in meta["finalizers"] if each != CLEANUP]
        released = {**definition, "metadata": {**meta, "finalizers": left}}
        now = self._now()
        await self._write(
            with_condition(released, "Terminating", status=False, reason=reason, message=message, now=now)
        )

    def _current(self, name: str, uid: str) -> Known | None:
        """Return the definition as it is now, if it is still the one that is meant."""
        known = self._served.find(name)
        return known if known is not None and known.head.metadata.uid == uid else None

    async def _write(self, definition: Json) -> None:
        """Store the status, and the finalizers, of a definition as they were decided on its revision."""
        meta = metadata(definition)
        patch: Sequence[Any] = [
            {"op": "add", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
            {"op": "add", "path": "/metadata/finalizers", "value": meta.get("finalizers") or []},
            {"op": "add", "path": "/status", "value": definition["status"]},
        ]
        await self._registry.patch(
            own_request(
                "patch",
                self._definitions,
                name=meta["name"],
                subresource="status",
                patch_type=PatchType.JSON,
                body=objects.to_json(patch),  # type: ignore[arg-type]  # any JSON
            )
        )

    def _now(self) -> str:
        return self._clock.timescale.format(self._clock.now())
