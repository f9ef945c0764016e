"""What the controllers ask to see: one cache for each collection, however many of them read it.

Every controller asks for its own when it is built. What two of them ask of one collection is merged: the fields that
are kept are added up, so are the indexes; what contradicts is refused. `controllers.informers` then fills the caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeAlias, TypeVar

from controllers.core.metadata_only import MetadataOnly, metadata_only
from machinery.model.fields import WHOLE, trimmer
from machinery.model.requests import EVERYTHING, Selection
from machinery.model.resources import KubeObject, Resource
from machinery.model.store import Indexer, Store

T = TypeVar("T", bound=KubeObject)

WAY_OF_LIFE: Final = (  # kept of every object: who owns it, and how it goes
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.finalizers",
    "metadata.ownerReferences",
)
Collection: TypeAlias = tuple[str, Selection]


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """A cache as one of its readers sees it."""

    resource: Resource[T]
    selection: Selection
    store: Store[T]

    @property
    def collection(self) -> Collection:
        """What it is a copy of."""
        return str(self.resource), self.selection


@dataclass(slots=True)
class Request:
    """What all readers of a collection have asked for together."""

    resource: Resource[Any]
    selection: Selection
    store: Store[Any] = field(default_factory=Store)
    fields: set[str] = field(default_factory=set)

    def keep(self) -> Callable[[Any], Any]:
        """Return what reduces an object to the fields that somebody reads."""
        return trimmer(self.resource.type, (*self.fields, *WAY_OF_LIFE))


class Caches:
    """All requests, by collection, in the order of the first one for each."""

    def __init__(self) -> None:
        self.requests: dict[Collection, Request] = {}

    def ask(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        fields: Iterable[str] = WHOLE,
        indexes: Mapping[str, Indexer[T]] | None = None,
    ) -> Source[T]:
        """Ask for a collection, the fields of its objects that are read (`machinery.model.fields`), and its indexes.

        Raises:
            ValueError: another reader asks for the same objects as another type, or for another index of this name.
        """
        request = self.requests.setdefault((str(resource), selection), Request(resource, selection))
        request.resource = _agreed(request.resource, resource)
        request.fields.update(fields)
        for name, indexer in (indexes or {}).items():
            request.store.add_index(name, indexer)
        return Source(resource, selection, request.store)

    def ask_for_metadata(self, resource: Resource[Any]) -> Source[MetadataOnly]:
        """Ask for objects of any kind: who each is, who owns it and how it goes.

        They are of another type where somebody else reads more of them; `metadata` is what they have in common.
        """
        return self.ask(metadata_only(resource), fields=())

    def forget(self, source: Source[Any]) -> None:
        """Drop what was asked of a collection: there is no such collection any more."""
        self.requests.pop(source.collection, None)


def _agreed(one: Resource[Any], other: Resource[Any]) -> Resource[Any]:
    """Return the resource whose type serves two readers.

    Raises:
        ValueError: there is none.
    """
    if other.type is MetadataOnly or one == other:
        return one
    if one.type is MetadataOnly and one.version == other.version:
        return other
    raise ValueError(
        f"{one} is asked for as {one.version} {one.type.__module__}.{one.type.__name__} "
        f"and as {other.version} {other.type.__module__}.{other.type.__name__}"
    )
