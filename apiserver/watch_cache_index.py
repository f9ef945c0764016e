"""Which objects of a resource can be selected at all: by the labels and fields that selectors pin to values.

The cache asks with a selection, and looks at what comes back instead of at everything. An index is made for a label or a
field that is asked for a second time, and follows every write from then on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

from apiserver.objects import CachedObject
from apiserver.watch_cache_selection import Selected
from machinery.model.selectors import EXISTS, IN

INDEXES: Final = 16  # of a resource; the one that was not asked for longest goes
_REMEMBERED: Final = 64  # axes that were asked for once
_LOOKED_AT: Final = 8  # of what a selection pins


class Axis(NamedTuple):
    """What objects are sorted by: a label or a field."""

    is_field: bool
    key: str

    def value(self, obj: CachedObject) -> str | None:
        """Return an object's value; None where it has no such label."""
        return obj.fields.get(self.key, "") if self.is_field else obj.labels.get(self.key)


class Pin(NamedTuple):
    """The values that selected objects have on an axis; None where any will do."""

    axis: Axis
    values: tuple[str, ...] | None


def pins(selected: Selected) -> Iterator[Pin]:
    """Yield what a selection pins to values."""
    for key, is_equal, value in selected.fields.requirements:
        if is_equal:
            yield Pin(Axis(is_field=True, key=key), (value,))
    for each in selected.labels.requirements:
        if each.operator == IN:
            yield Pin(Axis(is_field=False, key=each.key), each.values)
        elif each.operator == EXISTS:
            yield Pin(Axis(is_field=False, key=each.key), None)


class Index:
    """The places of the objects, by their value on one axis."""

    def __init__(self, axis: Axis, objects: Iterable[CachedObject]) -> None:
        self._value = axis.value
        self._places: dict[str, set[str]] = {}
        for obj in objects:
            self.change(None, obj)

    def change(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write: `old` is None for a new object, `new` for one that is gone."""
        value = self._value
        before = value(old) if old else None
        after = value(new) if new else None
        if before == after:
            return
        if old and before is not None:
            places = self._places[before]
            places.discard(old.place)
            if not places:
                del self._places[before]
        if new and after is not None:
            self._places.setdefault(after, set()).add(new.place)

    def find(self, values: tuple[str, ...] | None) -> list[set[str]]:
        """Return the sets of places that have one of the values; they do not overlap."""
        if values is None:
            return list(self._places.values())
        return [self._places[value] for value in dict.fromkeys(values) if value in self._places]


class Indexes:
    """The indexes of one resource."""

    def __init__(self) -> None:
        self._made: OrderedDict[Axis, Index] = OrderedDict()
        self._asked: OrderedDict[Axis, None] = OrderedDict()

    def change(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write."""
        for index in self._made.values():
            index.change(old, new)

    def clear(self) -> None:
        """Forget the objects; what was indexed is indexed again when it is asked for."""
        self._asked.update(dict.fromkeys(self._made))
        self._made.clear()

    def find(
        self, selected: Selected, objects: Collection[CachedObject], *, fewer_than: int
    ) -> list[str] | None:
        """Return places, in order, among which all selected objects are; None where no index knows fewer than that."""
        best, wanted = None, list(islice(pins(selected), _LOOKED_AT))
        self._prepare((pin.axis for pin in wanted), objects)
        for pin in wanted:
            index = self._made.get(pin.axis)
            found = index.find(pin.values) if index else None
            if found is not None and (count := sum(map(len, found))) < fewer_than:
                best, fewer_than = found, count
        return None if best is None else sorted(chain.from_iterable(best))

    def _prepare(self, axes: Iterable[Axis], objects: Iterable[CachedObject]) -> None:
        """Note what is asked for, and make at most one index: no list costs more than two walks."""
        has_made = False
        for axis in axes:
            if axis in self._made:
                self._made.move_to_end(axis)
            elif axis in self._asked and not has_made:
                del self._asked[axis]
                self._made[axis], has_made = Index(axis, objects), True
            else:
                self._asked[axis] = None
        while len(self._made) > INDEXES:
            self._made.popitem(last=False)
        while len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
