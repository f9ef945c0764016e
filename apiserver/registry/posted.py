"""Admission of what is posted and not stored as it is: reviews, tokens, bindings, evictions."""

from __future__ import annotations

from msgspec import structs

from apiserver.core.admission import Attributes
from apiserver.core.values import Json, metadata
from apiserver.registry.admitting import Admitted, Admitting


class Posted:
    """Both stages for one object: first `mutate`, then, once it is known to make sense, `validate`."""

    def __init__(self, admitting: Admitting, attributes: Attributes, weight: int) -> None:
        self._admitting = admitting
        self._attributes = attributes
        self._weight = weight
        self._admitted: Admitted | None = None

    async def mutate(self, obj: Json) -> Json:
        """Return the object as the cluster wants it.

        Raises:
            ApiError: the cluster does not want it.
        """
        if not self._attributes.name and (name := metadata(obj).get("name")):
            self._attributes = structs.replace(self._attributes, name=name)
        self._admitted = await self._admitting.admit(self._attributes, obj, None, self._weight)
        return self._admitted.obj

    async def validate(self) -> tuple[str, ...]:
        """Check the object as `mutate` has made it; returns what to warn the client of.

        Raises:
            ApiError: the cluster does not want it.
        """
        admitted = self._admitted
        assert admitted is not None  # noqa: S101 - `mutate` comes first
        valid = await self._admitting.validate(self._attributes, admitted, admitted.obj, None)
        return valid.warnings

    async def admit(self, obj: Json) -> tuple[Json, tuple[str, ...]]:
        """Run both stages on an object that makes sense, whatever the first one makes of it.

        Raises:
            ApiError: the cluster does not want it.
        """
        mutated = await self.mutate(obj)
        return mutated, await self.validate()
