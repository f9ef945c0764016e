"""The elements of a list by which its items are known."""

from __future__ import annotations

from typing import Any

from apiserver.core.apply import elements
from apiserver.core.apply.topology import Items

Grouped = dict[str, list[Any]]


def element_of(topology: Items, item: Any) -> str:
    """Return the path element of an item of a list.

    Raises:
        ValueError: the item has none; the message says why.
    """
    if not topology.keys:
        return _value_of(item)
    if type(item) is not dict:
        raise ValueError(
            "associative list with keys may not have a null element"
            if item is None
            else "associative list with keys may not have non-map elements"
        )
    return _key_of(topology, item)


def _value_of(item: Any) -> str:
    match item:
        case dict():
            raise ValueError("associative list without keys has an element that's a map type")
        case list():
            raise ValueError("not supported: associative list with lists as elements")
        case None:
            raise ValueError("associative list without keys has an element that's an explicit null")
    return elements.value(item)


def _key_of(topology: Items, item: dict[str, Any]) -> str:
    keys, defaults = topology.keys, topology.defaults
    if len(keys) == 1 and keys[0] in item:
        return elements.one_key(keys[0], item[keys[0]])
    names = tuple(name for name in keys if name in item or name in defaults)
    if not names:
        listed = " ".join(f'"{name}"' for name in keys)
        raise ValueError(
            f"associative list with keys has an element that omits all key fields [{listed}] "
            "(and doesn't have default values for any key fields)"
        )
    return elements.key(names, tuple(item[name] if name in item else defaults[name] for name in names))


def grouped(topology: Items, items: list[Any]) -> Grouped:
    """Return the items by their element, in the order of the list; items without one are left out.

    An element that is there twice is owned as a whole: nobody can say which of the two somebody means.
    """
    result: Grouped = {}
    for item in items:
        try:
            element = element_of(topology, item)
        except ValueError:
            continue
        result.setdefault(element, []).append(item)
    return result
