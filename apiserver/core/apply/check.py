"""Whether a configuration fits its schema: what is applied has to be declared, since nobody could own the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from apiserver.core.apply.elements import describe, field
from apiserver.core.apply.items import element_of
from apiserver.core.apply.topology import Deduced, Granular, Items, Leaf, Topology

_MOST: Final = 30  # problems told; a configuration of 3 MB may have as many as it has fields
_FORMS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "numeric": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
}


def problems(topology: Granular, config: Any) -> list[str]:
    """Return what is wrong with a configuration, each with its place; none: it fits."""
    found: list[str] = []
    if _fits(topology, config):
        return found
    for path, text in _problems(topology, config, ""):
        found.append(f"{path}: {text}" if path else text)
        if len(found) == _MOST:
            break
    return found


def _fits(topology: Topology, value: Any) -> bool:
    """Whether there is nothing wrong: what `_problems` would find, without saying where, which is most of its cost."""
    if value is None or type(topology) is Deduced:
        return True
    if type(topology) is Leaf:
        return _is_of(topology.accepts, value)
    if type(topology) is Granular:
        return isinstance(value, dict) and _fields_fit(topology, value)
    return type(topology) is Items and isinstance(value, list) and _items_fit(topology, value)


def _fields_fit(topology: Granular, value: dict[str, Any]) -> bool:
    fields, rest = topology.fields, topology.rest
    for name, item in value.items():
        child = fields.get(name) or rest
        if child is None or not (_plain_string(child, item) or _fits(child, item)):
            return False
    return True


def _plain_string(topology: Topology, value: Any) -> bool:
    return type(value) is str and type(topology) is Leaf and topology.accepts == "string"


def _items_fit(topology: Items, value: list[Any]) -> bool:
    try:
        found = {element_of(topology, item) for item in value}
    except ValueError:
        return False
    return len(found) == len(value) and all(_fits(topology.item, item) for item in value)


def _problems(topology: Topology, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if value is None or isinstance(topology, Deduced):
        return
    if isinstance(topology, Leaf):
        yield from _leaf(topology, value, path)
    elif isinstance(topology, Granular):
        yield from (
            _fields(topology, value, path) if isinstance(value, dict) else _unexpected("map", value, path)
        )
    elif isinstance(value, list):
        yield from _items(topology, value, path)
    else:
        yield from _unexpected("list", value, path)


def _leaf(topology: Leaf, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not _is_of(topology.accepts, value):
        named = "numeric (int or float)" if topology.accepts == "numeric" else topology.accepts
        yield from _unexpected(named, value, path)


def _is_of(accepts: str, value: Any) -> bool:
    forms = _FORMS.get(accepts)
    return forms is None or (
        isinstance(value, forms) and (accepts == "boolean" or not isinstance(value, bool))
    )


def _unexpected(expected: str, value: Any, path: str) -> Iterator[tuple[str, str]]:
    shown = msgspec.json.encode(value).decode()
    yield path, f"expected {expected}, got {shown if len(shown) <= 60 else shown[:60] + '…'}"


def _fields(topology: Granular, value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        child = topology.fields.get(name) or topology.rest
        place = path + describe((field(name),))
        if child is None:
            yield place, "field not declared in schema"
        else:
            yield from _problems(child, item, place)


def _items(topology: Items, value: list[Any], path: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        try:
            element = element_of(topology, item)
        except ValueError as error:
            yield path, f"element {index}: {error}"
            continue
        place = describe((element,))
        if element in seen:
            yield path, f"duplicate entries for key {place}"
        seen.add(element)
        yield from _problems(topology.item, item, path + place)
