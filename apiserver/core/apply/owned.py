"""Which fields an object has: those that its applier says, and all that there is of a value that is new."""

from __future__ import annotations

from typing import Any, Final

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


def whole(topology: Topology, value: Any) -> FieldSet:
    """Return the node of a value that was not there before: with all that is in it, structs included."""
    if not value or type(topology) is Leaf:
        return {}
    if type(topology) is Deduced:
        topology = OPEN_MAP
    if type(topology) is Granular and isinstance(value, dict):
        fields, rest, result = topology.fields, topology.rest or DEDUCED, {SELF: _NOTHING_BELOW}
        for name, item in value.items():
            child = fields.get(name) or rest
            result["f:" + name] = whole(child, item) if item and type(child) is not Leaf else _NOTHING_BELOW
        return result
    if type(topology) is Items and isinstance(value, list):
        return as_member(
            {
                element: whole(topology.item, items[0]) if len(items) == 1 else {}
                for element, items in grouped(topology, value).items()
            }
        )
    return {}
