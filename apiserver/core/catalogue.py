"""The catalogue: every kind that is served, at this moment. Whoever has to know the kinds is handed one.

Kinds come and go while the process runs. `generation` grows with each change, so that documents made from the
catalogue are kept until then (`PerGeneration`); who keeps something for each kind subscribes.

    catalogue.kind(group, version, plural)      a stored kind, in the version of a request
    catalogue.stored(group, plural)             the same in the version that is stored
    catalogue.served()                          what discovery lists: stored kinds, and those that are answered only
    catalogue.elsewhere                         what it lists besides: versions that other servers serve
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from apiserver.core.aggregation.documents import Listed
from apiserver.core.aggregation.priorities import GroupVersion
from apiserver.core.kind import ComputedKind, Kind
from apiserver.core.values import Json
from machinery.model.kinds import KindNames

T = TypeVar("T")

REGISTRY: Final = "/registry/"
"""Where the objects of every kind are in the store: all of them are read at once."""


@dataclass(frozen=True, slots=True)
class _Subscriber:
    added: Callable[[Kind], None]
    removed: Callable[[Kind], None]
    replaced: Callable[[Sequence[Kind], Sequence[Kind]], None] | None


class Catalogue:
    """Kinds by group, version and plural."""

    def __init__(self, kinds: Iterable[Kind] = (), answered: Iterable[KindNames] = ()) -> None:
        self.generation = 0
        self.elsewhere: Mapping[GroupVersion, Listed] = {}
        self._answered = {names.gvr: names for names in answered}  # not stored
        self.computed = tuple(each for each in self._answered.values() if isinstance(each, ComputedKind))
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._types: dict[tuple[str, str], Kind] = {}  # by apiVersion and kind
        self._stored: dict[tuple[str, str], Kind] = {}  # by group and plural
        self._prefixes: dict[str, Kind] = {}
        self._subscribers: list[_Subscriber] = []
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Serve one more kind, or one more version of a kind. The version that is stored comes first.

        Raises:
            ValueError: there is one of this group, version and plural, or one that is stored in the same place; or
                the version that it is stored as is not served; or its place is not below `REGISTRY`.
        """
        self._put(kind)
        self.generation += 1
        for subscriber in self._subscribers:
            subscriber.added(kind)

    def _put(self, kind: Kind) -> None:
        if kind.gvr in self._kinds or kind.gvr in self._answered:
            raise ValueError(f"{kind.group_resource} {kind.version} is served already")
        if kind.stored is not kind and self._kinds.get(kind.stored.gvr) is not kind.stored:
            raise ValueError(
                f"{kind.group_resource} {kind.version} is stored as a version that is not served"
            )
        if not kind.storage_prefix.startswith(REGISTRY):
            raise ValueError(f"objects are stored below {REGISTRY}, not under {kind.storage_prefix}")
        if self._prefixes.setdefault(kind.storage_prefix, kind.stored) is not kind.stored:
            raise ValueError(f"another kind is stored under {kind.storage_prefix}")
        self._kinds[kind.gvr] = kind
        self._types[kind.api_version, kind.kind] = kind
        self._stored.setdefault((kind.group, kind.plural), kind.stored)

    def remove(self, kind: Kind) -> None:
        """Serve a kind no longer; other versions that are stored in its form go with it.

        Raises:
            KeyError: it is not served.
        """
        for other in [each for each in self._kinds.values() if each.stored is kind and each is not kind]:
            self.remove(other)
        self._drop(kind)
        self.generation += 1
        for subscriber in self._subscribers:
            subscriber.removed(kind)

    def replace(self, old: Sequence[Kind], new: Sequence[Kind]) -> None:
        """Serve kinds in the place of others, all at once; the version that is stored comes first in both.

        Subscribers that said what they do then are told once; others that each is removed, and added.

        Raises:
            ValueError: as `add` does; nothing has changed then.
        """
        for kind in reversed(old):
            self._drop(kind)
        put: list[Kind] = []
        try:
            for kind in new:
                self._put(kind)
                put.append(kind)
        except ValueError:
            for kind in reversed(put):
                self._drop(kind)
            for kind in old:
                self._put(kind)
            raise
        self.generation += 1
        for subscriber in self._subscribers:
            if subscriber.replaced is not None:
                subscriber.replaced(old, new)
                continue
            for kind in reversed(old):
                subscriber.removed(kind)
            for kind in new:
                subscriber.added(kind)

    def _drop(self, kind: Kind) -> None:
        del self._kinds[kind.gvr]
        del self._types[kind.api_version, kind.kind]
        if kind.stored is kind:
            del self._prefixes[kind.storage_prefix]
        if not any((each.group, each.plural) == (kind.group, kind.plural) for each in self._kinds.values()):
            del self._stored[kind.group, kind.plural]

    def subscribe(
        self,
        added: Callable[[Kind], None],
        removed: Callable[[Kind], None],
        replaced: Callable[[Sequence[Kind], Sequence[Kind]], None] | None = None,
    ) -> None:
        """Call back for every kind that comes or goes from now on, after it has; none of the functions waits."""
        self._subscribers.append(_Subscriber(added, removed, replaced))

    def kind(self, group: str, version: str, plural: str) -> Kind | None:
        """Find a stored kind in one of its versions."""
        return self._kinds.get((group, version, plural))

    def list_elsewhere(self, place: GroupVersion, listed: Listed | None) -> None:
        """List a version of a group that another server serves, in the place of what is served here; None: no more."""
        others = {each: found for each, found in self.elsewhere.items() if each != place}
        if listed is not None:
            others[place] = listed
        if others != self.elsewhere:
            self.elsewhere = others
            self.generation += 1

    def names(self, group: str, version: str, plural: str) -> KindNames | None:
        """Find a kind that is served, whether its objects are stored or only answered."""
        gvr = (group, version, plural)
        kind = self._kinds.get(gvr)
        if kind is not None:
            return (
                kind if kind.verbs else None
            )  # without verbs it is stored, for other versions, and not served
        return self._answered.get(gvr)

    def stored(self, group: str, plural: str) -> Kind | None:
        """Find the version of a kind that is stored."""
        return self._stored.get((group, plural))

    def of_type(self, api_version: str, kind: str) -> Kind | None:
        """Find the kind of an object by what it says of itself."""
        return self._types.get((api_version, kind))

    def may_own(self, api_version: str, kind: str) -> bool:
        """Whether objects of a type may own others; nothing is known against a type that is not served."""
        found = self._types.get((api_version, kind))
        return found is None or found.rules.may_own

    def kinds(self) -> tuple[Kind, ...]:
        """Return every version of every stored kind."""
        return tuple(self._kinds.values())

    def served(self) -> tuple[KindNames, ...]:
        """Return everything that can be asked for: the stored kinds, and those whose objects are only answered."""
        return (*(kind for kind in self._kinds.values() if kind.verbs), *self._answered.values())

    def definition(self, name: str, *, v2: bool = False) -> Json | None:
        """Find a schema that came with a kind, or that of its lists; Kubernetes' published ones are not here.

        `v2` asks for it in the form that OpenAPI version 2 has words for.
        """
        for kind in self._kinds.values():
            found = definition_in(kind, name, v2=v2)
            if found is not None:
                return found
        return None


