"""Admission, fed: the objects that it asks about come from the watch cache, or from the store where it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import admission
from apiserver.core.admission import EVERY_NAME, Attributes, LookedUp, LookupKey
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.registry.parts import Parts
from apiserver.watch_cache_selection import Selected


class Admitted(NamedTuple):
    """An object as plugins have made it, and what they looked up for that."""

    obj: Json
    looked_up: LookedUp
    weight: int  # bytes of JSON: of the object, of the old one, and of all that was looked up in a namespace


class Admitting:
    """Runs the chain of `apiserver.core.admission`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def admit(self, attributes: Attributes, obj: Json, old: Json | None, weight: int) -> Admitted:
        """Return the object as the cluster wants it; `weight` says how large it, and the old one, are.

        Raises:
            Forbidden: the cluster does not want it.
            NotFound: its namespace is not there.
        """
        looked_up: dict[LookupKey, Json | None] = {}
        for key in admission.needs(attributes, obj, old):
            looked_up[key], listed = await self._look_up(key)
            weight += listed
        settings = self._parts.settings
        result = await aside(weight, admission.admit, attributes, obj, old, looked_up, settings)
        return Admitted(result, looked_up, weight)

    async def validate(
        self, attributes: Attributes, admitted: Admitted, obj: Json, old: Json | None
    ) -> tuple[str, ...]:
        """Check what became of an admitted object, ready to store; returns what to warn the client of.

        Raises:
            Forbidden: the cluster does not want it.
            Invalid: it breaks a rule of a plugin's own.
        """
        looked_up, settings = admitted.looked_up, self._parts.settings
        return await aside(admitted.weight, admission.validate, attributes, obj, old, looked_up, settings)

    async def admit_delete(self, attributes: Attributes, old: Json) -> None:
        """Check that an object may be deleted.

        Raises:
            Forbidden: it has to stay.
        """
        asked = admission.needs(attributes, None, old)
        admission.admit_delete(attributes, old, {key: (await self._look_up(key))[0] for key in asked})

    async def _look_up(self, key: LookupKey) -> tuple[Json | None, int]:
        """Return what is asked about, and how large it is where that is the whole of a namespace."""
        group, plural, namespace, name = key
        kind = self._parts.catalogue.stored(group, plural)
        if kind is None:
            return None, 0
        if name == EVERY_NAME:
            return await self._all_of(kind, namespace)
        found = self._parts.feed.cache(kind).get(kind.place(namespace, name))
        if found:
            return objects.decode(found.json), 0
        stored = await self._parts.storage.get(kind.key(namespace, name))
        return (objects.decode_at(kind, stored.value, stored.revision) if stored else None), 0

    async def _all_of(self, kind: Kind, namespace: str) -> tuple[Json, int]:
        """Return the objects of a namespace, as the watch cache has them."""
        found = [each.json for each in self._parts.feed.cache(kind).list(Selected(namespace))]
        weight = sum(map(len, found))
        return {"items": await aside(weight, _decode_all, found)}, weight


def _decode_all(found: Sequence[bytes]) -> list[Json]:
    return [objects.decode(each) for each in found]
