"""Objects of files: each knows where it stands, so that whoever refuses it can say so.

Fed by `kubarium.simulating.files` with the documents of a YAML or JSON file; Lists are taken apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

NAMESPACED: Final = frozenset(
    {
        "CronJob", "DaemonSet", "Deployment", "Job", "LimitRange", "PersistentVolumeClaim", "Pod", "PodDisruptionBudget",
        "ReplicaSet", "ReplicationController", "ResourceClaim", "ResourceClaimTemplate", "Service", "StatefulSet",
    }
)  # fmt: skip
"""The kinds that live in namespaces, of those that simulations look at."""


class ManifestError(ValueError):
    """A document cannot be used; the text names file, document, object and field."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands."""

    file: str
    document: int  # from 1
    item: int | None = None  # of a List, from 0

    def __str__(self) -> str:
        item = "" if self.item is None else f", items[{self.item}]"
        return f"{self.file}, document {self.document}{item}"


@dataclass(frozen=True, slots=True)
class Item:
    """An object, and where it stands; those that are made of one stand where that does."""

    place: Place
    obj: Json

    @property
    def kind(self) -> str:
        """What it is."""
        return str(self.obj["kind"])

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace ("" for none) and name."""
        meta = self.obj["metadata"]
        return self.kind, meta.get("namespace", ""), meta["name"]

    def refuse(self, problem: str) -> ManifestError:
        """Return the error that says where the object stands, and what is wrong with it."""
        kind, namespace, name = self.key
        return ManifestError(f"{self.place} ({kind} {f'{namespace}/{name}'.lstrip('/')}): {problem}")


def read_items(file: str, documents: Iterable[Any], namespace: str = "default") -> list[Item]:
    """Return the objects of a file; those of a namespaced kind that name none are in `namespace`.

    Raises:
        ManifestError: a document is no object.
    """
    return [
        item
        for number, document in enumerate(documents, 1)
        if document is not None
        for item in _items(Place(file, number), document, namespace)
    ]


def _items(place: Place, document: Any, namespace: str) -> Iterator[Item]:
    kind = _text(place, document, "kind")
    _text(place, document, "apiVersion")
    if not kind.endswith("List") or "items" not in document:
        yield _item(place, document, kind, namespace)
        return
    items = document["items"] or []
    if not isinstance(items, list):
        raise ManifestError(f"{place}: items: has to be a list")
    for number, each in enumerate(items):
        within = Place(place.file, place.document, number)
        if isinstance(each, dict) and kind != "List":
            named = {"apiVersion": document["apiVersion"], "kind": kind.removesuffix("List"), **each}
            yield from _items(within, named, namespace)
        else:
            yield from _items(within, each, namespace)


def _text(place: Place, document: Any, field: str) -> str:
    if not isinstance(document, dict):
        raise ManifestError(f"{place}: has to be an object with apiVersion and kind")
    value = document.get(field)
    if not isinstance(value, str) or not value:
        raise ManifestError(f"{place}: {field}: has to be there, as text")
    return value


def _item(place: Place, obj: Json, kind: str, namespace: str) -> Item:
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        raise ManifestError(f"{place} ({kind}): metadata: has to be an object")
    name = meta.get("name") or _generated(meta.get("generateName"))
    if not isinstance(name, str):
        raise ManifestError(f"{place} ({kind}): metadata.name: has to be there, as text")
    own = meta.get("namespace") or (namespace if kind in NAMESPACED else "")
    if not isinstance(own, str):
        raise ManifestError(f"{place} ({kind} {name}): metadata.namespace: has to be text")
    return Item(place, {**obj, "metadata": {**meta, "name": name, **({"namespace": own} if own else {})}})


def _generated(prefix: Any) -> Any:
    """Return the name of an object that leaves it to the server: always the same one, so that nothing is left to chance."""
    return f"{prefix}0" if isinstance(prefix, str) and prefix else None