def definition_in(kind: Kind | ComputedKind, name: str, *, v2: bool = False) -> Json | None:
    """Find a schema that came with a kind, or that of its lists."""
    definitions = kind.definitions_v2 if v2 and kind.definitions_v2 is not None else kind.definitions
    if name in definitions:
        return definitions[name]
    if name == f"{kind.definition}List" and kind.definition in definitions:
        return _list_definition(kind)
    return None


def _list_definition(kind: KindNames) -> Json:
    return {
        "description": f"{kind.kind}List is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": f"#/$defs/{kind.definition}"}},
            "kind": {"type": "string"},
            "metadata": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"},
        },
        "x-kubernetes-group-version-kind": [
            {"group": kind.group, "version": kind.version, "kind": f"{kind.kind}List"}
        ],
    }


class PerGeneration(Generic[T]):
    """What follows from the catalogue: made when it is first asked for, and kept until the catalogue changes."""

    def __init__(self, catalogue: Catalogue, make: Callable[[], T]) -> None:
        self._catalogue = catalogue
        self._make = make
        self._kept: tuple[int, T] | None = None

    def __call__(self) -> T:
        """Return what holds for the catalogue as it is."""
        generation = self._catalogue.generation
        if self._kept is None or self._kept[0] != generation:
            self._kept = (generation, self._make())
        return self._kept[1]
