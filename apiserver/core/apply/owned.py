"""Which fields an object has: those that its applier says, and all that there is of a value that is new."""

from __future__ import annotations

from typing import Any, Final

from apiserver.core.apply.elements import in_order
from apiserver.core.apply.field_set import SELF, FieldSet, as_member
from apiserver.core.apply.items import grouped
from apiserver.core.apply.topology import DEDUCED, OPEN_MAP, Deduced, Granular, Items, Leaf, Topology

_LEAF: Final = Leaf()
_NOTHING_BELOW: Final[FieldSet] = {}


def said_fields(topology: Granular, obj: Any) -> FieldSet:
    """Return the fields that a configuration says.

    A struct is not among them, except for an empty one: only what it says. Keys of maps and elements of lists are.
    """
    return _said(topology, obj) or {}


def _said(topology: Topology, value: Any) -> FieldSet | None:
    """Return the node of a value, whether it is a member or not; None: it has nothing that is owned."""
    if type(topology) is Deduced:
        topology = OPEN_MAP if isinstance(value, dict) else _LEAF
    if type(topology) is Leaf:
        return {}
    if type(topology) is Granular:
        return _said_fields(topology, value) if isinstance(value, dict) else None
    return _said_items(topology, value) if type(topology) is Items and isinstance(value, list) else None


def _said_fields(topology: Granular, value: dict[str, Any]) -> FieldSet | None:
    fields, result = topology.fields, {}
    for name, item in value.items():
        child = fields.get(name)
        if type(child) is Leaf:
            result["f:" + name] = _NOTHING_BELOW
            continue
        node = _said(child or topology.rest or DEDUCED, item)
        if child is None or item is None or item == {}:
            node = as_member(node)
        if node is not None:
            result["f:" + name] = node
    return result or None


def _said_items(topology: Items, value: list[Any]) -> FieldSet | None:
    return {
        element: as_member(_said(topology.item, items[0])) if len(items) == 1 else {}
        for element, items in grouped(topology, value).items()
    } or None


def all_fields(topology: Granular, obj: Any) -> FieldSet:
    """Return all that there is in an object."""
    fields = whole(topology, obj)
    return {element: node for element, node in fields.items() if element != SELF}


def new_fields(topology: Granular, obj: dict[str, Any]) -> FieldSet:
    """Return what is new in an object that was not there before, in order: what is always there is not new as such.

    It is what a comparison with the empty object finds, in a third of the time.
    """
    fields, rest, always, result = topology.fields, topology.rest or DEDUCED, topology.always, {}
    for name in sorted(obj):
        child, item = fields.get(name) or rest, obj[name]
        if type(child) is Leaf:
            result["f:" + name] = _NOTHING_BELOW
        elif name not in always or type(child) is Deduced:
            result["f:" + name] = whole(child, item)
        elif item:
            node = _new_below(child, item)
            if node is not None:
                result["f:" + name] = node
    return result


def _new_below(topology: Topology, value: Any) -> FieldSet | None:
    """Return what is new in a struct or a list that is always there; None: nothing."""
    if type(topology) is Granular and isinstance(value, dict):
        return new_fields(topology, value) or None
    if type(topology) is Items and isinstance(value, list):
        return _elements(topology, value) or None
    return {}


def whole(topology: Topology, value: Any) -> FieldSet:
    """Return the node of a value that was not there before: with all that is in it, structs included, in order."""
    if not value or type(topology) is Leaf:
        return {}
    if type(topology) is Deduced:
        topology = OPEN_MAP
    if type(topology) is Granular and isinstance(value, dict):
        fields, rest, result = topology.fields, topology.rest or DEDUCED, {SELF: _NOTHING_BELOW}
        for name in sorted(value):
            child, item = fields.get(name) or rest, value[name]
            result["f:" + name] = whole(child, item) if item and type(child) is not Leaf else _NOTHING_BELOW
        return result
    if type(topology) is Items and isinstance(value, list):
        found = _elements(topology, value)
        return {SELF: _NOTHING_BELOW, **found} if found else {}
    return {}


def _elements(topology: Items, value: list[Any]) -> FieldSet:
    """Return the nodes of a list's elements, in order."""
    items = grouped(topology, value)
    return {
        element: whole(topology.item, found[0]) if len(found) == 1 else _NOTHING_BELOW
        for element, found in ((element, items[element]) for element in in_order(items))
    }
