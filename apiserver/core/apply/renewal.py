"""Updates that only give other values to what their manager owns, and nobody else: heartbeats, renewals, most of status.

They are most of all writes, and all that they change in managedFields is the time of one entry. So neither sets nor
managers are made for them: both states are walked down to what differs, beside the sets that are stored.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from apiserver.core.apply import elements, managers
from apiserver.core.apply.compare import is_paired
from apiserver.core.apply.field_set import FieldSet, is_member
from apiserver.core.apply.managers import APPLY, FIELDS_TYPE, MOST_UPDATERS, UPDATE, Manager
from apiserver.core.apply.topology import Granular, Items, Leaf, Topology
from apiserver.core.apply.tracker import NEVER_OWNED, Tracker
from apiserver.core.values import Json

_MISSING: Final = object()
_OPERATIONS: Final = (APPLY, UPDATE)
_MEMBER: Final[FieldSet] = {}  # with nothing below


class _Sets(NamedTuple):
    """What is said of the fields of one struct, or the elements of one list."""

    mine: FieldSet  # the updater's
    others: list[FieldSet]  # those of everybody else who says something
    reset: FieldSet  # that this request cannot change
    never_owned: FieldSet


def renewed(
    tracker: Tracker, stored: list[Json], old: Json, new: Json, *, updater: Manager, now: str
) -> list[Json] | None:
    """Return the entries to store with `new`, where the updater changes values that are its own; what `transfer` comes to.

    None: there is more to it, or may be.
    """
    topology = tracker.own_topology
    sets = _sets(tracker, stored, updater)
    if sets is None or topology.is_open:
        return None
    changed = _changed_fields(topology, old, new, sets)
    if not changed:
        return None if changed is None else stored
    return managers.in_order(
        [{**entry, "time": now} if entry["fieldsV1"] is sets.mine else entry for entry in stored]
    )


def _sets(tracker: Tracker, stored: list[Json], updater: Manager) -> _Sets | None:
    """Return the sets of an object; None where the updater has none, or an entry is unlike those that are written here."""
    version, mine, others = tracker.api_version, None, []
    for entry in stored:
        fields = entry.get("fieldsV1")
        if not fields or entry.get("apiVersion") != version or entry.get("fieldsType") != FIELDS_TYPE:
            return None
        operation = entry.get("operation")
        if (
            mine is None
            and entry.get("manager") == updater.name
            and operation == updater.operation
            and entry.get("subresource", "") == updater.subresource
        ):
            mine = fields
        elif operation in _OPERATIONS:
            others.append(fields)
        else:
            return None
    if mine is None or len(stored) > MOST_UPDATERS:
        return None
    return _Sets(mine, others, tracker.never_owned(version), NEVER_OWNED)


def _changed_fields(topology: Granular, old: Json, new: Json, sets: _Sets) -> bool | None:
    """Whether the updater's values differ in two structs; None: there is more to it."""
    if old.keys() != new.keys() and not all(_is_free(f"f:{name}", sets) for name in old.keys() ^ new.keys()):
        return None
    fields, found = topology.fields, False
    for name, item in new.items():
        before = old.get(name, _MISSING)
        if before == item or before is _MISSING:
            continue
        element = f"f:{name}"
        child = fields.get(name) or topology.rest
        if type(child) is Leaf and _is_mine_alone(element, sets):
            found = True
        elif not _is_free(element, sets):
            changed = _changed(child, element, before, item, sets)
            if changed is None:
                return None
            found |= changed
    return found


def _changed(topology: Topology | None, element: str, old: Any, new: Any, sets: _Sets) -> bool | None:
    """Whether the updater's values differ in two values that are not equal; None: there is more to it."""
    mine, others, reset, never_owned = sets
    below = _Sets(
        mine.get(element) or {},
        [each[element] for each in others if element in each] if others else others,
        reset.get(element) or {},
        never_owned.get(element) or {},
    )
    if not all(below.others):
        return None  # somebody else owns it as a whole
    if type(topology) is Granular and type(old) is dict and type(new) is dict:
        return _changed_fields(topology, old, new, below)
    if type(topology) is Items and type(old) is list and type(new) is list:
        return _changed_items(topology, old, new, below)
    return None


def _changed_items(topology: Items, old: list[Any], new: list[Any], sets: _Sets) -> bool | None:
    """Do as `_changed_fields` does, of lists with the same elements at the same places."""
    if not is_paired(topology, old, new):
        return None
    found, key = False, topology.keys[0]
    for before, item in zip(old, new, strict=True):
        if before != item:
            changed = _changed(topology.item, elements.one_key(key, item[key]), before, item, sets)
            if changed is None:
                return None
            found |= changed
    return found


def _is_mine_alone(element: str, sets: _Sets) -> bool:
    """Whether the updater owns an element with nothing below it, nobody else does, and the request can change it."""
    return sets.mine.get(element) == _MEMBER and element not in sets.reset and not _is_others(element, sets)


def _is_free(element: str, sets: _Sets) -> bool:
    """Whether nobody gets or loses a field, whatever is done to it."""
    reset = sets.reset.get(element)
    if reset is not None and is_member(reset):
        return True
    return (
        sets.never_owned.get(element) == _MEMBER
        and element not in sets.mine
        and not _is_others(element, sets)
    )


def _is_others(element: str, sets: _Sets) -> bool:
    """Whether somebody other than the updater says something of an element."""
    return bool(sets.others) and any(element in each for each in sets.others)
