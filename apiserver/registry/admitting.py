"""Admission, fed: the objects that it asks about come from the watch cache, or from the store where it has none."""

from __future__ import annotations

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import admission
from apiserver.core.admission import Attributes, LookedUp, LookupKey
from apiserver.core.values import Json
from apiserver.registry.parts import Parts


class Admitting:
    """Runs the chain of `apiserver.core.admission`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def admit(self, attributes: Attributes, obj: Json, old: Json | None, weight: int) -> Json:
        """Return the object as the cluster wants it; `weight` says how large it, and the old one, are.

        Raises:
            Forbidden: the cluster does not want it.
            NotFound: its namespace is not there.
        """
        looked_up = await self._looked_up(attributes, obj, old)
        return await aside(weight, admission.admit, attributes, obj, old, looked_up, self._parts.settings)

    async def admit_delete(self, attributes: Attributes, old: Json) -> None:
        """Check that an object may be deleted.

        Raises:
            Forbidden: it has to stay.
        """
        admission.admit_delete(attributes, old, await self._looked_up(attributes, None, old))

    async def _looked_up(self, attributes: Attributes, obj: Json | None, old: Json | None) -> LookedUp:
        return {key: await self._look_up(key) for key in admission.needs(attributes, obj, old)}

    async def _look_up(self, key: LookupKey) -> Json | None:
        group, plural, namespace, name = key
        kind = self._parts.catalogue.stored(group, plural)
        if kind is None:
            return None
        found = self._parts.feed.cache(kind).get(kind.place(namespace, name))
        if found:
            return objects.decode(found.json)
        stored = await self._parts.storage.get(kind.key(namespace, name))
        return objects.decode_at(kind, stored.value, stored.revision) if stored else None
