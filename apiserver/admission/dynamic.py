"""What the objects of admissionregistration.k8s.io say of a request: policies and webhooks, in upstream's order.

Where there is no such object it costs a look at empty caches; where none is about a resource, a look into an index.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from apiserver.core.admission.attributes import Attributes
from apiserver.core.catalogue import Catalogue
from apiserver.core.values import Json
from apiserver.objects import CachedObject
from apiserver.watch_cache import WatchCache
from apiserver.watch_cache_feed import Feed

if TYPE_CHECKING:
    from apiserver.admission.stages import Stages

Again: TypeAlias = Callable[[Json], Awaitable[Json]]
"""Runs the plugins once more, on an object that was changed after them."""

_GROUP: Final = "admissionregistration.k8s.io"
_MUTATING: Final = {
    "MutatingAdmissionPolicy": "mutatingadmissionpolicybindings",
    "MutatingAdmissionWebhook": "mutatingwebhookconfigurations",
}
_VALIDATING: Final = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicybindings",
    "ValidatingAdmissionWebhook": "validatingwebhookconfigurations",
}


class DynamicAdmission:
    """Both stages of it; `make` makes them, with those of the plugins that are on."""

    def __init__(
        self, catalogue: Catalogue, feed: Feed, on: Collection[str], make: Callable[[], Stages]
    ) -> None:
        self._make = make
        self._made: Stages | None = None

        def caches(table: dict[str, str]) -> tuple[WatchCache, ...]:
            wanted = (catalogue.stored(_GROUP, plural) for name, plural in table.items() if name in on)
            return tuple(feed.cache(kind) for kind in wanted if kind is not None)

        self._caches = (*caches(_MUTATING), *caches(_VALIDATING))
        self.is_idle = True  # whether there is no such object
        for cache in self._caches:
            cache.follow(self)

    def replaced(self, _every: Iterable[CachedObject]) -> None:
        """Look again whether there is anything."""
        self.is_idle = all(cache.is_empty for cache in self._caches)

    def changed(self, _old: CachedObject | None, _new: CachedObject | None) -> None:
        """Look again whether there is anything."""
        self.is_idle = all(cache.is_empty for cache in self._caches)

    def mutates(self, attributes: Attributes) -> bool:
        """Whether something may want an object changed."""
        return not self.is_idle and self._stages().mutates(attributes)

    def validates(self, attributes: Attributes) -> bool:
        """Whether something may refuse a request."""
        return not self.is_idle and self._stages().validates(attributes)

    async def mutate(
        self, attributes: Attributes, obj: Json | None, old: Json | None, again: Again
    ) -> tuple[Json | None, tuple[str, ...]]:
        """Return the object as it is wanted, and what to warn the client of.

        Raises:
            ApiError: somebody does not want the request at all.
        """
        return await self._stages().mutate(attributes, obj, old, again)

    async def validate(self, attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[str, ...]:
        """Ask whether a request is allowed; returns what to warn the client of.

        Raises:
            ApiError: it is not.
        """
        return await self._stages().validate(attributes, obj, old)

    def _stages(self) -> Stages:
        if self._made is None:
            self._made = self._make()
        return self._made
