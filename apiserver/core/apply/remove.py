"""Remove fields from an object, and the marks of sets that depend on the schema."""

from __future__ import annotations

from typing import Any

from apiserver.core.apply.elements import field, name_of
from apiserver.core.apply.field_set import SELF, FieldSet, as_member, is_member
from apiserver.core.apply.items import element_of
from apiserver.core.apply.topology import DEDUCED, OPEN_MAP, Deduced, Granular, Items, Leaf, Topology


def remove(topology: Topology, value: Any, fields: FieldSet) -> Any:
    """Return the value without the members of a set. What loses all that it had becomes null."""
    if isinstance(topology, Deduced):
        topology = OPEN_MAP if isinstance(value, dict) else Leaf()
    if not fields or not value:
        return value
    if isinstance(topology, Granular) and isinstance(value, dict):
        return _without_fields(topology, value, fields)
    if isinstance(topology, Items) and isinstance(value, list):
        return _without_items(topology, value, fields)
    return value


def _without_fields(topology: Granular, value: dict[str, Any], fields: FieldSet) -> dict[str, Any] | None:
    known, rest, result = topology.fields, topology.rest or DEDUCED, {}
    for name, item in value.items():
        node = fields.get(field(name))
        if node is None:
            result[name] = item
        elif not is_member(node):
            result[name] = remove(known.get(name) or rest, item, node)
    return result or None


def _without_items(topology: Items, value: list[Any], fields: FieldSet) -> list[Any] | None:
    result = []
    for item in value:
        try:
            node = fields.get(element_of(topology, item))
        except ValueError:
            node = None
        if node is None:
            result.append(item)
        elif not is_member(node):
            result.append(remove(topology.item, item, node))
    return result or None


def with_structs(topology: Topology, fields: FieldSet) -> FieldSet:
    """Return the set with those structs as members in which it has members.

    A configuration does not own the structs on the way to what it says; to remove all that it said they go, too.
    """
    result = {}
    for element, node in fields.items():
        if element == SELF or not node:
            result[element] = node
            continue
        below = with_structs(below_element(topology, element), node)
        result[element] = as_member(below) if is_struct_field(topology, element) else below
    return result


def coarsened(topology: Topology, fields: FieldSet, along: FieldSet | None = None) -> FieldSet:
    """Return the set for a schema that has made lists or maps atomic since: who owned a part owns the whole.

    It is the same set where the schema has not. `along` bounds the search to what is in another set.
    """
    changed = {}
    for element in fields if along is None else fields.keys() & along.keys():
        node = fields[element]
        if not node or element == SELF:
            continue
        below = below_element(topology, element)
        new = (
            {}
            if type(below) is Leaf
            else coarsened(below, node, along[element] if along is not None else None)
        )
        if new is not node:
            changed[element] = new
    return {**fields, **changed} if changed else fields


def is_struct_field(topology: Topology, element: str) -> bool:
    """Whether an element is a field that its struct declares."""
    return type(topology) is Granular and name_of(element) in topology.fields


def below_element(topology: Topology, element: str) -> Topology:
    """Return the type of what an element leads to."""
    is_field = element.startswith("f:")
    if type(topology) is Granular and is_field:
        return topology.fields.get(element[2:]) or topology.rest or DEDUCED
    if type(topology) is Items and not is_field:
        return topology.item
    return DEDUCED
