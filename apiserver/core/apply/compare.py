"""What changed between two states of an object, as sets of fields."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from apiserver.core.apply import elements
from apiserver.core.apply.field_set import FieldSet, difference_below, union
from apiserver.core.apply.items import grouped
from apiserver.core.apply.owned import whole
from apiserver.core.apply.topology import DEDUCED, OPEN_MAP, Deduced, Granular, Items, Leaf, Topology

Equal = Callable[[Any, Any], Any]
_MISSING: Final = object()
_NAMES: Final = frozenset({str, int})  # types of keys of which equal ones are the same


class Comparison:
    """The fields that are new, gone, and there with another value."""

    __slots__ = ("added", "changed", "modified", "removed", "touched")

    def __init__(self, added: FieldSet, removed: FieldSet, modified: FieldSet) -> None:
        self.added = added
        self.removed = removed
        self.modified = modified
        self.changed = union(modified, added)  # those that are new or have another value
        self.touched = union(self.changed, removed)  # all of them

    def without(self, fields: FieldSet) -> Comparison:
        """Return it without these fields and what is below them."""
        if not fields:
            return self
        return Comparison(
            difference_below(self.added, fields),
            difference_below(self.removed, fields),
            difference_below(self.modified, fields),
        )


NO_CHANGE: Final = Comparison({}, {}, {})


def compare(topology: Granular, old: Any, new: Any) -> Comparison:
    """Compare two states of an object. What is equal costs one comparison of the whole, in C."""
    walk = _Walk(equality(topology))
    if walk.equal(old, new):
        return NO_CHANGE
    changes = _Changes()
    walk.granular(topology, old, new, changes)
    return Comparison(changes.added, changes.removed, changes.modified)


def equality(topology: Granular) -> Equal:
    """Return what compares two values of a type: in C, where its schema leaves nothing open."""
    return same if topology.is_open else operator.eq


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, where True is not 1."""
    if one != other:
        return False
    if isinstance(one, dict):
        return all(same(item, other[name]) for name, item in one.items())
    if isinstance(one, list):
        return all(map(same, one, other))
    return isinstance(one, bool) is isinstance(other, bool)


@dataclass(frozen=True, slots=True)
class _Changes:
    """The changes below one path element."""

    added: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)

    def take(self, element: str, below: _Changes) -> None:
        """Put what changed below an element there."""
        if below.added:
            self.added[element] = below.added
        if below.removed:
            self.removed[element] = below.removed
        if below.modified:
            self.modified[element] = below.modified


class _Walk:
    """A walk over two values that are both there and not equal."""

    def __init__(self, equal: Equal) -> None:
        self.equal = equal

    def value(self, topology: Topology, element: str, old: Any, new: Any, changes: _Changes) -> None:
        """Note what changed in the value of one element."""
        if type(topology) is Deduced:
            topology = OPEN_MAP if isinstance(old, dict) and isinstance(new, dict) else Leaf()
        form = dict if type(topology) is Granular else list
        if type(topology) is Leaf or not _comparable(form, old, new):
            changes.modified[element] = {}
            return
        below = _Changes()
        if type(topology) is Granular:
            self.granular(topology, old or {}, new or {}, below)
        elif type(topology) is Items:
            self.items(topology, old or [], new or [], below)
        changes.take(element, below)

    def granular(
        self, topology: Granular, old: dict[str, Any], new: dict[str, Any], changes: _Changes
    ) -> None:
        """Note what changed in the fields of an object."""
        fields, rest, equal = topology.fields, topology.rest or DEDUCED, self.equal
        for name, item in new.items():
            before = old.get(name, _MISSING)
            if before is _MISSING:
                child = fields.get(name) or rest
                self._one_sided(topology, name, child, item, changes, changes.added)
            elif before is not item and not equal(before, item):
                self.value(fields.get(name) or rest, elements.field(name), before, item, changes)
        if len(old) != len(new) or old.keys() != new.keys():
            for name in old.keys() - new.keys():
                self._one_sided(topology, name, fields.get(name) or rest, old[name], changes, changes.removed)

    def _one_sided(
        self, topology: Granular, name: str, child: Topology, item: Any, changes: _Changes, side: FieldSet
    ) -> None:
        """Note a field that only one of two objects has."""
        element = elements.field(name)
        if name not in topology.always or isinstance(child, Leaf | Deduced):
            side[element] = whole(child, item)
        elif item:  # what is always there is not new, only what it has
            empty: Any = {} if isinstance(child, Granular) else []
            old, new = (empty, item) if side is changes.added else (item, empty)
            self.value(child, element, old, new, changes)

    def items(self, topology: Items, old: list[Any], new: list[Any], changes: _Changes) -> None:
        """Note what changed in the elements of a list."""
        if is_paired(topology, old, new):
            for before_item, item in zip(old, new, strict=True):
                if before_item is not item and not self.equal(before_item, item):
                    element = elements.one_key(topology.keys[0], item[topology.keys[0]])
                    self.value(topology.item, element, before_item, item, changes)
            return
        before, after = grouped(topology, old), grouped(topology, new)
        for element, items in after.items():
            olds = before.get(element)
            if olds is None:
                changes.added[element] = whole(topology.item, items[0]) if len(items) == 1 else {}
            elif not self.equal(olds, items):
                self._element(topology, element, olds, items, changes)
        for element in before.keys() - after.keys():
            olds = before[element]
            changes.removed[element] = whole(topology.item, olds[0]) if len(olds) == 1 else {}

    def _element(
        self, topology: Items, element: str, olds: list[Any], news: list[Any], changes: _Changes
    ) -> None:
        """Note a change of the items that share an element: one, except for lists that break their own rule."""
        match len(olds), len(news):
            case 1, 1:
                self.value(topology.item, element, olds[0], news[0], changes)
            case 1, _:
                changes.added[element] = {}
                changes.removed[element] = whole(topology.item, olds[0])
            case _, 1:
                changes.added[element] = whole(topology.item, news[0])
                changes.removed[element] = {}
            case _:
                changes.modified[element] = {}


def is_paired(topology: Items, old: list[Any], new: list[Any]) -> bool:
    """Whether two lists have the same elements at the same places, each once; of those with one key, as most are."""
    if len(topology.keys) != 1 or len(old) != len(new):
        return False
    key = topology.keys[0]
    try:
        names = [item[key] for item in new]
        return (
            [item[key] for item in old] == names
            and len(set(names)) == len(names)
            and _NAMES.issuperset(map(type, names))
        )
    except (KeyError, TypeError):
        return False


def _comparable(form: type, old: Any, new: Any) -> bool:
    """Whether two values have parts that can be compared: null has none, and stands for an empty one."""
    return (old or new) and all(item is None or isinstance(item, form) for item in (old, new))
