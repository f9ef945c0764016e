"""Admission, fed: the objects that it asks about come from the watch cache, or from the store where it has none."""

from __future__ import annotations

from apiserver import objects
from apiserver.core import admission
from apiserver.core.admission import Attributes, FactKey, Facts
from apiserver.core.values import Json
from apiserver.registry.parts import Parts


class Admitting:
    """Runs the chain of `apiserver.core.admission`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def admit(self, attributes: Attributes, obj: Json, old: Json | None) -> Json:
        """Give the object as the cluster wants it.

        Raises:
            Forbidden: the cluster does not want it.
            NotFound: its namespace is not there.
        """
        facts = await self._facts(attributes, obj, old)
        return admission.admit(attributes, obj, old, facts, self._parts.settings)

    async def admit_delete(self, attributes: Attributes, old: Json) -> None:
        """Let an object be deleted.

        Raises:
            Forbidden: it has to stay.
        """
        admission.admit_delete(attributes, old, await self._facts(attributes, None, old))

    async def _facts(self, attributes: Attributes, obj: Json | None, old: Json | None) -> Facts:
        return {key: await self._fact(key) for key in admission.needs(attributes, obj, old)}

    async def _fact(self, key: FactKey) -> Json | None:
        group, plural, namespace, name = key
        kind = self._parts.catalogue.stored(group, plural)
        if kind is None:
            return None
        found = self._parts.feed.cache(kind).get(kind.place(namespace, name))
        if found:
            return objects.decode(found.json)
        stored = await self._parts.storage.get(kind.key(namespace, name))
        return objects.decode_at(kind, stored.value, stored.revision) if stored else None
